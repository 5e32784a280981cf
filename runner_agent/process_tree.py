"""Which processes live below us: the process table of /proc, read and judged. Sends nothing.

With us as child subreaper (or as PID 1) every process that was ever forked below us stays below us, however often
it forks or calls setsid: descent is the whole truth about "every process of the runner".
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

_WORKER = b"Runner.Worker"
"""GitHub's runner runs each job in a process of this name (src/Runner.Worker in github.com/actions/runner)."""
_GONE_STATES = frozenset({"Z", "X", "x"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One row of the table; `started` (clock ticks since boot) tells a process from a later one of the same pid."""

    pid: int
    parent: int
    state: str
    started: int

    @property
    def lives(self) -> bool:
        """Whether it can still act. A zombie cannot, unless only its first thread has ended; that one cannot be
        reaped either, by which `child` tells the two apart.
        """
        return self.state not in _GONE_STATES


def process_of(stat: str) -> Process:
    """A line of /proc/PID/stat. The name may hold spaces and brackets, so fields count from the last bracket.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    pid, _, rest = stat.partition(" (")
    fields = rest.rpartition(")")[2].split()
    return Process(pid=int(pid), parent=int(fields[1]), state=fields[0], started=int(fields[19]))


def descendants(processes: Iterable[Process], ancestor: int) -> list[Process]:
    """Every process below `ancestor`, parents before children."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [ancestor]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def read_process(pid: int) -> Process | None:
    """One process, or None if it has gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return process_of(file.read())
    except (OSError, ValueError, IndexError):
        return None


def all_below(ancestor: int) -> list[Process]:
    """Every process below `ancestor` at this moment, zombies included."""
    table = [process for pid in _pids() if (process := read_process(pid)) is not None]
    return descendants(table, ancestor)


def is_worker(process: Process) -> bool:
    """Whether this process runs a job of GitHub's runner."""
    try:
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            return _WORKER in file.read()
    except OSError:
        return False


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
