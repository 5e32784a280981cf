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
# Beyond so many points a minute their looks are spread; signals that come meanwhile share the next look. While
# registrations are in full flow they are spread sooner and wider, as no more than 90 are left for them.
_AGAIN_AT_ONCE = 640
_AGAIN_AT_ONCE_BESIDE_FULL_FLOW = 40
_AGAIN_SPREAD_SECONDS = 0.25
_AGAIN_SPREAD_SECONDS_BESIDE_FULL_FLOW = 0.7

# 150 registrations a minute are promised (scaler.registrar), and no look may take their points. How many will be wanted
# is told by the last seconds: as many go on to come. Nobody else lives on them, so while nobody registers nothing is kept.
_FULL_FLOW = 750
_FLOW_SECONDS = 5.0
# What those that a signal has named may have beside any flow: some thirty quiet repositories a minute. With the 90 that
# full flow leaves to AGAIN these are all of the 900.
_NAMED_ANYWAY = 60
# Who waits for points that are kept asks again soon: the registrations may have ended.
_ASK_AGAIN_SECONDS = 2.0


def points_of(method: str) -> int:
    """What a call costs."""
    return _POINTS_OF_A_READ if method in ("GET", "HEAD", "OPTIONS") else _POINTS_OF_A_CHANGE


class Points:
    """The points used within a sliding minute by one App in one process."""

    def __init__(self) -> None:
        self._used: deque[tuple[float, int, Urgency]] = deque()
        self._sums = dict.fromkeys(Urgency, 0)
        self._last_at = dict.fromkeys(Urgency, float("-inf"))
        self._changes: deque[tuple[float, int]] = deque()
        self._changes_wait_until = float("-inf")
        self._others_wait_until = float("-inf")
        self._evenly_until = float("-inf")

    def take(self, urgency: Urgency, points: int, *, now: float) -> float:
        """0.0 when the points are taken, so that the call must go now; else after how many seconds to ask
        again.
        """
        self._forget(now)
        wait = self._until_room(points, _MOST_IN_ALL[urgency], _ALL, now)
        flow = 0
        if urgency is Urgency.CHANGE:
            if wait > 0.0:
                self._changes_wait_until = now + WINDOW_SECONDS
        else:
            flow = self._flow(now)
            wait = max(wait, self._beside_flow(urgency, points, flow, now))
        if urgency in _PATIENT:
            wait = max(wait, self._patience(urgency, points, now))
        elif wait > 0.0:
            self._others_wait_until = now + WINDOW_SECONDS
        if urgency is Urgency.AGAIN:
            wait = max(wait, self._spread(points, flow, now))
        if wait > 0.0:
            return wait
        self._used.append((now, points, urgency))
        self._sums[urgency] += points
        self._last_at[urgency] = now
        if urgency is Urgency.CHANGE:
            self._changes.append((now, points))
        return 0.0

    def go_evenly(self, *, until: float) -> None:
        """Until then the patient go one by one, not as a crowd: after a pause that GitHub asked for."""
        self._evenly_until = max(self._evenly_until, until)

    def _flow(self, now: float) -> int:
        """How many points a minute registrations ask for now, as far as they are promised."""
        while self._changes and self._changes[0][0] <= now - _FLOW_SECONDS:
            self._changes.popleft()
        if now < self._changes_wait_until:
            return _FULL_FLOW
        lately = sum(points for _, points in self._changes)
        return min(_FULL_FLOW, int(lately * WINDOW_SECONDS / _FLOW_SECONDS))

    def _beside_flow(self, urgency: Urgency, points: int, flow: int, now: float) -> float:
        """How long to leave alone what registrations have not used yet of the points that they ask for."""
        kept = max(0, flow - self._sums[Urgency.CHANGE])
        if kept == 0 or (urgency is Urgency.NAMED and self._sums[urgency] + points <= _NAMED_ANYWAY):
            return 0.0
        return min(_ASK_AGAIN_SECONDS, self._until_room(points, _MOST_IN_ALL[urgency] - kept, _ALL, now))

    def _spread(self, points: int, flow: int, now: float) -> float:
        full = flow / _FULL_FLOW
        at_once = _AGAIN_AT_ONCE + full * (_AGAIN_AT_ONCE_BESIDE_FULL_FLOW - _AGAIN_AT_ONCE)
        if self._sums[Urgency.AGAIN] + points <= at_once:
            return 0.0
        seconds = _AGAIN_SPREAD_SECONDS + full * (
            _AGAIN_SPREAD_SECONDS_BESIDE_FULL_FLOW - _AGAIN_SPREAD_SECONDS
        )
        return self._last_at[Urgency.AGAIN] + seconds - now

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
