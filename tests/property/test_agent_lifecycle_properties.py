"""What holds for the agent's lifecycle whatever happens, in whatever order, at whatever times."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from runner_agent.contract import EndReply, Grant
from runner_agent.lifecycle import begin, step, wake_at
from runner_agent.lifecycle.actions import (
    Action,
    EndLease,
    Leave,
    Report,
    Rung,
    Signal,
    StartRunner,
    TakeLease,
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
    RunnerDeprecated,
    RunnerExited,
    RunnerListening,
    RunnerNotStarted,
    RunnerRemarked,
    TerminationAsked,
    TimePassed,
    TreeSeen,
    WorkerEnded,
)
from runner_agent.lifecycle.states import Gone, Leased, State, Timing

TIMING = Timing(max_lifetime=5_000)
CLOUD_RUN_KILLS_AFTER_SECONDS = 10.0

asks = st.integers(1, 4)
chances = st.floats(0, 0.999)
seconds = st.floats(0.5, 2_000)
grants = st.builds(
    Grant,
    lease=st.just("L"),
    runner_id=st.just(1),
    runner_name=st.just("r"),
    encoded_jit_config=st.just("jit"),
    heartbeat_seconds=seconds,
    listen_max_seconds=seconds,
    job_timeout_seconds=seconds,
    hard_end_in_seconds=seconds,
)
scaler_says = st.one_of(
    st.builds(Offered, ask=asks),
    st.builds(NothingOffered, ask=asks),
    st.builds(Granted, ask=asks, grant=grants),
    st.builds(
        AskFailed,
        ask=asks,
        chance=chances,
        retired=st.booleans(),
        retry_after_seconds=st.none() | st.floats(0, 1e9),
    ),
    st.builds(ReportAnswered, queued=st.none() | st.integers(0, 3)),
    st.builds(ReportFailed, chance=chances),
    st.builds(EndAnswered, reply=st.sampled_from(EndReply), chance=chances),
    st.builds(EndFailed, chance=chances),
)
runner_does = st.one_of(
    st.builds(RunnerListening),
    st.builds(JobStarted, job=st.sampled_from(["a", "b"])),
    st.builds(JobCompleted, job=st.sampled_from(["a", "b"]), result=st.sampled_from(["Succeeded", "Failed"])),
    st.builds(RunnerDeprecated),
    st.builds(RunnerRemarked, remark=st.just("Failed to create a session.")),
    st.builds(RunnerNotStarted, why=st.just("no such file")),
    st.builds(WorkerEnded, code=st.sampled_from([100, 137])),
    st.builds(
        RunnerExited,
        code=st.sampled_from([0, 1, 7, 143, -9]),
        workers=st.integers(0, 2),
        memory_kills=st.integers(0, 1),
    ),
    st.builds(OutputEnded),
    st.builds(TreeSeen, processes=st.integers(0, 3), workers=st.integers(0, 1)),
)
others = st.one_of(st.builds(InstanceKnown), st.builds(TerminationAsked), st.builds(TimePassed))
anything = st.one_of(scaler_says, runner_does, others)
# Mostly forward; now and then the clock jumps far, or stands still.
forward = st.one_of(st.just(0.0), st.floats(0, 40), st.floats(0, 10_000))

# Most random histories never hold a lease; half of them begin with one, so that the rest is not idle.
opening = st.one_of(
    st.just(()),
    grants.map(lambda grant: (InstanceKnown(), Offered(ask=1), Granted(ask=1, grant=grant))),
    grants.map(
        lambda grant: (
            InstanceKnown(),
            Offered(ask=1),
            Granted(ask=1, grant=grant),
            RunnerListening(),
            JobStarted(job="a"),
        )
    ),
)
histories = st.tuples(opening, st.lists(st.tuples(forward, anything), max_size=40)).map(
    lambda drawn: [*((0.0, event) for event in drawn[0]), *drawn[1]]
)
History = Sequence[tuple[float, Event]]


def lived(history: History) -> tuple[State, float, list[Action]]:
    """The state, the time and all actions after a history."""
    now = 100.0
    state: State
    state, first = begin(now)
    actions = list(first)
    for passed, event in history:
        now += passed
        state, more = step(state, event, now, TIMING)
        actions += more
    return state, now, actions


@settings(deadline=None)
@given(histories, st.lists(st.tuples(st.floats(-1e6, 1e6), anything), max_size=20))
def test_no_event_in_any_state_and_no_jump_of_the_clock_ever_raises(
    history: History, wild: Sequence[tuple[float, Event]]
) -> None:
    """Backward too: a clock is not ours to trust with our life."""
    state, now, _ = lived(history)
    for jump, event in wild:
        now += jump
        state, _ = step(state, event, now, TIMING)
        wake = wake_at(state, now, TIMING)
        assert wake is None or wake > now


@settings(deadline=None)
@given(histories, scaler_says)
def test_no_reply_of_the_scaler_ever_signals_a_runner(history: History, reply: Event) -> None:
    """What is signalled at that moment is signalled by the passing of time alone, reply or not."""
    state, now, _ = lived(history)
    _, after_reply = step(state, reply, now, TIMING)
    _, after_nothing = step(state, TimePassed(), now, TIMING)
    signals = [action for action in after_reply if isinstance(action, Signal)]
    assert signals == [action for action in after_nothing if isinstance(action, Signal)]


@settings(deadline=None)
@given(histories)
def test_a_boot_starts_one_runner_at_most_and_only_for_an_ask_that_it_has_sent(history: History) -> None:
    """One lease per boot, ever."""
    _, _, actions = lived(history)
    assert sum(isinstance(action, StartRunner) for action in actions) <= 1
    for index, action in enumerate(actions):
        if isinstance(action, StartRunner):
            assert any(isinstance(earlier, TakeLease) for earlier in actions[:index])


@settings(deadline=None)
@given(histories)
def test_a_lease_is_given_back_only_after_its_tree_was_seen_empty(history: History) -> None:
    """Whatever lines, replies and signals come."""
    now = 100.0
    state: State
    state, _ = begin(now)
    runner_has_gone = seen_empty = False
    for passed, event in history:
        now += passed
        if isinstance(event, RunnerExited | RunnerNotStarted):
            runner_has_gone = True
        if isinstance(event, TreeSeen) and runner_has_gone:
            seen_empty = event.processes == 0
        state, actions = step(state, event, now, TIMING)
        if any(isinstance(action, EndLease) for action in actions):
            assert seen_empty


@settings(deadline=None)
@given(histories)
def test_reports_and_ends_are_numbered_without_repeats(history: History) -> None:
    """The scaler ignores what is not newer."""
    _, _, actions = lived(history)
    numbers = [action.seq for action in actions if isinstance(action, Report | EndLease)]
    assert numbers == list(range(1, len(numbers) + 1))


@settings(deadline=None)
@given(histories)
def test_the_ladder_of_one_stop_is_only_climbed(history: History) -> None:
    """After SIGKILL nothing softer; a fresh ladder begins only when the runner itself has gone."""
    now = 100.0
    state: State
    state, _ = begin(now)
    last: Rung | None = None
    order = list(Rung)
    for passed, event in history:
        now += passed
        if isinstance(event, RunnerExited | RunnerNotStarted):
            last = None
        state, actions = step(state, event, now, TIMING)
        for action in actions:
            if isinstance(action, Signal):
                assert last is None or order.index(action.rung) >= order.index(last)
                last = action.rung


@settings(deadline=None)
@given(histories)
def test_nothing_follows_leaving(history: History) -> None:
    """`Leave` is the last action."""
    _, _, actions = lived(history)
    assert not any(isinstance(action, Leave) for action in actions[:-1])


@settings(max_examples=200, deadline=None)
@given(histories)
def test_after_sigterm_an_agent_is_gone_within_cloud_runs_ten_seconds(history: History) -> None:
    """From every state, though nothing else ever happens: no reply, no exit, no empty tree."""
    state, now, _ = lived([each for each in history if not isinstance(each[1], TerminationAsked)])
    asked_at = now
    state, _ = step(state, TerminationAsked(), now, TIMING)
    while not isinstance(state, Gone):
        wake = wake_at(state, now, TIMING)
        assert wake is not None
        now = wake
        assert now < asked_at + CLOUD_RUN_KILLS_AFTER_SECONDS
        state, _ = step(state, TimePassed(), now, TIMING)


@settings(max_examples=200, deadline=None)
@given(histories)
def test_no_lease_is_held_long_beyond_its_hard_end(history: History) -> None:
    """Even if no signal ever has an effect, the agent leaves, and its container with it."""
    state, now, _ = lived(history)
    hard_end = now + 2_000
    while not isinstance(state, Gone):
        wake = wake_at(state, now, TIMING)
        if wake is None or wake > hard_end + 400:
            break
        now = wake
        state, _ = step(state, TimePassed(), now, TIMING)
    assert not isinstance(state, Leased)
