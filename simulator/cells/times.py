"""PURE: the protocol's times in a simulation, and how long single calls take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds; the defaults are those of the configuration (docs/reference/configuration.md).

    `between_ticks`: signals that come closer together share one tick. The real loop's is a fortieth of a second; this one
    keeps a simulated day short and adds at most so much to a wait. `between_ticks_of_others`: of processes that do not lead.
    """

    heartbeat: float = 20.0
    long_poll: float = 25.0
    settle: float = 80.0
    suspect: float = 60.0
    leader_ttl: float = 15.0
    leader_renewal: float = 5.0
    dying: float = 15.0
    listen_max: float = 300.0
    job_timeout: float = 6 * 3600.0
    max_lifetime: float = 6 * 3600.0
    sweep: float = 30.0
    cells: float = 5.0
    cells_idle: float = 30.0
    confirm: float = 1.0
    between_ticks: float = 0.25
    between_ticks_of_others: float = 0.25

    @property
    def idle_lease(self) -> float:
        """The longest a lease can live without a job: start, listening twice over."""
        return 30.0 + 2 * self.listen_max

    @property
    def lease(self) -> float:
        """From the start of a lease to its hard end: the job too, the stop ladder, five minutes."""
        return self.idle_lease + self.job_timeout + 10.0 + 300.0


DEFAULT_TIMES = Times()

# Of single calls; each far below what anything waits for.
CALL_SECONDS = 0.02
STORE_SECONDS = 0.02
JIT_SECONDS = 0.4

# How long an instance waits that was told to come back when registrations are left.
PAUSED_SECONDS = 5.0

# After which an unanswered call is given up.
CALL_TIMEOUT_SECONDS = 35.0
