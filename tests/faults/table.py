"""The grid's rows for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from tests.faults.burst import Result

COLUMNS = ("fault", "jobs", "done", "lost (reported)", "not reported", "stopped by the scaler", "run twice")
MORE_COLUMNS = ("wait p95", "left behind", "strokes", "causes of the lost", "")


def table(results: Sequence[Result]) -> Table:
    """One row for each fault; the mixtures after them."""
    made = Table(title="A burst under each fault")
    for column in (*COLUMNS, *MORE_COLUMNS):
        made.add_column(column, justify="left" if column in ("fault", "causes of the lost", "") else "right")
    for result in results:
        made.add_row(
            _name(result),
            *map(str, (result.jobs, result.done, result.lost, result.silent, result.stopped, result.twice)),
            "-" if result.wait_p95 is None else f"{result.wait_p95:.1f} s",
            str(result.left),
            str(sum(result.struck.get(fault, 0) for fault in result.case.faults)),
            "; ".join(result.causes),
            "" if result.faultless else f"NOT AS PROMISED {result.problem or ''}",
        )
    return made


def summary(results: Sequence[Result], *, seconds: float, folder: Path) -> str:
    """The sums, and where to look."""
    wrong = [result.case.name for result in results if not result.faultless]
    sums = {
        "jobs": sum(result.jobs for result in results),
        "done": sum(result.done for result in results),
        "lost with their cause reported": sum(result.lost for result in results),
        "lost without a report": sum(result.silent for result in results),
        "stopped by the scaler": sum(result.stopped for result in results),
        "run twice": sum(result.twice for result in results),
        "left behind": sum(result.left for result in results),
    }
    told = ", ".join(f"{count} {what}" for what, count in sums.items())
    ending = (
        f"{len(wrong)} not as promised ({', '.join(wrong)}), see {folder}"
        if wrong
        else "every one as promised"
    )
    return f"{len(results)} worlds in {seconds / 60:.1f} minutes: {told}; {ending}."


def _name(result: Result) -> str:
    if result.case.name in result.case.faults:
        return result.case.name
    return f"{result.case.name}: {', '.join(sorted(result.case.faults))}"
