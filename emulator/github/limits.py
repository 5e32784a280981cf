"""GitHub's rate limits. Pure: the time is an argument.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/actions/reference/limits (registrations of runners)
The secondary limits hold while the fault `secondary-limit` is on: `rest_faults`.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from emulator.github.refusals import RestRefusal

CORE: Final = "core"
REGISTRATION: Final = "actions_runner_registration"
EXCEEDED_DOCUMENTATION: Final = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
SECONDARY_WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    limit: int
    window_seconds: int


ALLOWANCES: Final[Mapping[str, Allowance]] = {
    CORE: Allowance(limit=5_000, window_seconds=3_600),
    REGISTRATION: Allowance(limit=1_500, window_seconds=300),
    "search": Allowance(limit=30, window_seconds=60),
}


class RateLimitRefusal(RestRefusal):
    """An allowance is used up until its window ends."""

    def __init__(self, message: str, reading: "Reading") -> None:
        super().__init__(403, message, documentation_url=EXCEEDED_DOCUMENTATION)
        self.reading = reading


class SecondaryRefusal(RestRefusal):
    """Too much at once; `retry_after_seconds` 0 leaves the client without an advice."""

    def __init__(self, status: int, *, retry_after_seconds: int) -> None:
        super().__init__(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            documentation_url=f"{EXCEEDED_DOCUMENTATION}#about-secondary-rate-limits",
        )
        self.headers = {"retry-after": str(retry_after_seconds)} if retry_after_seconds else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much of an allowance is left. `reset` is in whole seconds since the epoch."""

    resource: str
    limit: int
    used: int
    reset: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def ahead(self, seconds: float) -> Self:
        """As a clock shows it that is so far ahead."""
        return replace(self, reset=self.reset + int(seconds))

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": self.resource,
        }

    @property
    def body(self) -> dict[str, int]:
        return {"limit": self.limit, "remaining": self.remaining, "reset": self.reset, "used": self.used}


class Limits:
    """What each caller has used in its present window."""

    def __init__(self, allowances: Mapping[str, Allowance] = ALLOWANCES) -> None:
        self._allowances = allowances
        self._windows: dict[
            tuple[str, str], tuple[float, int]
        ] = {}  # caller and resource: window's end, used

    def reading(self, caller: str, resource: str, *, now: float) -> Reading:
        allowance = self._allowances[resource]
        end, used = self._windows.get((caller, resource), (0.0, 0))
        if now >= end:
            end, used = now + allowance.window_seconds, 0
        return Reading(resource=resource, limit=allowance.limit, used=used, reset=int(end))

    def refuse_exceeded(self, caller: str, resource: str, *, now: float) -> None:
        """Raise `RateLimitRefusal` when nothing is left."""
        reading = self.reading(caller, resource, now=now)
        if reading.remaining == 0:
            raise RateLimitRefusal(f"API rate limit exceeded for {caller}.", reading)

    def exhaust(self, caller: str, resource: str, *, until: float) -> None:
        """Nothing is left before `until`."""
        self._windows[caller, resource] = (until, self._allowances[resource].limit)

    def spend(self, caller: str, resource: str, *, now: float) -> Reading:
        """Count one request; what is left after it."""
        end, used = self._windows.get((caller, resource), (0.0, 0))
        if now >= end:
            end, used = now + self._allowances[resource].window_seconds, 0
        self._windows[caller, resource] = (end, used + 1)
        return self.reading(caller, resource, now=now)


class Points:
    """What each caller has spent in the last sixty seconds, in the points of the secondary limits."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def spent(self, caller: str, *, now: float) -> int:
        entries = self._spent[caller]
        while entries and entries[0][0] <= now - SECONDARY_WINDOW_SECONDS:
            entries.popleft()
        return sum(points for _, points in entries)

    def spend(self, caller: str, points: int, *, now: float) -> None:
        self._spent[caller].append((now, points))
