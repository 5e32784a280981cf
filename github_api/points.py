"""PURE: which call may go now, so that no sixty seconds see more points than GitHub allows, and the urgent
ones go first.

Times are seconds on any one clock that never goes back. Nobody queues here: who may not go is told for how
long to wait, and whoever is more urgent always finds room that the others had to leave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from enum import Enum

# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
# "No more than 900 points per minute are allowed for REST API endpoints"; a GET costs 1 point, a POST, PATCH,
# PUT or DELETE 5. A 304 is a GET like any other here: it spares the hourly limit only.
POINTS_A_MINUTE = 900
_POINTS_OF_A_READ = 1
_POINTS_OF_A_CHANGE = 5

# GitHub counts when a call arrives. One may be under way for a moment longer than another, so two more seconds
# than its sixty.
WINDOW_SECONDS = 62.0


class Urgency(Enum):
    """Who asks, most urgent first."""

    CHANGE = "registrations, removals and the App's own tokens"
    NAMED = "what a signal has named, and questions about one lease"
    AGAIN = "what a signal names again, a moment after it was read"
    CONFIRM = "second looks that a decision waits for"
    SWEEP = "everything else"


# What all together may have used for a call still to go. Each urgency leaves room for those before it: the last 50
# points are ten registrations.
_MOST_IN_ALL = {
    Urgency.CHANGE: POINTS_A_MINUTE,
    Urgency.NAMED: 850,
    Urgency.AGAIN: 840,
    Urgency.CONFIRM: 830,
    Urgency.SWEEP: 810,
}
# What those that can wait may use themselves. Without this bound they would live on whatever the urgent ones leave,
# and each of those would find only the little that is kept free.
_ALL = tuple(Urgency)
_PATIENT = (Urgency.CONFIRM, Urgency.SWEEP)
_MOST_OF_THE_PATIENT = {Urgency.CONFIRM: 740, Urgency.SWEEP: 710}
# The same while somebody more urgent has found no room within the last minute: it comes again.
_MOST_WHILE_OTHERS_WAIT = 150
_EVENLY_SECONDS = 60.0 / _MOST_OF_THE_PATIENT[Urgency.SWEEP]
# A few busy repositories with their crowds of signals could use up all that a quiet one needs when it is named once.
# Beyond so many points a minute their looks are spread; signals that come meanwhile share the next look.
_AGAIN_AT_ONCE = 640
_AGAIN_SPREAD_SECONDS = 0.25


def points_of(method: str) -> int:
    """What a call costs."""
    return _POINTS_OF_A_READ if method in ("GET", "HEAD", "OPTIONS") else _POINTS_OF_A_CHANGE


class Points:
    """The points used within a sliding minute by one App in one process."""

    def __init__(self) -> None:
        self._used: deque[tuple[float, int, Urgency]] = deque()
        self._sums = dict.fromkeys(Urgency, 0)
        self._last_at = dict.fromkeys(Urgency, float("-inf"))
        self._others_wait_until = float("-inf")
        self._evenly_until = float("-inf")

    def take(self, urgency: Urgency, points: int, *, now: float) -> float:
        """0.0 when the points are taken, so that the call must go now; else after how many seconds to ask
        again.
        """
        self._forget(now)
        wait = self._until_room(points, _MOST_IN_ALL[urgency], _ALL, now)
        if urgency in _PATIENT:
            wait = max(wait, self._patience(urgency, points, now))
        elif wait > 0.0:
            self._others_wait_until = now + WINDOW_SECONDS
        if urgency is Urgency.AGAIN and self._sums[urgency] + points > _AGAIN_AT_ONCE:
            wait = max(wait, self._last_at[urgency] + _AGAIN_SPREAD_SECONDS - now)
        if wait > 0.0:
            return wait
        self._used.append((now, points, urgency))
        self._sums[urgency] += points
        self._last_at[urgency] = now
        return 0.0

    def go_evenly(self, *, until: float) -> None:
        """Until then the patient go one by one, not as a crowd: after a pause that GitHub asked for."""
        self._evenly_until = max(self._evenly_until, until)

    def _patience(self, urgency: Urgency, points: int, now: float) -> float:
        wait = self._until_room(points, _MOST_OF_THE_PATIENT[urgency], _PATIENT, now)
        if now < self._others_wait_until:
            longer = self._until_room(points, _MOST_WHILE_OTHERS_WAIT, _PATIENT, now)
            wait = max(wait, min(longer, self._others_wait_until - now))
        if now < self._evenly_until:
            wait = max(wait, max(self._last_at[each] for each in _PATIENT) + _EVENLY_SECONDS - now)
        return wait

    def _until_room(self, points: int, most: int, of: Collection[Urgency], now: float) -> float:
        """After how many seconds those of these urgencies will have used so little that `points` more are not more
        than `most`.
        """
        too_many = points - most + sum(self._sums[each] for each in of)
        if too_many <= 0:
            return 0.0
        for at, used, urgency in self._used:
            if urgency in of:
                too_many -= used
                if too_many <= 0:
                    return at + WINDOW_SECONDS - now
        return WINDOW_SECONDS  # more than fits at all; never with the costs above

    def _forget(self, now: float) -> None:
        while self._used and self._used[0][0] <= now - WINDOW_SECONDS:
            _, points, urgency = self._used.popleft()
            self._sums[urgency] -= points
