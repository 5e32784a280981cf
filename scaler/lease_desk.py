"""Answers instances: parks them, gives leases, hears what happens, takes leases back. Any scaler process may
do it at any time.

A lease lives from its compare-and-set on; the registration is made after it. Nothing here ever tells an
instance to touch a runner.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cell_records.obstacles import Obstacle, obstacle_met
from cell_records.record import (
    CellRecord,
    Gate,
    Lease,
    Outcome,
    Refusal,
    Refused,
    dying,
    ended,
    leased,
    orphaned,
    registered,
    registration_refused,
    voided,
)
from github_api.errors import Conflict, GitHubError
from github_api.secret import Secret
from scaler.core.model import LeaseState
from scaler.instances import Instances
from scaler.lease_ends import LeaseEnded, LeaseOutcome, obstacle, stop_cause, was_lost
from scaler.records import Records
from scaler.refusals import BootRetired, LeaseRefused, RecordMissing, UnknownLease
from scaler.registrar import Registrar, RunnerShape, new_runner_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every lease of a pool is given under, in seconds."""

    pool: str
    shape: RunnerShape
    listen_max_seconds: float
    job_timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCell:
    """A cell as this process last saw it. `room`: how many instances it may have, and so leases."""

    name: str
    uid: str
    terms: Terms
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTimes:
    """The protocol's times that this side of it uses, in seconds."""

    heartbeat: float
    long_poll: float
    reply_within: float
    stop_ladder: float
    hard_end_margin: float
    dying: float
    suspect: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a parked instance says. `uptime_seconds`: the age of its boot."""

    cell: str
    boot: str
    ask: int
    uptime_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A lease with its single-use registration."""

    lease: str
    runner_id: int
    runner_name: str
    configuration: Secret
    heartbeat_seconds: float
    listen_max_seconds: float
    job_timeout_seconds: float
    hard_end_in_seconds: float


class EndReply(Enum):
    """What an instance does after its lease has ended."""

    EXIT = "exit"
    HOLD = "hold"


class Mind(Protocol):
    """What the desk asks the deciding side, and tells it."""

    def closes_when_empty(self, cell: str) -> bool:
        """Whether the end of its last lease may close this cell."""

    def queued_for(self, pool: str) -> int | None:
        """How many queued jobs the last reading showed for a pool; None before the first."""

    def is_short(self, pool: str) -> bool:
        """Whether the last decision left jobs of a pool that nothing covers."""

    def nudge(self) -> None:
        """Look again now."""

    def ended(self, event: LeaseEnded) -> None:
        """Count a lease that has ended."""


class LeaseDesk:
    """The four calls of the lease protocol, without HTTP."""

    def __init__(
        self,
        *,
        records: Records,
        instances: Instances,
        registrar: Registrar,
        mind: Mind,
        times: DeskTimes,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: seconds since the epoch, as in the records."""
        self._records = records
        self._instances = instances
        self._registrar = registrar
        self._mind = mind
        self._times = times
        self._clock = clock

    async def park(self, cell: KnownCell, ask: Ask) -> bool:
        """Keep an instance parked; True when it is offered a lease.

        Raises BootRetired, RecordMissing, and what the records raise.
        """
        record = await self._record(cell)
        older = record.lease_of(ask.boot)
        voids = older is not None and older.ask < ask.ask
        if older is not None and voids:
            await self._change(
                cell, lambda it: voided(it, boot=ask.boot, ask=ask.ask, now=self._clock()), ask=ask
            )
            self._instances.forget(older.id)
        elif ask.boot in record.ended_boots or not self._clock() - ask.uptime_seconds > record.zeroed_at:
            raise BootRetired(cell=cell.name)
        if (
            voids
            or self._mind.is_short(cell.terms.pool)
            or self._instances.poll_is_news(cell=cell.name, boot=ask.boot)
        ):
            # Not for every poll: a thousand instances that go on waiting would have it tick all the time.
            self._mind.nudge()
        return await self._instances.poll(cell=cell.name, boot=ask.boot, seconds=self._times.long_poll)

    async def start(self, cell: KnownCell, ask: Ask) -> Granted:
        """Give a lease: first into the record, then a registration for it.

        Raises LeaseRefused, BootRetired, RegistrationsPaused, GitHubError, RecordMissing, and what the
        records raise. Whatever is raised after the lease stands, the boot's next ask voids it.
        """
        self._registrar.require_budget()
        now, terms, times = self._clock(), cell.terms, self._times
        # An agent that knows of no queued job listens once, otherwise up to twice.
        lasts = times.reply_within + 2 * terms.listen_max_seconds + terms.job_timeout_seconds
        lasts += times.stop_ladder + times.hard_end_margin
        lease = Lease(
            id=secrets.token_hex(12),
            boot=ask.boot,
            ask=ask.ask,
            runner_name=new_runner_name(terms.pool, cell.name),
            started_at=now,
            hard_end=now + lasts,
        )
        try:
            await self._change(
                cell,
                lambda it: leased(
                    it,
                    lease,
                    # Said when the ask was sent, which its boot still waits for; so it may be that much older by now.
                    uptime_seconds=ask.uptime_seconds + times.reply_within,
                    room=cell.room + self._silent_leases(it),
                    now=self._clock(),
                ),
                ask=ask,
            )
        except LeaseRefused:
            # Its offer is used up; the instance parks again.
            self._instances.left(cell.name, ask.boot)
            raise
        self._instances.hear(lease=lease.id, cell=cell.name, state=LeaseState.STARTING, seq=0, job=None)
        self._instances.left(cell.name, ask.boot)
        try:
            runner_id, configuration = await self._registrar.register(terms.shape, name=lease.runner_name)
        except GitHubError as error:
            if not error.may_retry and not isinstance(error, Conflict):
                await self._note_refusal(cell, lease, error)
            raise
        try:
            await self._change(
                cell, lambda it: registered(it, lease_id=lease.id, runner_id=runner_id), ask=ask
            )
        except UnknownLease:
            # A higher ask of the boot was quicker, and may have had the name cleared before it was taken.
            await self._change(
                cell,
                lambda it: orphaned(
                    it, runner_name=lease.runner_name, runner_id=runner_id, now=self._clock()
                ),
            )
            raise
        self._mind.nudge()
        return Granted(
            lease=lease.id,
            runner_id=runner_id,
            runner_name=lease.runner_name,
            configuration=configuration,
            heartbeat_seconds=times.heartbeat,
            listen_max_seconds=terms.listen_max_seconds,
            job_timeout_seconds=terms.job_timeout_seconds,
            hard_end_in_seconds=lasts,
        )

    async def event(
        self, cell: KnownCell, lease: str, *, boot: str, seq: int, state: LeaseState, job: str | None
    ) -> int | None:
        """Hear what happens to a lease; gives how many queued jobs its pool has, as far as known.

        Raises UnknownLease, RecordMissing, and what the records raise.
        """
        record = await self._record(cell)
        standing = record.lease(lease)
        if standing is None or standing.boot != boot:
            raise UnknownLease(lease=lease)
        was_silent = self._instances.silence(lease) > self._times.suspect
        news = self._instances.hear(lease=lease, cell=cell.name, state=state, seq=seq, job=job)
        if state is LeaseState.DYING:
            # Also when it was heard before: the first time the record may not have been reached.
            until = self._clock() + self._times.dying
            await self._change(cell, lambda it: dying(it, lease_id=lease, boot=boot, until=until))
        if news or was_silent:
            self._mind.nudge()
        return self._mind.queued_for(cell.terms.pool)

    async def end(
        self,
        cell: KnownCell,
        lease: str,
        *,
        boot: str,
        outcome: LeaseOutcome,
        cause: str,
        job: str | None,
        result: str | None = None,
        word: str | None = None,
    ) -> EndReply:
        """Take a lease back; the same answer however often it is said, but for a cell that has begun to
        close or is held or released meanwhile.

        Raises UnknownLease, RecordMissing, and what the records raise.
        """
        stood = (await self._record(cell)).lease(lease)
        kept_from_job = obstacle(outcome, word)
        record = await self._change(
            cell,
            lambda it: ended(
                it,
                lease_id=lease,
                boot=boot,
                close=self._mind.closes_when_empty(cell.name),
                job_served=outcome is LeaseOutcome.FINISHED,
                now=self._clock(),
                had_job=outcome in (LeaseOutcome.TIMED_OUT, LeaseOutcome.LOST),
                lost=was_lost(outcome, word),
                met=None
                if kept_from_job is None
                else obstacle_met(lease, kept_from_job, at=self._clock(), words=cause),
            ),
        )
        self._instances.forget(lease)
        if stood is not None:
            self._mind.ended(
                LeaseEnded(
                    pool=cell.terms.pool,
                    cell=cell.name,
                    lease=lease,
                    outcome=outcome,
                    why=cause,
                    cause=stop_cause(outcome, word=word, job=job),
                    runner=stood.runner_name,
                    job=job,
                    job_id=stood.job_id,
                    repository=stood.repository,
                    result=result,
                )
            )
            self._mind.nudge()
        return EndReply.HOLD if record.gate is Gate.CLOSED or record.hold else EndReply.EXIT

    async def _note_refusal(self, cell: KnownCell, lease: Lease, error: GitHubError) -> None:
        """Asking again at once would only be refused again; the decision holds the pool back."""
        met = obstacle_met(lease.id, Obstacle.REGISTRATION_REFUSED, at=self._clock(), words=str(error))
        await self._change(cell, lambda it: registration_refused(it, met))

    def _silent_leases(self, record: CellRecord) -> int:
        """How many leases of a cell may have outlived their instance; the fresh one in its place shall serve."""
        return sum(self._instances.silence(lease.id) > self._times.suspect for lease in record.leases)

    async def _record(self, cell: KnownCell) -> CellRecord:
        record = await self._records.cell(cell.name)
        if record is None or record.uid != cell.uid:
            raise RecordMissing(cell=cell.name)
        return record

    async def _change(
        self, cell: KnownCell, transition: Callable[[CellRecord], Outcome], *, ask: Ask | None = None
    ) -> CellRecord:
        outcome = await self._records.change(cell.name, transition, uid=cell.uid)
        if not isinstance(outcome, Refused):
            return outcome
        match outcome.reason:
            case Refusal.UNKNOWN_LEASE | Refusal.NOT_THE_WITNESS:
                raise UnknownLease(lease="" if ask is None else f"of boot {ask.boot[:8]}")
            case Refusal.BOOT_RETIRED:
                if ask is not None:
                    self._instances.left(cell.name, ask.boot)
                raise BootRetired(cell=cell.name)
            case Refusal.NO_RECORD | Refusal.FOREIGN:
                raise RecordMissing(cell=cell.name)
            case _:
                raise LeaseRefused(cell=cell.name, reason=outcome.reason)
