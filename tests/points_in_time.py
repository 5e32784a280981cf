"""Registrations and looks that want GitHub's points at the same time, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from github_api.points import Points, Urgency

# Whoever is told to wait for longer asks again meanwhile, as a signal or an instance would.
_ASKS_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """When which calls went, in seconds; `wanted_from`: when registrations were first wanted."""

    calls: Mapping[Urgency, list[float]]
    wanted_from: float

    def registrations(self, minute: int) -> int:
        """How many went in a minute since they were wanted, the first is 1."""
        since = self.wanted_from + 60.0 * (minute - 1)
        return sum(since <= at < since + 60.0 for at in self.calls[Urgency.CHANGE])

    def longest_pause(self, *, after: float = 0.0) -> float:
        """Between two registrations, from so many seconds on after they were first wanted."""
        begun = self.wanted_from + after
        times = [begun, *(at for at in self.calls[Urgency.CHANGE] if at > begun)]
        return max(later - at for at, later in pairwise(times))


def both_loads(
    looks: Mapping[Urgency, float], *, register_every: float, wanted_from: float = 0.0, minutes: int = 4
) -> Gone:
    """`looks`: after how many seconds each kind of look wants its next point; a registration is wanted every so many."""
    points = Points()
    every = {**looks, Urgency.CHANGE: register_every}
    due = {urgency: wanted_from if urgency is Urgency.CHANGE else 0.0 for urgency in every}
    calls: dict[Urgency, list[float]] = {urgency: [] for urgency in every}
    end = wanted_from + 60.0 * minutes
    while (now := min(due.values())) < end:
        urgency = min(due, key=lambda each: (due[each], each.name))
        wait = points.take(urgency, 5 if urgency is Urgency.CHANGE else 1, now=now)
        if wait > 0.0:
            due[urgency] = now + min(max(wait, 0.001), _ASKS_AGAIN_SECONDS)
        else:
            calls[urgency].append(now)
            due[urgency] = now + every[urgency]
    return Gone(calls=calls, wanted_from=wanted_from)
