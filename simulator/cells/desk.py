"""PURE: what one scaler process hears from instances and answers them: the lease protocol's four calls, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cell_records.record import (
    CellRecord,
    Gate,
    Lease,
    Refusal,
    Refused,
    dying,
    ended,
    leased,
    registered,
    voided,
)
from runner_agent.contract import EndReply, Grant, Outcome, ReportState
from runner_agent.lifecycle.actions import EndLease, Report
from scaler.budget import MinuteBudget
from scaler.core.model import LeaseState
from scaler.instances import OFFER_SECONDS, LeaseHeard
from simulator.cells.agent import Agent, AskRefused, Lost
from simulator.cells.github import ModelGitHub
from simulator.cells.store import ModelStore
from simulator.cells.times import (
    CALL_SECONDS,
    JIT_SECONDS,
    PAUSED_SECONDS,
    STORE_SECONDS,
    Times,
)
from simulator.virtual_time import VirtualTime

SAID = {
    ReportState.STARTING: LeaseState.STARTING,
    ReportState.LISTENING: LeaseState.LISTENING,
    ReportState.RUNNING: LeaseState.RUNNING,
    ReportState.COMPLETED: LeaseState.COMPLETED,
    ReportState.PREEMPTED: LeaseState.DYING,
}

END = "end the lease"
"""The step that may close the gate behind a last lease."""


class Mind(Protocol):
    """The deciding side of the same process."""

    alive: bool

    def nudge(self) -> None:
        """Tick soon."""

    def heard_in(self, cell: str) -> None:
        """Something about a cell has changed that a decision sees."""

    def room(self, cell: str) -> int:
        """How many leases a cell may hold."""

    def closes_when_empty(self, cell: str) -> bool:
        """Whether the end of its last lease may close it."""

    def queued_now(self) -> int | None:
        """How many jobs the last decision saw waiting."""

    def is_short(self) -> bool:
        """Whether the last decision left jobs that nothing covers."""


@dataclass(slots=True)
class _Parked:
    boot: str
    ask: int
    answer: Callable[[bool | AskRefused | Lost], None] | None
    since: float
    poll: int
    offered_at: float | None = None


class Desk:
    """Parked instances, open offers and heard leases of one process; all of it is lost with the process."""

    def __init__(
        self,
        *,
        time: VirtualTime,
        times: Times,
        store: ModelStore,
        github: ModelGitHub,
        mind: Mind,
        registrations: MinuteBudget,
        stumble: Callable[[str, Callable[[], None]], None],
    ) -> None:
        """`stumble(step, go_on)`: where a fault may strike between two steps."""
        self._time = time
        self._times = times
        self._store = store
        self._github = github
        self._mind = mind
        self._stumble = stumble
        self._parked: dict[str, dict[str, _Parked]] = {}
        self._offers: dict[tuple[str, str], float] = {}
        self._begun_at = time.now
        self.asked_at: dict[str, float] = {}
        self.registrations = registrations
        self.heard: dict[str, LeaseHeard] = {}

    # What the decision sees and does.

    def present(self, cell: str) -> tuple[int, int]:
        """How many instances of a cell are parked, and how many of them have an open offer."""
        boots = self._parked.get(cell)
        if not boots:
            return 0, 0
        return len(boots), sum(each.offered_at is not None for each in boots.values())

    def forget_silent(self) -> None:
        """Offers that nobody took up count no longer."""
        for (cell, boot), at in list(self._offers.items()):
            if self._time.now >= at + OFFER_SECONDS:
                self._forget(cell, boot)

    def offer(self, cell: str, leases: int) -> None:
        """Offer leases to the longest parked."""
        waiting = [each for each in self._parked.get(cell, {}).values() if each.answer is not None]
        for each in sorted(waiting, key=lambda parked: parked.since)[:leases]:
            assert each.answer is not None
            answer, each.answer, each.offered_at = each.answer, None, self._time.now
            self._offers[cell, each.boot] = self._time.now
            self._time.after(CALL_SECONDS, partial(answer, True))
        self._mind.heard_in(cell)

    def silence(self, lease: str) -> float:
        """For how long this process has not heard of a lease."""
        heard = self.heard.get(lease)
        return self._time.now - (self._begun_at if heard is None else max(heard.heard_at, self._begun_at))

    def may_ask_about(self, lease: str) -> bool:
        """Whether GitHub is asked about the job of a lease: after so much silence, and again after as much."""
        asked_at, suspect = self.asked_at.get(lease, float("-inf")), self._times.suspect
        return self.silence(lease) > suspect and self._time.now >= asked_at + suspect

    def hang_up(self) -> None:
        """The process dies: every open call breaks."""
        for boots in self._parked.values():
            for each in boots.values():
                if each.answer is not None:
                    answer, each.answer = each.answer, None
                    self._time.after(CALL_SECONDS, partial(answer, Lost()))
        self._parked.clear()
        self._offers.clear()

    # The four calls.

    def park(self, agent: Agent, ask: int, answer: Callable[[bool | AskRefused | Lost], None]) -> None:
        """See ScalerDoor."""
        cell, boot, now = agent.instance.cell, agent.boot, self._time.now
        record = self._store.cells[cell]
        older = record.lease_of(boot)
        if older is not None and older.ask < ask:
            self._store.change(cell, lambda it: voided(it, boot=boot, ask=ask, now=now))
            self.heard.pop(older.id, None)
        elif boot in record.ended_boots or not agent.instance.born > record.zeroed_at:
            self._forget(cell, boot)
            answer(AskRefused(retired=True))
            return
        boots = self._parked.setdefault(cell, {})
        known = boots.get(boot)
        self._offers.pop((cell, boot), None)
        parked = _Parked(
            boot=boot,
            ask=ask,
            answer=answer,
            since=now if known is None else known.since,
            poll=next(self._store.numbers),
        )
        boots[boot] = parked
        if known is None or known.offered_at is not None or self._mind.is_short():
            self._mind.heard_in(cell)
            self._mind.nudge()
        self._time.after(self._times.long_poll, partial(self._poll_over, cell, boot, parked.poll))

    def start(self, agent: Agent, ask: int, answer: Callable[[Grant | AskRefused | Lost], None]) -> None:
        """See ScalerDoor."""
        if self.registrations.left(self._time.now) <= 0:
            answer(AskRefused(retry_after=PAUSED_SECONDS))
            return
        self._time.after(
            STORE_SECONDS,
            lambda: self._stumble("leasing: before the lease", lambda: self._lease(agent, ask, answer)),
        )

    def event(self, agent: Agent, report: Report, answer: Callable[[int | Lost | None], None]) -> None:
        """See ScalerDoor."""
        cell, now, state = agent.instance.cell, self._time.now, SAID[report.state]
        if self._store.cells[cell].lease(report.lease) is not None:
            before = self.heard.get(report.lease)
            if before is not None and before.state is state:
                self.heard[report.lease] = LeaseHeard(
                    cell=cell, state=state, since=before.since, heard_at=now, seq=report.seq
                )
            else:
                self.heard[report.lease] = LeaseHeard(
                    cell=cell, state=state, since=now, heard_at=now, seq=report.seq
                )
                self._mind.heard_in(cell)
                if state is LeaseState.DYING:
                    until = now + self._times.dying
                    self._store.change(
                        cell, lambda it: dying(it, lease_id=report.lease, boot=agent.boot, until=until)
                    )
                    self._mind.nudge()
        answer(self._mind.queued_now())

    def end(self, agent: Agent, end: EndLease, answer: Callable[[EndReply | Lost], None]) -> None:
        """See ScalerDoor."""
        self._time.after(
            STORE_SECONDS,
            lambda: self._stumble(f"ending: before {END}", lambda: self._end(agent, end, answer)),
        )

    def _poll_over(self, cell: str, boot: str, poll: int) -> None:
        parked = self._parked.get(cell, {}).get(boot)
        if parked is not None and parked.poll == poll and parked.answer is not None:
            answer, parked.answer = parked.answer, None
            answer(False)

    def gone(self, cell: str, boot: str) -> None:
        """The connection of a parked instance is closed."""
        parked = self._parked.get(cell, {}).get(boot)
        if parked is not None:
            self._forget(cell, boot)

    def _forget(self, cell: str, boot: str) -> None:
        self._offers.pop((cell, boot), None)
        if self._parked.get(cell, {}).pop(boot, None) is not None:
            self._mind.heard_in(cell)

    def _lease(self, agent: Agent, ask: int, answer: Callable[[Grant | AskRefused | Lost], None]) -> None:
        cell, now = agent.instance.cell, self._time.now
        number = next(self._store.numbers)
        lease = Lease(
            id=f"lease-{number}",
            boot=agent.boot,
            ask=ask,
            runner_name=f"runner-{number}",
            started_at=now,
            hard_end=now + self._times.lease,
        )
        uptime = now - agent.instance.born
        silent = sum(self.silence(each.id) > self._times.suspect for each in self._store.cells[cell].leases)
        room = self._mind.room(cell) + silent
        outcome = self._store.change(
            cell, lambda it: leased(it, lease, uptime_seconds=uptime, room=room, now=now)
        )
        if isinstance(outcome, Refused):
            retired = outcome.reason is Refusal.BOOT_RETIRED
            if retired:
                self._forget(cell, agent.boot)
            answer(AskRefused(retired=retired))
            return
        self.heard[lease.id] = LeaseHeard(cell=cell, state=LeaseState.STARTING, since=now, heard_at=now)
        self._forget(cell, agent.boot)
        self.registrations.use(now)
        self._time.after(
            JIT_SECONDS,
            lambda: self._stumble(
                "leasing: before the registration is noted", lambda: self._grant(agent, lease, answer)
            ),
        )

    def _grant(self, agent: Agent, lease: Lease, answer: Callable[[Grant | AskRefused | Lost], None]) -> None:
        cell, runner = agent.instance.cell, self._github.register()
        noted = self._store.change(cell, lambda it: registered(it, lease_id=lease.id, runner_id=runner))
        if isinstance(noted, Refused):
            answer(AskRefused())
            return
        self._mind.heard_in(cell)
        answer(
            Grant(
                lease=lease.id,
                runner_id=runner,
                runner_name=lease.runner_name,
                encoded_jit_config="",
                heartbeat_seconds=self._times.heartbeat,
                listen_max_seconds=self._times.listen_max,
                job_timeout_seconds=self._times.job_timeout,
                hard_end_in_seconds=self._times.lease,
            )
        )

    def _end(self, agent: Agent, end: EndLease, answer: Callable[[EndReply | Lost], None]) -> None:
        cell, now = agent.instance.cell, self._time.now
        close = self._mind.closes_when_empty(cell)
        outcome = self._store.change(
            cell,
            lambda it: ended(
                it,
                lease_id=end.lease,
                boot=agent.boot,
                close=close,
                job_served=end.outcome is Outcome.FINISHED,
                had_job=end.job is not None,
                now=now,
            ),
        )
        if isinstance(outcome, Refused):
            answer(EndReply.UNKNOWN_LEASE)
            return
        if self.heard.pop(end.lease, None) is not None:
            self._mind.heard_in(cell)
            self._mind.nudge()
        self._stumble(f"ending: after {END}", lambda: answer(_reply(outcome)))


def _reply(record: CellRecord) -> EndReply:
    return EndReply.HOLD if record.gate is Gate.CLOSED else EndReply.EXIT
