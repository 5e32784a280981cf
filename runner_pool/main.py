"""The command `runner-pool`: verbs, and what a user sees when something is wrong. Decides nothing.

A verb imports its program when it is called, so that `runner-pool --help` answers at once.
"""

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from runner_pool import cell_verbs, errors
from runner_pool.simulate_options import simulate_options

_INTERRUPTED = 130
_INTERNAL_FAULT = 70
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_config = click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The configuration, one YAML file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """GitHub Actions jobs on Google Cloud Run worker pools."""


@cli.command()
@_config
def serve(config_path: Path) -> int:
    """Run the scaler as a service: leases, webhooks, ticks."""
    import scaler.main as scaler_main

    return scaler_main.serve(config_path, os.environ)


@cli.command()
@_config
def once(config_path: Path) -> int:
    """Run one tick and end: for cron, without a service."""
    import scaler.main as scaler_main

    return scaler_main.once(config_path, os.environ)


@cli.command()
@_config
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@click.option("--check", is_flag=True, help="Also check what must always hold; end with 7 when it does not.")
def plan(*, config_path: Path, as_json: bool, check: bool) -> int:
    """Print what the next tick would do, and why; touch nothing."""
    import scaler.main as scaler_main

    return scaler_main.plan(config_path, os.environ, as_json=as_json, check=check)


@cli.command("check-config")
@_config
def check_config(config_path: Path) -> int:
    """Read the configuration, name every fault in it, print what is in force."""
    import scaler.main as scaler_main

    return scaler_main.check_config(config_path, os.environ)


@cli.command()
@click.option("--workflow", type=click.Path(path_type=Path), help="A workflow file of yours, or a folder.")
@click.option("--source", type=click.Path(path_type=Path), help="Your repository; the steps get a copy.")
@click.option("--job", "jobs", multiple=True, metavar="ID", help="Only this job and those that it needs.")
@click.option("--yes", is_flag=True, help="Do not ask before your steps run.")
@click.option("--allow-root", is_flag=True, help="Let your steps run as root when no other account can.")
@click.option("--env", "variables", multiple=True, metavar="NAME", help="Hand this variable to your steps.")
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds for all jobs (180; your own: 3600).")
def demo(
    *,
    workflow: Path | None,
    source: Path | None,
    jobs: tuple[str, ...],
    yes: bool,
    allow_root: bool,
    variables: tuple[str, ...],
    timeout: float | None,
) -> int:
    """Show the whole system on this machine: a burst of jobs, and an empty pool at the end.

    Without options it runs the workflows that come with runner-pool; with --workflow and --source it runs
    yours, on a copy. A job whose name ends in "(expected to fail)" must fail.
    """
    from rich.console import Console

    from runner_pool.demo.invitation import Wishes, invited
    from runner_pool.demo.stage import perform

    for number in _ENDING_SIGNALS:
        signal.signal(number, _end_politely)
    console = Console() if sys.stdout.isatty() else Console(width=120, soft_wrap=False)
    wishes = Wishes(
        workflow=workflow,
        source=source,
        jobs=jobs,
        consent_given=yes,
        allow_root=allow_root,
        passed_on=_variables(variables),
        timeout_seconds=timeout or (180.0 if workflow is None else 3600.0),
    )
    performance = invited(wishes, console=console, confirm=_confirm, effective_uid=os.geteuid())
    return perform(performance, env=os.environ, console=console)


@cli.command()
@simulate_options
def simulate(**wishes: Any) -> int:
    """Let the real planner work through jobs in virtual time; compare it with others, or ask for advice.

    The jobs come from --trace, --generator or --history. Nothing is changed at GitHub or Google, and without
    --history nothing is asked there. docs/reference/simulate.md explains every number.
    """
    from runner_pool.simulate import run
    from runner_pool.simulate_wishes import Wishes

    return run(Wishes(**wishes), os.environ)


@cli.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulator(arguments: tuple[str, ...]) -> NoReturn:
    """Start the stand-in GitHub and the stand-in Google Cloud (its options: emulator --help)."""
    # The program takes this one's place, so that its signals and its exit code are its own.
    os.execv(sys.executable, [sys.executable, "-m", "emulator", *arguments])  # noqa: S606  no shell is wanted


@cli.command()
def version() -> int:
    """Print the version."""
    click.echo(f"runner-pool {metadata.version('runner-pool')}")
    return 0


for _verb in cell_verbs.VERBS:
    cli.add_command(_verb)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: with the program's own code, and without a traceback for a user's mistake."""
    try:
        code = cli.main(args=arguments, prog_name="runner-pool", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except errors.CommandError as error:
        _tell(error.what, cause=error.cause, remedy=error.remedy)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  the last place that can tell whose fault it is
        code = _told_by_a_program(error)
        if code is None:
            click.echo("runner-pool: a fault of the program itself; please report the lines below", err=True)
            traceback.print_exception(error)
            code = _INTERNAL_FAULT
        sys.exit(code)
    sys.exit(code if isinstance(code, int) else 0)


def _told_by_a_program(error: Exception) -> int | None:
    """Tell an error of the scaler's or the simulator's own tree and return its exit code; None for any other error."""
    from scaler.errors import ScalerError
    from simulator.errors import SimulatorError

    if isinstance(error, SimulatorError):
        _tell(error.what, cause=error.cause, remedy=error.remedy)
        return error.exit_code
    if isinstance(error, ScalerError):
        _tell(error.what, remedy=error.remedy)
        return error.exit_code
    return None


def _tell(what: str, *, cause: str = "", remedy: str = "") -> None:
    click.echo(f"runner-pool: {what}", err=True)
    if cause:
        click.echo(f"  cause: {cause}", err=True)
    if remedy:
        click.echo(f"  remedy: {remedy}", err=True)


def _variables(names: Sequence[str]) -> dict[str, str]:
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise errors.UsageError(
            f"--env names what is not set here: {', '.join(missing)}",
            remedy="set the variable, or leave --env away",
        )
    return {name: os.environ[name] for name in names}


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise errors.UsageError(
            "your steps need a yes before they run, and there is no terminal to ask on",
            remedy="read the steps above and say --yes",
        )
    return click.confirm(question)


def _end_politely(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave through every clean-up; a second signal must not cut that short."""
    for number in _ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
