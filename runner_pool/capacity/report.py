"""PURE: a history and the advice drawn from it, as the lines that the admin reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from runner_pool.capacity.history import History
from simulator.advice import Advice, Row
from simulator.outcome import percentile
from simulator.prices import Amount, an_hour, dollars
from simulator.trace import Trace

_SECONDS_OF_AN_HOUR = 3_600.0
# More rows than this hide the first ones; all are in the JSON.
MOST_ROWS = 15
_HEAD = ("cells", "sizes", "warm", "wait p50", "wait p95", "instance hours", "instances", "waiting", "total")


def history_lines(history: History) -> list[str]:
    """What was found, pool by pool, and what was left out and why."""
    lines = [f"finished jobs from {_moment(history.since)} to {_moment(history.until)}: {history.jobs}"]
    lines += [f"  {_pool_line(pool, trace)}" for pool, trace in history.traces.items()]
    lines += [
        f"  left out, {number}: jobs that {reason.value}" for reason, number in history.left_out.items()
    ]
    lines += [f"  not read: {sentence}" for sentence in history.unread]
    return lines


def advice_lines(pool: str, found: Advice) -> list[str]:
    """The cheapest choices of a pool as a table, the reason for the first, and the prices that all of it stands on."""
    machine_hour = Amount(usd=an_hour(found.machine, found.price), price=found.price)
    shown = found.rows[:MOST_ROWS]
    hidden = len(found.rows) - len(shown)
    return [
        f"pool {pool}: {found.why}",
        *_table([_HEAD, *(_cells_of(row) for row in shown)], mark=1),
        *([f"  and {hidden} dearer choices"] if hidden else []),
        f"  an hour of {found.machine}: {machine_hour}",
        f"  an hour of waiting: {dollars(found.waiting_usd_per_hour)}, as stated",
    ]


def _pool_line(pool: str, trace: Trace) -> str:
    if not trace:
        return f"pool {pool}: no job"
    durations = [job.duration for job in trace]
    return (
        f"pool {pool}: {len(trace)}, with {sum(durations) / _SECONDS_OF_AN_HOUR:.1f} hours of work; "
        f"half of them within {percentile(durations, 0.5):.0f} s, the longest {max(durations):.0f} s, "
        f"at most {_most_at_once(trace)} at once had none waited"
    )


def _most_at_once(trace: Trace) -> int:
    """How many jobs would have run at the same moment if each had begun when it was queued."""
    changes = [(job.queued_at, 1) for job in trace]
    changes += [(job.queued_at + job.duration, -1) for job in trace]
    most = running = 0
    for _, change in sorted(changes):  # of one moment the ends come first
        running += change
        most = max(most, running)
    return most


def _cells_of(row: Row) -> tuple[str, ...]:
    return (
        str(row.choice.cells),
        str(row.choice.mix),
        str(row.choice.warm),
        f"{row.wait_p50:.0f} s",
        f"{row.wait_p95:.0f} s",
        f"{row.instance_seconds / _SECONDS_OF_AN_HOUR:.1f}",
        dollars(row.instances_usd),
        dollars(row.waiting_usd),
        f"{dollars(row.total_usd)}{f' ({row.unfinished} jobs undone)' if row.unfinished else ''}",
    )


def _table(rows: Sequence[Sequence[str]], *, mark: int) -> Iterable[str]:
    """Aligned columns; `mark` is the number of the row that is recommended."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{'>' if number == mark else ' '} {cells}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
