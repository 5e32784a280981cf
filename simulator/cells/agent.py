"""PURE: one boot of one instance: the agent's own lifecycle, with a modelled runner below it and calls that take time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Protocol

from runner_agent.contract import EndReply, Grant
from runner_agent.lifecycle import begin, step, wake_at
from runner_agent.lifecycle.actions import (
    Action,
    EndLease,
    LearnInstance,
    Leave,
    LookAtTree,
    Note,
    Park,
    Report,
    Rung,
    Signal,
    StartRunner,
    TakeLease,
    Void,
)
from runner_agent.lifecycle.events import (
    AskFailed,
    EndAnswered,
    EndFailed,
    Event,
    Granted,
    InstanceKnown,
    JobCompleted,
    JobStarted,
    NothingOffered,
    Offered,
    OutputEnded,
    ReportAnswered,
    ReportFailed,
    RunnerExited,
    RunnerListening,
    TerminationAsked,
    TimePassed,
    TreeSeen,
)
from runner_agent.lifecycle.states import Booting, Gone, State, Timing
from simulator.cells.cloud import Instance, Stopper
from simulator.cells.github import ModelGitHub, SimulatedJob
from simulator.cells.weather import Weather
from simulator.virtual_time import VirtualTime

# Of the time a registration takes, the last part: from being given a job to running it.
BEGIN_SECONDS = 0.3

# How long a runner takes to obey SIGINT or SIGTERM.
OBEYS_SECONDS = 2.0

EMPTY_TREE = TreeSeen(processes=0, workers=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefused:
    """What the scaler says instead of an offer or a grant. `retired`: this boot will never get a lease."""

    retired: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """No answer came."""


class ScalerDoor(Protocol):
    """The scaler as an instance reaches it; each call is answered later, once, or with Lost."""

    def park(self, agent: Agent, ask: int, answer: Callable[[bool | AskRefused | Lost], None]) -> None:
        """Wait for an offer: True, or False when the long poll is over."""

    def start(self, agent: Agent, ask: int, answer: Callable[[Grant | AskRefused | Lost], None]) -> None:
        """Take the offer up."""

    def event(self, agent: Agent, report: Report, answer: Callable[[int | Lost | None], None]) -> None:
        """Say how the runner is; the answer is how many jobs wait for such a runner."""

    def end(self, agent: Agent, end: EndLease, answer: Callable[[EndReply | Lost], None]) -> None:
        """Give the lease back."""


@dataclass(slots=True, eq=False, kw_only=True)
class Agent:
    """A container's resident. `registration`: seconds from the offer to a runner that can begin a job.

    `started(agent, grant)` is told when it starts its runner, `stopped(agent, stopper)` when the instance is stopped while that
    runner lives. `stopped_by`: who first; `asked`: its highest ask; `given_back`: leases that it has ended.
    """

    instance: Instance
    boot: str
    time: VirtualTime
    chance: Random
    github: ModelGitHub
    scaler: ScalerDoor
    timing: Timing
    registration: float
    labels: frozenset[str]
    weather: Weather
    exited: Callable[[Instance], None]
    started: Callable[[Agent, Grant], None]
    stopped: Callable[[Agent, Stopper], None]
    state: State = field(default_factory=lambda: Booting(born=0.0))
    runner_id: int | None = None
    runner_lives: bool = False
    job: SimulatedJob | None = None
    offered_at: float = 0.0
    stopped_by: str | None = None
    asked: int = 0
    given_back: set[str] = field(default_factory=set)
    _inbox: deque[Event] | None = None
    _wake_due: float = float("inf")
    _listens: int = 0

    def boot_up(self) -> None:
        """The container's first moment."""
        self.state, actions = begin(self.time.now)
        self._perform(actions)

    def sigterm(self, stopper: Stopper) -> None:
        """The platform asks to leave."""
        if isinstance(self.state, Gone):
            return
        if self.runner_lives:
            self._note_who(stopper.value)
            self.stopped(self, stopper)
        self.take(TerminationAsked())

    def take(self, event: Event) -> None:
        """Take an event in, and do what follows."""
        if self._inbox is not None:
            self._inbox.append(event)
            return
        self._inbox = deque((event,))
        while self._inbox:
            self.state, actions = step(self.state, self._inbox.popleft(), self.time.now, self.timing)
            self._perform(actions)
        self._inbox = None
        self._set_alarm()

    def assigned(self, job: SimulatedJob) -> None:
        """GitHub gives the listening runner a job."""
        self.job = job
        self.time.after(BEGIN_SECONDS, partial(self._begin, job, self._listens))

    def _note_who(self, stopper: str) -> None:
        self.stopped_by = self.stopped_by or stopper

    def _set_alarm(self) -> None:
        due = wake_at(self.state, self.time.now, self.timing)
        if due is not None and due < self._wake_due:
            self._wake_due = due
            self.time.at(due, partial(self._wake, due))

    def _wake(self, due: float) -> None:
        if due == self._wake_due:
            self._wake_due = float("inf")
            self.take(TimePassed())

    def _perform(self, actions: Sequence[Action]) -> None:  # noqa: C901 - one row for each action
        for action in actions:
            match action:
                case LearnInstance():
                    self.take(InstanceKnown())
                case Park(ask=ask):
                    self.asked = max(self.asked, ask)
                    self.scaler.park(self, ask, partial(self._park_answered, ask))
                case TakeLease(ask=ask):
                    self.asked = max(self.asked, ask)
                    self.offered_at = self.time.now
                    self.scaler.start(self, ask, partial(self._start_answered, ask))
                case Void(ask=ask):
                    self.asked = max(self.asked, ask)
                    self.scaler.park(self, ask, _ignore)
                case StartRunner(grant=grant):
                    self._start_runner(grant)
                case Report():
                    self.scaler.event(self, action, self._report_answered)
                case EndLease(lease=lease):
                    self.given_back.add(lease)
                    self.scaler.end(self, action, self._end_answered)
                case Signal(rung=rung):
                    self._signal(rung)
                case LookAtTree():
                    self.take(self._tree())
                case Leave():
                    self._leave()
                case Note():
                    pass

    def _park_answered(self, ask: int, answer: bool | AskRefused | Lost) -> None:
        match answer:
            case AskRefused() | Lost():
                self.take(self._failed(ask, answer))
            case True:
                self.take(Offered(ask=ask))
            case _:
                self.take(NothingOffered(ask=ask))

    def _start_answered(self, ask: int, answer: Grant | AskRefused | Lost) -> None:
        if isinstance(answer, Grant):
            self.take(Granted(ask=ask, grant=answer))
        else:
            self.take(self._failed(ask, answer))

    def _failed(self, ask: int, answer: AskRefused | Lost) -> AskFailed:
        retired = isinstance(answer, AskRefused) and answer.retired
        retry_after = answer.retry_after if isinstance(answer, AskRefused) else None
        return AskFailed(
            ask=ask, chance=self.chance.random(), retired=retired, retry_after_seconds=retry_after
        )

    def _report_answered(self, answer: int | Lost | None) -> None:
        if isinstance(answer, Lost):
            self.take(ReportFailed(chance=self.chance.random()))
        else:
            self.take(ReportAnswered(queued=answer))

    def _end_answered(self, answer: EndReply | Lost) -> None:
        if isinstance(answer, Lost):
            self.take(EndFailed(chance=self.chance.random()))
        else:
            self.take(EndAnswered(reply=answer, chance=self.chance.random()))

    # The runner.

    def _start_runner(self, grant: Grant) -> None:
        self.started(self, grant)
        self.runner_id, self.runner_lives = grant.runner_id, True
        self._listens += 1
        ready_at = self.offered_at + self.registration - BEGIN_SECONDS
        self.time.at(ready_at, partial(self._listen, self._listens))

    def _listen(self, life: int) -> None:
        if self._is_over(life):
            return
        assert self.runner_id is not None
        self.take(RunnerListening())
        self.github.listen(self.runner_id, self)
        idle_removed_after = self.weather.faults.idle_removed_after
        if self.job is None and idle_removed_after < float("inf"):
            self.time.after(idle_removed_after, partial(self._removed_for_idleness, life))

    def _removed_for_idleness(self, life: int) -> None:
        """GitHub takes idle just-in-time runners away; such a runner ends with code 0."""
        if not self._is_over(life) and self.job is None:
            self.weather.struck("idle runner removed")
            self._exit(0)

    def _begin(self, job: SimulatedJob, life: int) -> None:
        if self._is_over(life):
            self.github.vanished_before_beginning(job)
            return
        assert self.runner_id is not None
        self.github.begun(job, self.runner_id)
        self.take(JobStarted(job=job.traced.job))
        self.time.after(job.traced.duration, partial(self._finish, job, life))

    def _finish(self, job: SimulatedJob, life: int) -> None:
        if self._is_over(life) or job.ended_at is not None:
            return
        self.github.ended(job, succeeded=True)
        self.take(JobCompleted(job=job.traced.job, result="Succeeded"))
        self._exit(0)

    def _signal(self, rung: Rung) -> None:
        if not self.runner_lives:
            return
        self._note_who("the agent, whose own time was up")
        if rung is Rung.KILL:
            self._exit(-9)
        else:
            self.time.after(OBEYS_SECONDS, partial(self._obey, self._listens))

    def _obey(self, life: int) -> None:
        if not self._is_over(life):
            self._exit(0)

    def _exit(self, code: int) -> None:
        """The runner and all of its processes are gone."""
        self.runner_lives = False
        self._cut_job_off()
        self.take(RunnerExited(code=code, workers=0))
        self.take(OutputEnded())

    def _cut_job_off(self) -> None:
        if self.runner_id is not None:
            self.github.gone(self.runner_id)
        if self.job is not None and self.job.started_at is not None and self.job.ended_at is None:
            self.job.stopped_by = self.stopped_by
            self.github.ended(self.job, succeeded=False)

    def _tree(self) -> TreeSeen:
        working = self.job is not None and self.job.started_at is not None and self.job.ended_at is None
        if not self.runner_lives:
            return EMPTY_TREE
        return TreeSeen(processes=2 if working else 1, workers=int(working))

    def _is_over(self, life: int) -> bool:
        return not self.runner_lives or life != self._listens or isinstance(self.state, Gone)

    def _leave(self) -> None:
        if self.runner_lives:
            self.runner_lives = False
            self._cut_job_off()
        self.exited(self.instance)


def _ignore(_: object) -> None:
    """The answer to a last word is of no interest."""
