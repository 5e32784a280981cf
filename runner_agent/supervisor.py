"""One queue of what happens, one pure step, one place that acts. I decide nothing: `lifecycle` does."""

import queue
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from runner_agent.account import Account
from runner_agent.child import Child
from runner_agent.contract import EndWord, ExitReason, Grant, Outcome
from runner_agent.last_watch import watch_to_the_end
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
    Signal,
    StartRunner,
    TakeLease,
    Void,
)
from runner_agent.lifecycle.events import (
    EndAnswered,
    EndFailed,
    Event,
    RunnerExited,
    RunnerNotStarted,
    TerminationAsked,
    TimePassed,
    TreeSeen,
)
from runner_agent.lifecycle.states import Leased, State, Timing
from runner_agent.log import Journal
from runner_agent.requester import Fault, Requester
from runner_agent.runner_environment import runner_environment
from runner_agent.runner_output import follow_output

_LONGEST_WAIT_SECONDS = 5.0
"""A queue waits on a clock that stands still while the machine is suspended; deadlines are on one that does not."""

_GOOD_BYE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class ChildrenChanged:
    """SIGCHLD: some child is dead or stopped."""


Inbox = queue.SimpleQueue[Event | ChildrenChanged | Fault]


class Supervisor:
    """Runs the lifecycle of one boot. `mark_used` comes before the runner's start; its OSError is as one of that start."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        requester: Requester,
        child: Child,
        mark_used: Callable[[], None],
        account: Account,
        env: Mapping[str, str],
        secret_names: Collection[str],
        timing: Timing,
        clock: Callable[[], float],
        journal: Journal,
    ) -> None:
        self._inbox = inbox
        self._requester = requester
        self._child = child
        self._mark_used = mark_used
        self._account = account
        self._env = env
        self._secret_names = secret_names
        self._timing = timing
        self._clock = clock
        self._journal = journal

    def run(self) -> ExitReason:
        """Park, serve, end: returns why it is over."""
        now = self._clock()
        state: State
        state, actions = begin(now)
        self._requester.start()
        try:
            while True:
                reason = self._perform_all(actions)
                if reason is not None:
                    return reason
                event = self._next_event(wake_at(state, now, self._timing))
                now = self._clock()
                before = state
                state, actions = step(before, event, now, self._timing)
                if state.phase is not before.phase:
                    self._journal.info(f"{before.phase.name.lower()} -> {state.phase.name.lower()}")
        except Exception as error:  # noqa: BLE001 - whatever our own fault is, a running job must not pay for it
            return self._after_fault(error, state)

    def _next_event(self, wake: float | None) -> Event:
        wait = (
            _LONGEST_WAIT_SECONDS
            if wake is None
            else min(max(wake - self._clock(), 0), _LONGEST_WAIT_SECONDS)
        )
        try:
            got = self._inbox.get(timeout=wait)
        except queue.Empty:
            return TimePassed()
        match got:
            case ChildrenChanged():
                return self._reap() or TimePassed()
            case Fault(error=error):
                raise error
            case _:
                return got

    def _reap(self) -> RunnerExited | None:
        code = self._child.reap()
        if code is None:
            return None
        workers, killed = self._child.look().workers, self._child.memory_kills()
        return RunnerExited(code=code, workers=workers, memory_kills=killed)

    def _perform_all(self, actions: Collection[Action]) -> ExitReason | None:
        for action in actions:
            match action:
                case Leave(reason=reason):
                    return reason
                case LearnInstance() | Park() | TakeLease() | Void() | Report() | EndLease():
                    self._requester.request(action)
                case StartRunner(grant=grant):
                    self._start_runner(grant)
                case Signal(rung=rung):
                    self._journal.info(f"stop ladder: {rung.name.lower()}")
                    self._child.signal(rung)
                case LookAtTree():
                    self._look()
                case Note(text=text, severity=severity):
                    self._journal.write(severity, text)
        return None

    def _look(self) -> None:
        exited = self._reap()
        if exited is not None:
            self._inbox.put(exited)
        tree = self._child.look()
        self._inbox.put(TreeSeen(processes=tree.processes, workers=tree.workers))

    def _start_runner(self, grant: Grant) -> None:
        self._journal.hide(grant.encoded_jit_config)
        self._journal.label(lease=grant.lease, runner=grant.runner_name)
        environment = runner_environment(
            self._env,
            account=self._account,
            encoded_jit_config=grant.encoded_jit_config,
            secret_names=self._secret_names,
        )
        try:
            self._mark_used()
            output = self._child.start(environment)
        except OSError as error:
            self._inbox.put(RunnerNotStarted(why=f"the runner could not be started: {error}"))
            return
        follow_output(output, put=self._inbox.put, journal=self._journal)

    def _after_fault(self, error: Exception, state: State) -> ExitReason:
        import traceback  # only here: it costs more memory than the rest of the supervisor

        self._journal.error(
            f"a fault of the agent itself: {type(error).__name__}: {error}. A running job is left to end; please "
            f"report this: {' | '.join(traceback.format_exception(error)).replace(chr(10), ' ')}"
        )
        hard_end_at = state.lease.hard_end_at if isinstance(state, Leased) else self._clock()
        watch_to_the_end(
            self._child,
            stop_at=hard_end_at - self._timing.hard_end_lead,
            timing=self._timing,
            clock=self._clock,
            termination_asked_within=self._termination_asked_within,
        )
        if isinstance(state, Leased):
            self._end_after_fault(state)
        return ExitReason.INTERNAL

    def _end_after_fault(self, state: Leased) -> None:
        """One try to give the lease back; without it the lease stands until its hard end."""
        end = EndLease(
            lease=state.lease.id,
            seq=state.reporting.seq + 1,
            outcome=Outcome.LOST,
            cause="the agent had a fault of its own; how the job ended is known to GitHub only",
            job=state.evidence.job,
            result=state.evidence.result,
            word=EndWord.EXTERNAL,
            urgent=True,
        )
        self._requester.request(end)
        ends_at = self._clock() + _GOOD_BYE_SECONDS
        while (left := ends_at - self._clock()) > 0:
            try:
                if isinstance(self._inbox.get(timeout=left), EndAnswered | EndFailed):
                    return
            except queue.Empty:
                return

    def _termination_asked_within(self, seconds: float) -> bool:
        ends_at = self._clock() + seconds
        while (left := ends_at - self._clock()) > 0:
            try:
                if isinstance(self._inbox.get(timeout=left), TerminationAsked):
                    return True
            except queue.Empty:
                break
        return False
