"""Tells of leases that a witness other than their own instance has removed: what was lost, and by what.

What GitHub calls a job is asked beside the tick, so that a slow GitHub delays only the line.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol, Self

from cell_records.record import CellRecord, Lease
from github_api.errors import GitHubError
from scaler.cell_directory import Cell
from scaler.core.model import LeaseState
from scaler.instances import Instances
from scaler.lease_ends import LeaseEnded, LeaseOutcome, StopCause, outcome_of_silent
from scaler.registrar import Registrar

# What an instance says while it has no job. One that is dying names the job that it had.
_WITHOUT_JOB = (LeaseState.STARTING, LeaseState.LISTENING, LeaseState.DYING)


class Told(Protocol):
    """Who hears of leases that ended without a word of their own instance."""

    def removed(self, event: LeaseEnded) -> None:
        """A lease was removed by a witness that is not its own instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a lease stood. `count`: what Cloud Run has been told last, 0 where its worker pool is gone."""

    pool: str
    cell: str
    count: int | None

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """A cell as it was read."""
        return cls(pool=cell.pool, cell=cell.name, count=cell.worker_pool.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change of a record that was made."""

    before: CellRecord
    after: CellRecord

    @property
    def removed(self) -> set[str]:
        """Leases that left the record by it."""
        return {lease.id for lease in self.before.leases} - {lease.id for lease in self.after.leases}


class Removals:
    """Who is told, with what is known of the instance and of its job."""

    def __init__(self, told: Told, *, registrar: Registrar, instances: Instances, direct: bool) -> None:
        """`direct`: instances say nothing, so that silence means nothing."""
        self._told = told
        self._registrar = registrar
        self._instances = instances
        self._direct = direct
        self._telling: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Wait until everything has been told."""
        while self._telling:
            await asyncio.gather(*self._telling, return_exceptions=True)

    def tell_completed(
        self, place: Place, lease: Lease, *, conclusion: str | None, silent_seconds: float
    ) -> None:
        """Tell of a lease whose instance is silent and whose job GitHub calls completed."""
        outcome, cause = self._outcome(lease, conclusion)
        why = f"GitHub calls its job completed ({conclusion or 'no conclusion'})"
        if cause is not None:
            why += f"; its instance had been silent for {silent_seconds:.0f} s, so it was most likely cut off"
        event = self._event(place, lease, outcome=outcome, cause=cause, why=why)
        self._told.removed(replace(event, conclusion=conclusion))
        self._instances.forget(lease.id)

    def was_lost(self, lease: Lease, *, conclusion: str | None) -> bool:
        """Whether the job of a silent instance, which GitHub calls completed, was most likely cut off."""
        return self._outcome(lease, conclusion)[0] is LeaseOutcome.LOST

    def tell(self, place: Place, changed: Changed | None, *, witness: str) -> None:
        """Tell of the leases that a change has removed, if one was made."""
        if changed is None:
            return
        for lease in changed.before.leases:
            if lease.id in changed.removed:
                event = self._dead(place, lease, witness=witness)
                self._instances.forget(lease.id)
                task = asyncio.ensure_future(self._told_with_conclusion(event))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    def _outcome(self, lease: Lease, conclusion: str | None) -> tuple[LeaseOutcome, StopCause | None]:
        heard = self._instances.heard(lease.id)
        said_completed = self._direct or (heard is not None and heard.state is LeaseState.COMPLETED)
        return outcome_of_silent(conclusion, said_completed=said_completed)

    def _dead(self, place: Place, lease: Lease, *, witness: str) -> LeaseEnded:
        outcome, cause, why = LeaseOutcome.LOST, StopCause.EXTERNAL, witness
        if lease.dying_until is not None:
            outcome = LeaseOutcome.PREEMPTED
            # Where a lease stands the gate is open, so a zero there is not of our making.
            if place.count != 0:
                cause, why = StopCause.PREEMPTED, "its instance was preempted"
            else:
                why = "another hand has set its worker pool to zero"
        had_job = self._may_have_had_a_job(lease)
        return self._event(place, lease, outcome=outcome, cause=cause if had_job else None, why=why)

    def _may_have_had_a_job(self, lease: Lease) -> bool:
        """Whether a job is known, or nothing shows that there was none."""
        heard = self._instances.heard(lease.id)
        if lease.job_id is not None or (heard is not None and heard.job is not None):
            return True
        return heard is None or heard.state not in _WITHOUT_JOB

    async def _told_with_conclusion(self, event: LeaseEnded) -> None:
        conclusion = None
        if event.job_id is not None and event.repository is not None and event.runner is not None:
            try:
                completed = await self._registrar.completed_by(
                    event.repository, event.job_id, runner_name=event.runner
                )
            except GitHubError:
                completed = None  # the line says what is known; the job's page at GitHub says the rest
            conclusion = None if completed is None else completed.conclusion
        self._told.removed(replace(event, conclusion=conclusion))

    def _event(
        self, place: Place, lease: Lease, *, outcome: LeaseOutcome, cause: StopCause | None, why: str
    ) -> LeaseEnded:
        heard = self._instances.heard(lease.id)
        return LeaseEnded(
            pool=place.pool,
            cell=place.cell,
            lease=lease.id,
            outcome=outcome,
            cause=cause,
            why=why,
            runner=lease.runner_name,
            job=None if heard is None else heard.job,
            job_id=lease.job_id,
            repository=lease.repository,
        )
