"""`python -m bench [--markdown] [names…]`: run the benches, print one row each."""

import sys
from collections.abc import Callable, Mapping

import click

from bench import agent_memory, agent_start, record_writes, scaler_load, sweep, webhook_offer
from bench.measures import Row, table_head, table_line
from runner_pool.errors import CommandError

BENCHES: Mapping[str, Callable[[], Row]] = {
    agent_start.NAME: agent_start.row,
    agent_memory.NAME: agent_memory.row,
    webhook_offer.NAME: webhook_offer.row,
    sweep.NAME_OF_HUNDRED: sweep.row_of_hundred,
    sweep.NAME_OF_THOUSAND: sweep.row_of_thousand,
    scaler_load.NAME: scaler_load.row,
    scaler_load.NAME_WITH_LEASES: scaler_load.row_with_leases,
    record_writes.NAME: record_writes.row,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--markdown", is_flag=True, help="Print the table for docs/reference/benchmarks.md.")
def main(names: tuple[str, ...], markdown: bool) -> None:
    """Run the named benches, or all of them, one after the other."""
    if sys.platform != "linux":
        raise click.ClickException("the benches read /proc, so they need Linux")
    click.echo(table_head(markdown=markdown))
    failed = []
    for name in names or BENCHES:
        try:
            row = BENCHES[name]()
        except (RuntimeError, CommandError) as error:
            # The other benches stand for themselves; the exit code tells of this one.
            click.echo(f"{name} failed: {error}", err=True)
            failed.append(name)
            continue
        click.echo(table_line(row.cells, markdown=markdown))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
