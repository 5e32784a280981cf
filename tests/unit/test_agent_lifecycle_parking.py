"""Booting, parked and taking a lease: what leads to a runner, what never does."""

from dataclasses import replace

import pytest

from runner_agent.contract import ExitReason, ReportState
from runner_agent.lifecycle.actions import (
    LearnInstance,
    Leave,
    Park,
    StartRunner,
    TakeLease,
    Void,
)
from runner_agent.lifecycle.events import (
    AskFailed,
    Granted,
    InstanceKnown,
    NothingOffered,
    Offered,
    TerminationAsked,
)
from runner_agent.lifecycle.states import Parked, Phase
from tests.agent_life import GRANT, TIMING, Agent, only, said


def test_an_agent_learns_its_instance_then_parks() -> None:
    agent = Agent()
    assert agent.actions == [LearnInstance()]
    assert agent.after(1, InstanceKnown()) == [Park(ask=1)]
    assert agent.state.phase is Phase.PARKED


def test_an_offer_leads_to_the_lease_and_the_lease_to_the_runner() -> None:
    agent = Agent().parked()
    assert agent.after(0, Offered(ask=1)) == [TakeLease(ask=1)]
    assert agent.state.phase is Phase.TAKING
    actions = agent.after(1, Granted(ask=1, grant=GRANT))
    assert only(actions, StartRunner) == [StartRunner(grant=GRANT)]
    assert said(actions) == [ReportState.STARTING]


def test_the_configuration_stays_in_no_state() -> None:
    """Only the action that starts the runner holds it."""
    assert "jit" not in repr(Agent().starting().state)


def test_nothing_offered_means_ask_again_but_never_in_a_busy_loop() -> None:
    agent = Agent().parked()
    assert agent.after(25, NothingOffered(ask=1)) == [Park(ask=1)]
    assert agent.after(0, NothingOffered(ask=1)) == []
    assert agent.after(TIMING.poll_spacing) == [Park(ask=1)]


@pytest.mark.parametrize("late", [30.01, 31.0, 4000.0])
def test_a_lease_that_comes_late_is_never_used(late: float) -> None:
    """Whether time or the answer is noticed first."""
    agent = Agent().parked()
    agent.after(0, Offered(ask=1))
    assert only(agent.after(late, Granted(ask=1, grant=GRANT)), Park) == [Park(ask=2)]
    agent = Agent().parked()
    agent.after(0, Offered(ask=1))
    assert only(agent.after(late), Park) == [Park(ask=2)]
    assert agent.after(0, Granted(ask=1, grant=GRANT)) == []


def test_a_refused_start_makes_the_ask_grow_and_a_refused_poll_does_not() -> None:
    agent = Agent().parked()
    agent.after(0, AskFailed(ask=1, chance=0.5))
    agent.sleep(1)
    assert agent.actions[-1] == Park(ask=1)
    agent.after(0, Offered(ask=1), AskFailed(ask=1, chance=0.5))
    agent.sleep(1)
    assert agent.actions[-1] == Park(ask=2)


def test_waits_grow_with_full_jitter_up_to_a_minute() -> None:
    agent = Agent().parked()
    waits = []
    for _ in range(10):
        agent.after(0, AskFailed(ask=1, chance=0.999))
        assert isinstance(agent.state, Parked)
        assert agent.state.retry_at is not None
        waits.append(agent.state.retry_at - agent.now)
        agent.sleep_until_woken()
    assert waits == sorted(waits)
    assert waits[0] < 1.01
    assert 59 < waits[-1] < 60


def test_retry_after_is_obeyed_but_not_for_ever() -> None:
    agent = Agent().parked()
    agent.after(0, AskFailed(ask=1, chance=0.0, retry_after_seconds=17))
    assert agent.after(16.9) == []
    assert agent.after(0.2) == [Park(ask=1)]
    agent.after(0, AskFailed(ask=1, chance=0.0, retry_after_seconds=1e9))
    assert agent.after(TIMING.retry_after_most) == [Park(ask=1)]


def test_a_retired_boot_waits_a_little_then_leaves() -> None:
    agent = Agent().parked()
    agent.after(0, AskFailed(ask=1, chance=0.5, retired=True))
    assert only(agent.after(1.9), Leave) == []
    assert agent.after(3.2)[-1:] == [Leave(reason=ExitReason.RETIRED)]


def test_max_lifetime_ends_parking_but_never_the_taking_of_a_lease() -> None:
    agent = Agent(timing=replace(TIMING, max_lifetime=100)).parked()
    agent.after(90, Offered(ask=1))
    assert agent.after(15) == []
    agent.after(1, Granted(ask=1, grant=GRANT))
    assert agent.state.phase is Phase.STARTING
    agent = Agent(timing=replace(TIMING, max_lifetime=100)).parked()
    assert agent.after(100) == [Leave(reason=ExitReason.MAX_LIFETIME)]


def test_answers_to_an_older_ask_mean_nothing() -> None:
    agent = Agent().parked()
    agent.after(0, Offered(ask=1), AskFailed(ask=1, chance=0.0))
    agent.sleep(1)
    before = agent.state
    for event in (
        Offered(ask=1),
        NothingOffered(ask=1),
        Granted(ask=1, grant=GRANT),
        AskFailed(ask=1, chance=0),
    ):
        assert agent.after(0, event) == []
    assert agent.state == before


def test_sigterm_while_parked_or_booting_loses_nothing() -> None:
    for agent in (Agent(), Agent().parked()):
        assert agent.after(0, TerminationAsked()) == [Leave(reason=ExitReason.STOPPED_PARKED)]


def test_sigterm_while_taking_voids_the_lease_that_may_stand() -> None:
    agent = Agent().parked()
    agent.after(0, Offered(ask=1))
    assert agent.after(0, TerminationAsked()) == [Void(ask=2)]
    assert agent.after(0.1, Granted(ask=1, grant=GRANT)) == []
    assert agent.after(0.6) == [Leave(reason=ExitReason.STOPPED_PARKED)]
