"""What the faults do to a REST call before and after it is answered. Pure: decides and refuses; the gateway obeys.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
"""

from dataclasses import dataclass, field
from typing import Final

from emulator.github.accounts import Accounts
from emulator.github.faults import Fault, GitHubFaults
from emulator.github.limits import CORE, Limits, Points, SecondaryRefusal
from emulator.github.refusals import RestRefusal

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
READ_POINTS: Final = 1
WRITE_POINTS: Final = 5


@dataclass(slots=True, kw_only=True)
class RestFaults:
    """Asked once at each of the stations of a call, in this order."""

    faults: GitHubFaults
    limits: Limits
    accounts: Accounts
    _points: Points = field(default_factory=Points)

    def refuse_broken(self) -> None:
        """Raises `RestRefusal` 502 or 503, and nothing is done."""
        if self.faults.strike(Fault.ERROR_5XX):
            status = self.faults.chance.choice((502, 503))
            raise RestRefusal(status, "Server Error" if status == 502 else "Service unavailable")

    def clock_ahead_seconds(self) -> float:
        """How far GitHub's clock is ahead at this call."""
        numbers = self.faults.numbers(Fault.CLOCK_SKEW)
        if numbers is None:
            return 0.0
        self.faults.count(Fault.CLOCK_SKEW)
        return numbers["seconds_ahead"]

    def revoke_tokens(self) -> None:
        """Perhaps every token issued before now is worth nothing any longer."""
        if self.faults.strike(Fault.TOKENS_REVOKED):
            self.accounts.revoke_tokens()

    def refuse_limited(self, caller: str, method: str, *, at_once: int, now: float) -> None:
        """Raises `SecondaryRefusal`; may use up the hourly allowance. `at_once` counts open calls, this one too."""
        if numbers := self.faults.strike(Fault.SECONDARY_REFUSAL):
            chance = self.faults.chance
            status = 403 if chance.random() < numbers["forbidden_share"] else 429
            advised = chance.random() < numbers["header_share"]
            raise SecondaryRefusal(
                status, retry_after_seconds=int(numbers["retry_after_seconds"]) if advised else 0
            )
        self._hold_secondary_limit(caller, method, at_once=at_once, now=now)
        if self.limits.reading(caller, CORE, now=now).remaining and (
            numbers := self.faults.strike(Fault.PRIMARY_LIMIT)
        ):
            self.limits.exhaust(caller, CORE, until=now + numbers["seconds"])

    def _hold_secondary_limit(self, caller: str, method: str, *, at_once: int, now: float) -> None:
        numbers = self.faults.numbers(Fault.SECONDARY_LIMIT)
        if numbers is None:
            return
        points = READ_POINTS if method in READS else WRITE_POINTS
        too_many = self._points.spent(caller, now=now) + points > numbers["points_per_minute"]
        if too_many or at_once > numbers["concurrent"]:
            self.faults.count(Fault.SECONDARY_LIMIT)
            raise SecondaryRefusal(403, retry_after_seconds=int(numbers["retry_after_seconds"]))
        self._points.spend(caller, points, now=now)

    def loses_reply(self, method: str, status: int) -> bool:
        """Whether the reply of a call that has changed something never arrives."""
        changed = method not in READS and status < 400
        return changed and self.faults.strike(Fault.REPLY_LOST) is not None

    def hold_seconds(self) -> float:
        """How long the reply is held back."""
        numbers = self.faults.strike(Fault.SLOW)
        return numbers["seconds"] if numbers else 0.0
