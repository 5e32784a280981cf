"""Processes by kinship: the descendants of one, and the ones a job has left behind. Reads /proc."""

import contextlib
import os
import signal
from collections.abc import Iterator

TRACKING_VARIABLE = "RUNNER_TRACKING_ID"  # in the environment of every step; marks what a job has started


def descendants(root: int) -> list[int]:
    """Every living process below `root`, children before grandchildren. Empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        parent = _parent(pid)
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid in children.get(waiting.pop(0), ()):
            found.append(pid)
            waiting.append(pid)
    return found


def marked(tracking_id: str) -> list[tuple[int, str]]:
    """Living processes whose environment carries the mark: (process id, name)."""
    mark = f"{TRACKING_VARIABLE}={tracking_id}".encode()
    found: list[tuple[int, str]] = []
    for pid in _all():
        with contextlib.suppress(OSError):  # not ours to read, or gone meanwhile
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                found.append((pid, file.read().strip()))
    return found


def kill_tree(root: int) -> None:
    """SIGKILL for a process and everything below it."""
    for pid in [root, *descendants(root)]:
        kill(pid)


def kill(pid: int) -> None:
    """SIGKILL, to a process that may have gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _all() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                yield int(name)


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in brackets, may itself hold brackets and spaces; the parent is the second field after it.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
