"""Which processes descend from one: what the demo counts as "processes left". Reads /proc; signals nothing.

A child that outlives its parent is handed to the nearest ancestor that asked to be a subreaper. So a
process that calls `become_subreaper` before it starts anything finds everything that is left of it among
its own descendants, daemons included.
Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
"""

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the process table."""

    pid: int
    parent_pid: int
    zombie: bool
    started_ticks: int
    command: str


def become_subreaper() -> None:
    """Ask Linux to hand orphans among this process's descendants to this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def living_descendants(pid: int, *, proc: Path = Path("/proc")) -> tuple[Process, ...]:
    """Return every process below `pid` that still runs; zombies hold nothing, they do not count."""
    table = {process.pid: process for process in _processes(proc)}
    family = {pid}
    grown = True
    while grown:
        children = {process.pid for process in table.values() if process.parent_pid in family} - family
        family |= children
        grown = bool(children)
    return tuple(table[found] for found in sorted(family - {pid}) if not table[found].zombie)


def is_living(process: Process, *, proc: Path = Path("/proc")) -> bool:
    """Tell whether this very process still runs: same pid and same start, since pids are used again."""
    return any(
        found.pid == process.pid and found.started_ticks == process.started_ticks and not found.zombie
        for found in _processes(proc)
    )


def _processes(proc: Path) -> Iterator[Process]:
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended between the listing and the look
        name, _, rest = stat.rpartition(")")  # the name may itself hold parentheses and spaces
        fields = rest.split()  # from the third on: state, parent, …; the 22nd is when it started
        yield Process(
            pid=int(entry.name),
            parent_pid=int(fields[1]),
            zombie=fields[0] in "ZX",
            started_ticks=int(fields[19]),
            command=command or name.partition("(")[2],
        )
