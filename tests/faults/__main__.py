"""The grid: `python -m tests.faults` lives through every fault and 200 mixtures, and prints a table of what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console

from tests.faults.burst import JOBS, Result, lived
from tests.faults.case import Case, mixture, names, single
from tests.faults.table import summary, table

MIXTURES = 200
# Most of a world's time is waiting; so many keep two cores busy.
AT_ONCE = 8


def main(arguments: Sequence[str]) -> int:
    """0 when every row is as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--mixtures", type=int, default=MIXTURES, help=f"how many (default: {MIXTURES})")
    parser.add_argument("--first", type=int, default=0, help="number of the first mixture (default: 0)")
    parser.add_argument("--only", action="append", default=[], metavar="FAULT", help="repeatable")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"in each burst (default: {JOBS})")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"worlds at once (default: {AT_ONCE})")
    parser.add_argument("--keep", action="store_true", help="keep the folders of faultless worlds too")
    parser.add_argument("--folder", type=Path, help="for what the worlds leave (default: a temporary one)")
    given = parser.parse_args(arguments)
    unknown = set(given.only) - set(names())
    if unknown:
        parser.error(f"there is no fault {min(unknown)!r}; there are: {', '.join(names())}")
    cases = [single(name) for name in given.only or ([] if given.first else names())]
    cases += [mixture(given.first + number) for number in range(0 if given.only else given.mixtures)]
    folder = given.folder or Path(tempfile.mkdtemp(prefix="runner-pool-faults-"))
    begun = time.monotonic()
    results = grid(cases, folder, jobs=given.jobs, at_once=given.at_once, keep=given.keep)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(table(results))
    console.print(summary(results, seconds=time.monotonic() - begun, folder=folder))
    return 0 if all(result.faultless for result in results) else 1


def grid(
    cases: Sequence[Case], folder: Path, *, jobs: int = JOBS, at_once: int = AT_ONCE, keep: bool = False
) -> list[Result]:
    """Every case's row, in the order of the cases; a line for each as it ends."""
    rows: dict[str, Result] = {}
    with ThreadPoolExecutor(at_once) as worlds:
        running = [worlds.submit(lived, case, folder / case.name, jobs=jobs, keep=keep) for case in cases]
        for ended in as_completed(running):
            row = ended.result()
            rows[row.case.name] = row
            told = "as promised" if row.faultless else f"NOT AS PROMISED: {row.problem or row}"
            sys.stderr.write(
                f"{len(rows)}/{len(cases)} {row.case.name} {row.seconds:.0f} s: {row.done} done, {row.lost} lost, {told}\n"
            )
    return [rows[case.name] for case in cases]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
