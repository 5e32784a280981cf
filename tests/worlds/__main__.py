"""Ten thousand worlds: `python -m tests.worlds` lives through them and prints what came of it.

Exit code 1 when the scaler stopped a job, a promise was broken, or a step of closing was crashed too seldom.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from pathlib import Path

from simulator.many.life import Life, live
from simulator.many.worlds import world_of
from tests.worlds.table import page, report
from tests.worlds.totals import WORLDS, Totals

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "many_worlds.md"
AT_A_TIME = 20
SHOWN = 5


def main(arguments: Sequence[str]) -> int:
    """0 when nothing was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"how many (default: {WORLDS:,})")
    parser.add_argument("--first-seed", type=int, default=1, help="(default: 1)")
    parser.add_argument("--processes", type=int, default=2, help="(default: 2)")
    parser.add_argument("--seed", type=int, help="one world, its whole story")
    parser.add_argument("--write", action="store_true", help=f"write the tables to {PAGE.name}")
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return tell(given.seed)
    begun = time.monotonic()
    totals = lived(given.worlds, first_seed=given.first_seed, processes=given.processes)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    seconds = time.monotonic() - begun
    print(report(totals, seconds=seconds, cpu_seconds=cpu))
    for life in totals.broken[:SHOWN]:
        print(f"\nseed {life.seed}: `python -m tests.worlds --seed {life.seed}` tells all of it; its end:")
        print("\n".join((*life.story, *life.verdicts)))
    for step in totals.too_few:
        print(f"too seldom killed: {step}, {totals.crashes[step]} of {totals.wanted_crashes} times")
    if given.write:
        PAGE.write_text(page(totals, seconds=seconds, cpu_seconds=cpu))
    return 0 if totals.faultless else 1


def tell(seed: int) -> int:
    """One world again."""
    print(world_of(seed).faults)
    life = live(seed, most_told=None)
    print("\n".join((*life.story, *life.verdicts)))
    print(
        f"seed {seed}: {life.jobs} jobs, {life.done} done, {sum(life.lost.values())} lost,"
        f" {life.stopped_by_us} stopped by the scaler; {life.lowers} lowering writes,"
        f" {sum(life.faults.values())} faults; others stopped {dict(life.others)}"
    )
    return 1 if life.verdicts else 0


def lived(worlds: int, *, first_seed: int, processes: int) -> Totals:
    """So many worlds that count; a line on the way for each tenth of them."""
    totals, told = Totals(), 0
    with ProcessPoolExecutor(processes) as pool:
        for life in _in_order(pool, first_seed, ahead=2 * processes):
            totals.add(life)
            if totals.worlds * 10 // worlds > told:
                told = totals.worlds * 10 // worlds
                sys.stderr.write(f"{totals.worlds} worlds, {len(totals.broken)} with a broken promise\n")
            if totals.worlds >= worlds:
                break
        pool.shutdown(cancel_futures=True)
    return totals


def _in_order(pool: ProcessPoolExecutor, first_seed: int, *, ahead: int) -> Iterator[Life]:
    """World after world, so that which of them are lived through does not hang on who is quicker."""
    firsts = count(first_seed, AT_A_TIME)
    waiting: list[Future[list[Life]]] = []
    while True:
        while len(waiting) < ahead:
            waiting.append(pool.submit(_some, next(firsts)))
        yield from waiting.pop(0).result()


def _some(first: int) -> list[Life]:
    # What is left of a world is collected once for several: looking for it all the time takes a tenth of the run.
    gc.disable()
    lives = [live(seed) for seed in range(first, first + AT_A_TIME)]
    gc.collect()
    return lives


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
