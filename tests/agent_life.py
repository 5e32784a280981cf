"""A lifecycle under test, on a clock of the test's own: state, time and every action so far."""

from collections.abc import Sequence
from typing import TypeVar

from runner_agent.contract import Grant, ReportState
from runner_agent.lifecycle import begin, step, wake_at
from runner_agent.lifecycle.actions import (
    Action,
    Report,
    Rung,
    Signal,
)
from runner_agent.lifecycle.events import (
    Event,
    Granted,
    InstanceKnown,
    JobStarted,
    Offered,
    RunnerListening,
    TimePassed,
    TreeSeen,
)
from runner_agent.lifecycle.states import Leased, State, Timing

TIMING = Timing(max_lifetime=43_200)
GRANT = Grant(
    lease="L",
    runner_id=41,
    runner_name="linux-a1-x",
    encoded_jit_config="jit",
    heartbeat_seconds=20,
    listen_max_seconds=300,
    job_timeout_seconds=21_600,
    hard_end_in_seconds=22_300,
)
NO_TREE = TreeSeen(processes=0, workers=0)
NO_WORKER = (TreeSeen(processes=2, workers=0),) * 2
"""One look proves nothing."""
A = TypeVar("A", bound=Action)


class Agent:
    """A lifecycle under test: remembers its state, its clock and every action."""

    def __init__(self, *, timing: Timing = TIMING) -> None:
        self.timing = timing
        self.now = 1000.0
        self.state: State
        self.actions: list[Action]
        self.state, first = begin(self.now)
        self.actions = list(first)

    def after(self, seconds: float, *events: Event) -> Sequence[Action]:
        """Let time pass, then these events; returns the actions they led to."""
        self.now += seconds
        done: list[Action] = []
        for event in events or (TimePassed(),):
            self.state, actions = step(self.state, event, self.now, self.timing)
            done += actions
        self.actions += done
        return done

    def sleep_until_woken(self) -> Sequence[Action]:
        """Let time pass to the next moment at which it matters."""
        wake = wake_at(self.state, self.now, self.timing)
        assert wake is not None
        return self.after(wake - self.now)

    def sleep(self, seconds: float) -> Sequence[Action]:
        """Let time pass, waking as often as the lifecycle wants to."""
        ends_at = self.now + seconds
        done: list[Action] = []
        while (wake := wake_at(self.state, self.now, self.timing)) is not None and wake <= ends_at:
            done += self.after(wake - self.now)
        done += self.after(ends_at - self.now)
        return done

    def parked(self) -> "Agent":
        self.after(0, InstanceKnown())
        return self

    def starting(self, grant: Grant = GRANT) -> "Agent":
        self.parked().after(0, Offered(ask=1), Granted(ask=1, grant=grant))
        return self

    def listening(self, grant: Grant = GRANT) -> "Agent":
        self.starting(grant).after(2, RunnerListening())
        return self

    def running(self, grant: Grant = GRANT) -> "Agent":
        self.listening(grant).after(5, JobStarted(job="build"))
        return self

    def leased(self) -> Leased:
        assert isinstance(self.state, Leased)
        return self.state


def only(actions: Sequence[Action], kind: type[A]) -> list[A]:
    """The actions of one kind."""
    return [action for action in actions if isinstance(action, kind)]


def rungs(actions: Sequence[Action]) -> list[Rung]:
    """The signals among the actions."""
    return [action.rung for action in only(actions, Signal)]


def said(actions: Sequence[Action]) -> list[ReportState]:
    """The reports among the actions."""
    return [action.state for action in only(actions, Report)]
