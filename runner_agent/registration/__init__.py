"""Where leases come from: the seam between the agent and the scaler (leased) or the records themselves (direct).

Every method blocks, may be called from several threads, and raises RefusedError or UnreachableError.
"""

from dataclasses import dataclass
from typing import Protocol

from runner_agent.contract import EndReply, Grant
from runner_agent.lifecycle.actions import EndLease, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """Who asks: one start of one instance of a cell."""

    cell: str
    instance: str
    boot: str


class Registration(Protocol):
    """How one boot gets its lease and gives it back."""

    def instance_id(self) -> str:
        """Which instance this is, by the platform's word."""

    def park(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> bool:
        """Wait for an offer; False if none came. An ask above an older one voids that one."""

    def start(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> Grant:
        """Take the lease."""

    def report(self, boot: Boot, report: Report) -> int | None:
        """Say what the runner does; how many jobs it could take now, None if unknown."""

    def end(self, boot: Boot, end: EndLease) -> EndReply:
        """Give the lease back. Repeating it changes nothing."""
