"""What people see while a demo runs: a live picture on a terminal, plain lines elsewhere. I never judge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runner_pool.control_door import Job, Snapshot

_FEWEST_JOBS = 3
_PLAIN_INTERVAL_SECONDS = 1.0
_MARKS = {
    "success": ("✓", "green"),
    "failure": ("✗", "red"),
    "skipped": ("-", "dim"),
    "cancelled": ("!", "red"),
}


class Screen(Protocol):
    """Where a running demo is shown."""

    def show(self, snapshot: Snapshot, *, elapsed_seconds: float) -> None:
        """Show the newest look at the world."""

    def close(self) -> None:
        """Give the terminal back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The numbers of one look at the world."""

    queued: int
    running: int
    ended: int
    open_cells: int
    cells: int
    requested: int
    busy: int
    idle: int
    registrations: int

    def __str__(self) -> str:
        """Put them on one line."""
        return (
            f"jobs: {self.queued} queued, {self.running} running, {self.ended} ended | "
            f"cells: {self.open_cells} of {self.cells} open, {self.requested} asked for | "
            f"instances: {self.busy} busy, {self.idle} idle | registrations: {self.registrations}"
        )


def figures(snapshot: Snapshot) -> Figures:
    """Count what a look at the world shows."""
    return Figures(
        queued=sum(job.status == "queued" for job in snapshot.jobs),
        running=sum(job.status == "in_progress" for job in snapshot.jobs),
        ended=sum(job.status == "completed" for job in snapshot.jobs),
        open_cells=sum(count > 0 for count in snapshot.counts.values()),
        cells=len(snapshot.counts),
        requested=sum(snapshot.counts.values()),
        busy=sum(instance.busy for instance in snapshot.instances),
        idle=sum(not instance.busy for instance in snapshot.instances),
        registrations=snapshot.registrations,
    )


class PlainScreen:
    """One line per change, at most one a second, and one for each job that has ended."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Write lines with `write`."""
        self._write = write
        self._last: Figures | None = None
        self._last_at = -_PLAIN_INTERVAL_SECONDS
        self._told: set[int] = set()

    def show(self, snapshot: Snapshot, *, elapsed_seconds: float) -> None:
        """Write what has changed."""
        for job in snapshot.jobs:
            if job.status == "completed" and job.id not in self._told:
                self._told.add(job.id)
                self._write(f"{elapsed_seconds:6.1f} s   {ending(job)}")
        now = figures(snapshot)
        if now != self._last and elapsed_seconds - self._last_at >= _PLAIN_INTERVAL_SECONDS:
            self._last, self._last_at = now, elapsed_seconds
            self._write(f"{elapsed_seconds:6.1f} s {now}")

    def close(self) -> None:
        """Nothing to give back."""


class LiveScreen:
    """A picture that is drawn anew at every look."""

    def __init__(self, console: Console) -> None:
        """Take the terminal."""
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, snapshot: Snapshot, *, elapsed_seconds: float) -> None:
        """Draw the newest look."""
        cells = _cells(snapshot)
        rows = max(_FEWEST_JOBS, self._live.console.height - cells.row_count - 6)  # headings and this line
        headline = Text(f"{elapsed_seconds:6.1f} s  {figures(snapshot)}", style="bold")
        self._live.update(Group(headline, cells, _jobs(snapshot, rows=rows)), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


def ending(job: Job) -> str:
    """Tell in one line how a job ended."""
    mark, _ = _MARKS.get(job.conclusion or "", ("?", ""))
    place = f" on {job.instance[:12]}" if job.instance else ""
    return f"{mark} {job.workflow} / {job.name}: {job.conclusion}{place}"


def _cells(snapshot: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 2))
    for heading in ("cell", "asked for", "instances (● busy, ○ idle)"):
        table.add_column(heading, no_wrap=True)
    drawn: Mapping[str, str] = {
        cell: "".join(
            "●" if instance.busy else "○" for instance in snapshot.instances if instance.worker_pool == cell
        )
        for cell in snapshot.counts
    }
    closed = 0
    for cell, count in snapshot.counts.items():
        if count or drawn[cell]:
            table.add_row(cell, str(count), drawn[cell])
        else:
            closed += 1
    table.add_row(Text(f"{closed} more at zero", style="dim"), "", "")
    return table


def _jobs(snapshot: Snapshot, *, rows: int) -> Table:
    table = Table(box=None, padding=(0, 2))
    for heading in ("", "workflow", "job", "state", "instance"):
        table.add_column(heading, no_wrap=True)
    ended = sorted(
        (job for job in snapshot.jobs if job.status == "completed"), key=lambda job: job.completed_at or 0.0
    )
    running = [job for job in snapshot.jobs if job.status == "in_progress"]
    for job in (ended + running)[-rows:]:
        mark, style = _MARKS.get(job.conclusion or "", ("…", "cyan"))
        state = job.conclusion or job.status
        table.add_row(
            Text(mark, style=style),
            Text(job.workflow),
            Text(job.name),
            Text(state, style=style),
            (job.instance or "")[:12],
        )
    return table
