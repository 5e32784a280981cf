"""What GitHub calls a stopped job in the end. It needs some twenty seconds after a stop, and ten minutes after an instance
has vanished, so it is asked later than the lease has left.

Memory only: a restart loses the question, and the line of the lease's end has said all the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from github_api.errors import GitHubError
from scaler.lease_ends import LeaseEnded
from scaler.registrar import Registrar

# How long after the end of a lease GitHub is first asked, and how long after each question that came too early.
FIRST_SECONDS = 30.0
AGAIN_SECONDS = 60.0

# The lock of a job lasts ten minutes: https://github.com/actions/runner (JobDispatcher.cs). Twice that, and it is given up.
LAST_SECONDS = 1_200.0

# More stopped jobs than this at once are an incident of its own; the youngest are asked about.
PENDING_MOST = 256


@dataclass(slots=True, kw_only=True)
class _Pending:
    event: LeaseEnded
    ended_at: float
    due_at: float


class Conclusions:
    """Stopped jobs whose conclusion is waited for."""

    def __init__(
        self, registrar: Registrar, *, told: Callable[[LeaseEnded], None], clock: Callable[[], float]
    ) -> None:
        """`told`: called once for each job with its conclusion."""
        self._registrar = registrar
        self._told = told
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._asking: asyncio.Task[None] | None = None

    def wait_for(self, event: LeaseEnded) -> None:
        """Remember a stopped job that can be asked about and has no conclusion yet."""
        askable = event.job_id is not None and event.repository is not None and event.runner is not None
        if event.cause is None or event.conclusion is not None or not askable:
            return
        now = self._clock()
        self._pending[event.lease] = _Pending(event=event, ended_at=now, due_at=now + FIRST_SECONDS)
        while len(self._pending) > PENDING_MOST:
            del self._pending[next(iter(self._pending))]

    def look(self) -> None:
        """Ask about those whose time has come, one after the other, beside the tick."""
        now = self._clock()
        due = [each for each in self._pending.values() if now >= each.due_at]
        if due and self._asking is None:
            self._asking = asyncio.ensure_future(self._ask(due))

    async def settle(self) -> None:
        """Wait until nothing is being asked."""
        if self._asking is not None:
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self, due: list[_Pending]) -> None:
        try:
            for each in due:
                conclusion = await self._conclusion(each.event)
                each.due_at = self._clock() + AGAIN_SECONDS
                if conclusion is not None or self._clock() > each.ended_at + LAST_SECONDS:
                    self._pending.pop(each.event.lease, None)
                if conclusion is not None:
                    self._told(replace(each.event, conclusion=conclusion))
        finally:
            self._asking = None

    async def _conclusion(self, event: LeaseEnded) -> str | None:
        assert event.job_id is not None
        assert event.repository is not None
        assert event.runner is not None
        try:
            completed = await self._registrar.completed_by(
                event.repository, event.job_id, runner_name=event.runner
            )
        except GitHubError:
            return None
        return None if completed is None else completed.conclusion
