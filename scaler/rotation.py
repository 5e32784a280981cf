"""PURE: which repositories a sweep reads, when webhooks tell of most changes sooner than a sweep could.

A sweep is then the net under lost webhooks. Where the last look found something, or found nothing out, every
sweep looks again; a repository that was idle has its turn in every so many sweeps, spread evenly over them.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

# GitHub's points a minute (github_api.points) let 1,000 repositories be read in 2.4 minutes. With a third of the
# idle ones in each sweep a lost webhook is noticed as late as after three sweeps, and each costs less than half.
IDLE_EVERY_SWEEPS = 3


class Rotation:
    """Whose turn it is. Names that are not known yet, or were not found idle, are always due."""

    def __init__(self, idle_every_sweeps: int) -> None:
        """`idle_every_sweeps`: 1 reads every repository in each sweep."""
        self._every = idle_every_sweeps
        self._sweeps = 0
        self._places: dict[str, int] = {}
        self._next_place = count()
        self._idle: set[str] = set()
        self._named: set[str] = set()

    def looked(self, repository: str, *, idle: bool) -> None:
        """A look has ended; `idle`: it succeeded, and no run was queued or in progress."""
        if idle:
            self._idle.add(repository)
        else:
            self._idle.discard(repository)

    def named(self, repository: str) -> None:
        """A signal has named it: lists lag behind signals, so the next sweep reads it too."""
        self._named.add(repository)

    def next_sweep(self, repositories: Collection[str]) -> list[str]:
        """Those whose turn it is now, what needs a look most first; all others are forgotten."""
        self._places = {
            name: self._places[name] if name in self._places else next(self._next_place) % self._every
            for name in repositories
        }
        self._idle &= self._places.keys()
        turn, self._sweeps = self._sweeps % self._every, self._sweeps + 1
        urgent = [name for name in repositories if name not in self._idle or name in self._named]
        idle = [name for name, place in self._places.items() if place == turn]
        self._named.clear()
        return list(dict.fromkeys(urgent + idle))
