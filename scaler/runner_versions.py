"""Asks GitHub until when the runners of each pool get jobs: once a day, and again when one was refused.

GitHub serves a version for some 30 days after the next release. A pool is warned of in time, before its jobs wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cell_records.obstacles import Obstacle
from github_api.errors import GitHubError
from github_api.values import Runner, RunnerDeprecation
from scaler.core.model import CellSeen, LeaseState, Seen

DAY_SECONDS = 86_400.0

# After a question that came to nothing, or a runner that was refused.
AGAIN_SECONDS = 600.0

# GitHub knows the version of a runner once that has connected.
_CONNECTED = (LeaseState.LISTENING, LeaseState.RUNNING)


class Versions(Protocol):
    """What this module needs of GitHub."""

    async def runner(self, runner_id: int) -> Runner:
        """One registration."""

    async def runner_deprecation(self, version: str) -> RunnerDeprecation:
        """Until when a version is served."""


@dataclass(slots=True)
class _Known:
    asked_at: float = float("-inf")
    answered_at: float = float("-inf")
    version: str | None = None
    asking: asyncio.Task[None] | None = None

    def is_due(self, now: float, *, refused_at: float) -> bool:
        """Whether to ask now. `refused_at`: when GitHub last refused such a runner."""
        old = now >= self.answered_at + DAY_SECONDS or refused_at > self.answered_at
        return old and self.asking is None and now >= self.asked_at + AGAIN_SECONDS


class RunnerVersions:
    """What is known of each pool's runners."""

    def __init__(
        self,
        github: Versions,
        *,
        told: Callable[[str, RunnerDeprecation], None],
        clock: Callable[[], float],
    ) -> None:
        """`told(pool, until when)`: called with each answer. `clock`: seconds since the epoch."""
        self._github = github
        self._told = told
        self._clock = clock
        self._pools: dict[str, _Known] = {}

    def look(self, seen: Seen) -> None:
        """Ask about each pool whose time has come, beside the tick."""
        for pool in sorted({cell.pool for cell in seen.cells}):
            cells = [cell for cell in seen.cells if cell.pool == pool]
            known = self._pools.setdefault(pool, _Known())
            runner = _connected_runner(cells)
            somebody = runner is not None or known.version is not None
            if somebody and known.is_due(seen.at, refused_at=_refused_at(cells)):
                known.asked_at = seen.at
                known.asking = asyncio.ensure_future(self._ask(pool, known, runner))

    async def settle(self) -> None:
        """Wait until nothing is being asked."""
        while asking := [known.asking for known in self._pools.values() if known.asking is not None]:
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, pool: str, known: _Known, runner: int | None) -> None:
        try:
            if runner is not None:
                known.version = (await self._github.runner(runner)).version or known.version
            if known.version is not None:
                self._told(pool, await self._github.runner_deprecation(known.version))
                known.answered_at = self._clock()
        except GitHubError:
            return  # the runner may be gone already, or this GitHub does not know the question: asked again later
        finally:
            known.asking = None


def _connected_runner(cells: list[CellSeen]) -> int | None:
    leases = [lease for cell in cells for lease in cell.leases if lease.state in _CONNECTED]
    youngest = max(leases, key=lambda lease: lease.since, default=None)
    return None if youngest is None else youngest.runner_id


def _refused_at(cells: list[CellSeen]) -> float:
    """When GitHub last refused a runner of the pool for its version."""
    return max(
        (met.at for cell in cells for met in cell.obstacles if met.obstacle is Obstacle.RUNNER_DEPRECATED),
        default=0.0,
    )
