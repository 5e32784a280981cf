"""PURE: which call may go now, so that no sixty seconds see more points than GitHub allows, and the urgent
ones go first.

Times are seconds on any one clock that never goes back. Nobody queues here: who may not go is told for how
long to wait, and whoever is more urgent always finds room that the others had to leave.
"""

from __future__ import annotations

from collections import deque
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
    CONFIRM = "second looks that a decision waits for"
    SWEEP = "everything else"


# Each leaves room for those before it: 50 points are ten registrations, and 150 are fifty looks of three reads.
_MOST_IN_ALL = {
    Urgency.CHANGE: POINTS_A_MINUTE,
    Urgency.NAMED: 850,
    Urgency.CONFIRM: 830,
    Urgency.SWEEP: 810,
}
# What those that can wait may use themselves. Without this bound they would live on whatever the urgent ones
# leave, and each of those would find only the little that is kept free.
_MOST_OF_THE_PATIENT = {Urgency.CONFIRM: 740, Urgency.SWEEP: 710}
# The same while somebody more urgent has found no room within the last minute: it comes again.
_MOST_WHILE_OTHERS_WAIT = 150
_EVENLY_SECONDS = 60.0 / _MOST_OF_THE_PATIENT[Urgency.SWEEP]


def points_of(method: str) -> int:
    """What a call costs."""
    return _POINTS_OF_A_READ if method in ("GET", "HEAD", "OPTIONS") else _POINTS_OF_A_CHANGE


class Points:
    """The points used within a sliding minute by one App in one process."""

    def __init__(self) -> None:
        self._used: deque[tuple[float, int, bool]] = deque()
        self._in_all = 0
        self._of_the_patient = 0
        self._patient_at = float("-inf")
        self._others_wait_until = float("-inf")
        self._evenly_until = float("-inf")

    def take(self, urgency: Urgency, points: int, *, now: float) -> float:
        """0.0 when the points are taken, so that the call must go now; else after how many seconds to ask
        again.
        """
        self._forget(now)
        patient = urgency in _MOST_OF_THE_PATIENT
        wait = self._until_room(points - _MOST_IN_ALL[urgency] + self._in_all, now, patient_only=False)
        if patient:
            wait = max(wait, self._patience(urgency, points, now))
        elif wait > 0.0:
            self._others_wait_until = now + WINDOW_SECONDS
        if wait > 0.0:
            return wait
        self._used.append((now, points, patient))
        self._in_all += points
        if patient:
            self._of_the_patient += points
            self._patient_at = now
        return 0.0

    def go_evenly(self, *, until: float) -> None:
        """Until then the patient go one by one, not as a crowd: after a pause that GitHub asked for."""
        self._evenly_until = max(self._evenly_until, until)

    def _patience(self, urgency: Urgency, points: int, now: float) -> float:
        most = _MOST_OF_THE_PATIENT[urgency]
        wait = self._until_room(points - most + self._of_the_patient, now, patient_only=True)
        if now < self._others_wait_until:
            held_back = points - _MOST_WHILE_OTHERS_WAIT + self._of_the_patient
            longer = self._until_room(held_back, now, patient_only=True)
            wait = max(wait, min(longer, self._others_wait_until - now))
        if now < self._evenly_until:
            wait = max(wait, self._patient_at + _EVENLY_SECONDS - now)
        return wait

    def _until_room(self, too_many: int, now: float, *, patient_only: bool) -> float:
        """After how many seconds so many points will have left the minute."""
        if too_many <= 0:
            return 0.0
        for at, points, patient in self._used:
            if patient or not patient_only:
                too_many -= points
                if too_many <= 0:
                    return at + WINDOW_SECONDS - now
        return WINDOW_SECONDS  # more than fits at all; never with the costs above

    def _forget(self, now: float) -> None:
        while self._used and self._used[0][0] <= now - WINDOW_SECONDS:
            _, points, patient = self._used.popleft()
            self._in_all -= points
            self._of_the_patient -= points * patient
