"""PURE: performs the protocol's steps on cells for one scaler process: each takes time, and may be its last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from random import Random
from typing import Any, Protocol, cast

from cell_records.record import CellRecord, CellState, Outcome
from scaler.budget import MinuteBudget
from scaler.core.cell_steps import Change, FollowUp, LeaveAlone, Look, Request, SetCount, Steps, lowers
from simulator.cells.cloud import Answer, ModelCloud, PoolReading
from simulator.cells.store import ModelStore
from simulator.cells.times import CALL_TIMEOUT_SECONDS, STORE_SECONDS
from simulator.cells.weather import Weather
from simulator.virtual_time import VirtualTime

# As in scaler/cell_writer.py: how long a cell rests after a write that failed.
RESTS = {Answer.THROTTLED: 20.0, Answer.NO_CAPACITY: 60.0}
UNANSWERED_REST_SECONDS = 5.0
FOLLOW_SECONDS = 120.0

# How much later a change is known whose reply was lost: it is read again, and known by its nonce.
READ_AGAIN_SECONDS = 1.0

NO_ANSWER = "no answer"


class Kind(Enum):
    """Which sequence of the protocol a step belongs to. Lowering goes on where closing was interrupted."""

    RAISING = "raising"
    CLOSING = "closing"
    CONFIRMING = "confirming"
    NOTING = "noting"


class Owner(Protocol):
    """The process that this works for."""

    alive: bool

    def stumble(self, step: str, go_on: Callable[[], None]) -> None:
        """Where a fault may strike."""

    def heard_in(self, cell: str) -> None:
        """A decision sees something new of a cell."""

    def nudge(self) -> None:
        """Tick soon."""

    def is_short(self) -> bool:
        """Whether the last decision left anything that was wanted."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a cell is left alone."""

    until: float
    why: str


class Performer:
    """One write in flight per cell."""

    def __init__(
        self,
        owner: Owner,
        *,
        time: VirtualTime,
        chance: Random,
        store: ModelStore,
        cloud: ModelCloud,
        budget: MinuteBudget,
        weather: Weather,
        write: float,
        sent: Callable[[str], None],
        over: Callable[[str], None],
    ) -> None:
        """`write`: how long one call of the Admin API takes; `budget`: what this process knows of the write quota.

        `sent(cell)` and `over(cell)`: a count is being sent, and its end is known or was given up.
        """
        self._owner = owner
        self._time = time
        self._chance = chance
        self._store = store
        self._cloud = cloud
        self._weather = weather
        self._write = write
        self._sent, self._known = sent, over
        self.budget = budget
        self.in_flight: dict[str, str] = {}
        self.rests: dict[str, Rest] = {}
        self.last_write_at: dict[str, float] = {}
        self.refused_at: dict[str, float] = {}

    def rest(self, cell: str) -> Rest | None:
        """Why the cell is left alone now, if it is."""
        rest = self.rests.get(cell)
        if rest is not None and self._time.now >= rest.until:
            del self.rests[cell]
            self._owner.heard_in(cell)
            return None
        return rest

    def begin(self, cell: str, steps: Steps, kind: Kind) -> None:
        """Perform steps on a cell, unless others are being performed on it. `kind` names them in what is told of crashes."""
        if cell in self.in_flight:
            steps.close()
            return
        self.in_flight[cell] = ""
        self._owner.heard_in(cell)
        self._go_on(cell, steps, kind, None)

    def _go_on(self, cell: str, steps: Steps, kind: Kind, answer: object) -> None:
        if not self._owner.alive:
            return
        try:
            request = steps.send(answer)
        except StopIteration:
            self._over(cell)
            return
        step = _name(request)
        self.in_flight[cell] = step
        go_on = partial(self._ask, cell, steps, kind, request, step)
        self._owner.stumble(f"{kind.value}: before {step}", go_on)

    def _ask(self, cell: str, steps: Steps, kind: Kind, request: Request, step: str) -> None:
        def answered(answer: object) -> None:
            go_on = partial(self._go_on, cell, steps, kind, answer)
            self._owner.stumble(f"{kind.value}: after {step}", go_on)

        match request:
            case SetCount():
                self._set_count(cell, request, steps, answered)
            case FollowUp():
                self._follow(cell, answered)
            case LeaveAlone():
                self._leave_alone(cell, request.seconds, request.why)
                answered(None)
            case Look.WORKER_POOL:
                self._time.after(self._write / 2, lambda: answered(self._cloud.read(cell)))
            case Look.RECORD:
                self._time.after(STORE_SECONDS, lambda: answered(self._store.cells[cell]))
            case Look.REQUESTED:
                self._time.after(
                    STORE_SECONDS, lambda: answered(self._store.deployment.requested.get(cell, 0))
                )
            case Change():
                self._time.after(STORE_SECONDS, partial(self._change, cell, request, answered))

    def _change(self, cell: str, request: Change, answered: Callable[[Outcome], None]) -> None:
        outcome = self._store.change(cell, request.transition)
        lost = self._weather.strikes("store reply lost", self._weather.faults.store_replies_lost)
        self._time.after(READ_AGAIN_SECONDS if lost else STORE_SECONDS, partial(answered, outcome))

    def _set_count(
        self, cell: str, request: SetCount, steps: Steps, answered: Callable[[bool], None]
    ) -> None:
        now, faults = self._time.now, self._weather.faults
        etag = cast("PoolReading", request.reading).etag
        self.budget.use(now)
        self.last_write_at[cell] = now
        self.refused_at.pop(cell, None)
        drawn = self._chance.random()
        self._sent(cell)

        def deliver() -> None:
            self._cloud.set_count(cell, request.count, etag=etag)

        def arrive() -> None:
            answer = self._cloud.set_count(cell, request.count, etag=etag)
            self._time.after(self._write / 2, partial(reply, answer))

        def reply(answer: Answer) -> None:
            self._written(cell)
            if answer in (Answer.TAKEN, Answer.STALE):
                answered(answer is Answer.TAKEN)
            else:
                if answer is Answer.NO_CAPACITY:
                    self.refused_at[cell] = self._time.now
                self._fail(cell, steps, RESTS[answer], answer.value)

        def give_up() -> None:
            self._written(cell)
            self._fail(cell, steps, UNANSWERED_REST_SECONDS, NO_ANSWER)

        if drawn < faults.writes_late + faults.writes_unanswered:
            is_late = drawn < faults.writes_late
            self._weather.struck("write late" if is_late else "write unanswered")
            late = self._chance.uniform(0.0, faults.late) if is_late else self._write / 2
            self._time.after(late, deliver)
            self._time.after(CALL_TIMEOUT_SECONDS, give_up)
            return
        if self._weather.strikes("write doubled", faults.writes_doubled):
            self._time.after(self._chance.uniform(0.0, faults.late), deliver)
        self._time.after(self._write / 2, arrive)

    def _written(self, cell: str) -> None:
        if self._owner.alive:
            self._known(cell)

    def _follow(self, cell: str, answered: Callable[[Any], None]) -> None:
        settled_at = self._cloud.pools[cell].settled_at
        wait = min(max(settled_at - self._time.now, 0.0) + self._write, FOLLOW_SECONDS)
        self._time.after(wait, lambda: answered(None))

    def _fail(self, cell: str, steps: Steps, seconds: float, why: str) -> None:
        if self._owner.alive:
            steps.close()
            self._leave_alone(cell, seconds, why)
            self._over(cell)

    def _leave_alone(self, cell: str, seconds: float, why: str) -> None:
        self.rests[cell] = Rest(until=self._time.now + seconds, why=why)
        self._owner.heard_in(cell)

    def _over(self, cell: str) -> None:
        self.in_flight.pop(cell, None)
        self._owner.heard_in(cell)
        if self._owner.is_short():
            self._owner.nudge()


def kind_of(record: CellRecord, reading: PoolReading) -> Kind:
    """Which of its sequences `carrying` chooses."""
    if record.state is CellState.ZERO:
        return Kind.NOTING
    return Kind.CLOSING if lowers(record, reading) else Kind.CONFIRMING


_LOOKED_AT = {
    Look.WORKER_POOL: "the worker pool",
    Look.RECORD: "the record",
    Look.REQUESTED: "what is asked for",
}


def _name(request: Request) -> str:
    match request:
        case SetCount(count=0):
            return "write zero"
        case SetCount():
            return "write a raise"
        case FollowUp():
            return "follow the operation"
        case LeaveAlone():
            return "leave a failed zero alone"
        case Change(what=what):
            return what
        case Look():
            return f"read {_LOOKED_AT[request]}"
