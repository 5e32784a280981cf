"""SIGTERM at real time: what is said first, how fast everything is gone, whatever the processes do about it."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.process.agent_process import AgentProcess, running_agent, until
from tests.process.stub_scaler import CONTINUE, NOTHING, Answer, StubScaler

SAID_WITHIN_SECONDS = 1.0
GONE_WITHIN_SECONDS = 10.0
"""Cloud Run sends SIGKILL then."""
PARKED_GONE_WITHIN_SECONDS = 1.0
SHORT = {"hurried_interrupt": 1.0, "hurried_terminate": 0.5}
"""For ways that only differ in how the ladder is reached; the tests at real time are the first four."""
HANGING = Answer(status=200, body={"reply": "continue", "queued": None}, delay_seconds=60)


@pytest.fixture
def scaler() -> Iterator[StubScaler]:
    """A scaler that offers at once."""
    with StubScaler().serving() as stub:
        yield stub


def until_running(agent: AgentProcess, processes: int = 2) -> None:
    """Until the agent has seen the job and the runner has started everything it wants to."""
    until(lambda: any("-> running" in message for message in agent.messages), "the job runs")
    until(lambda: len(agent.runner_pids()) >= processes, "the runner's processes are there")


def test_everything_is_gone_in_time_though_all_of_it_ignores_sigint_and_sigterm(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """A runner, its worker and two daemons in sessions of their own; `end` comes after the last of them."""
    steps = ("ignore", "listen", "job:build", "daemon", "daemon", "forever")
    with running_agent(scaler, tmp_path, *steps) as agent:
        until_running(agent, processes=4)
        at = agent.terminate()
        scaler.wait_for("end", within=GONE_WITHIN_SECONDS)
        assert agent.runner_processes_left() == []
        assert agent.wait(within=2) == ExitReason.PREEMPTED.value
        assert time.monotonic() - at < GONE_WITHIN_SECONDS
    assert scaler.wait_for_state("preempted").at - at < SAID_WITHIN_SECONDS
    assert scaler.wait_for("end").at - at < 8.5
    assert scaler.wait_for("end").body["outcome"] == "preempted"
    rungs = [message for message in agent.messages if message.startswith("stop ladder")]
    assert rungs[:3] == ["stop ladder: interrupt", "stop ladder: terminate", "stop ladder: kill"]


def test_an_obedient_runner_may_cancel_its_job_first(scaler: StubScaler, tmp_path: Path) -> None:
    """The interrupt is enough: nothing harder is sent."""
    with running_agent(scaler, tmp_path, "obey", "listen", "job:build", "forever") as agent:
        until_running(agent)
        at = agent.terminate()
        assert agent.wait(within=3) == ExitReason.PREEMPTED.value
    assert scaler.wait_for_state("preempted").at - at < SAID_WITHIN_SECONDS
    assert scaler.wait_for("end").body["result"] == "Canceled"
    assert not any("terminate" in message for message in agent.messages)


def test_preempted_does_not_wait_behind_a_hanging_report(scaler: StubScaler, tmp_path: Path) -> None:
    """It has a connection of its own."""
    scaler.scripts["events"] = [CONTINUE, CONTINUE, HANGING]
    with running_agent(scaler, tmp_path, "obey", "listen", "sleep:0.3", "job:build", "forever") as agent:
        until_running(agent)
        scaler.wait_for_state("running")
        at = agent.terminate()
        assert agent.wait(within=3) == ExitReason.PREEMPTED.value
    assert scaler.wait_for_state("preempted").at - at < SAID_WITHIN_SECONDS


def test_an_agent_cut_off_from_its_scaler_is_gone_in_time(scaler: StubScaler, tmp_path: Path) -> None:
    """No reply to anything changes neither the ladder nor the end."""
    with running_agent(scaler, tmp_path, "ignore", "listen", "job:build", "forever") as agent:
        until_running(agent)
        scaler.defaults["events"] = scaler.defaults["end"] = HANGING
        at = agent.terminate()
        assert agent.wait(within=GONE_WITHIN_SECONDS) == ExitReason.PREEMPTED.value
        assert time.monotonic() - at < GONE_WITHIN_SECONDS
        assert agent.runner_processes_left() == []


def test_a_second_sigterm_shortens_the_ladder(scaler: StubScaler, tmp_path: Path) -> None:
    """One second from terminate to kill instead of seven from the first."""
    with running_agent(scaler, tmp_path, "ignore", "listen", "job:build", "forever") as agent:
        until_running(agent)
        at = agent.terminate()
        until(lambda: any("interrupt" in message for message in agent.messages), "the ladder has begun")
        agent.terminate()
        assert agent.wait(within=4) == ExitReason.PREEMPTED.value
        assert time.monotonic() - at < 3
        assert agent.runner_processes_left() == []


def test_a_stop_by_policy_is_hurried_by_sigterm(scaler: StubScaler, tmp_path: Path) -> None:
    """The patient ladder of job_timeout would outlast Cloud Run's ten seconds."""
    terms = dict(scaler.defaults["start"].body or {}) | {"job_timeout_seconds": 0.3}
    scaler.defaults["start"] = Answer(status=200, body=terms)
    with running_agent(scaler, tmp_path, "ignore", "listen", "job:build", "forever", timing=SHORT) as agent:
        until(
            lambda: any("interrupt" in message for message in agent.messages), "the policy's stop has begun"
        )
        at = agent.terminate()
        assert agent.wait(within=5) == ExitReason.TIMED_OUT.value
        assert agent.runner_processes_left() == []
    assert scaler.wait_for_state("preempted").at - at < SAID_WITHIN_SECONDS


def test_a_listening_runner_is_preempted_too(scaler: StubScaler, tmp_path: Path) -> None:
    """A lease was held, whether or not a job had come."""
    with running_agent(scaler, tmp_path, "obey", "listen", "forever") as agent:
        scaler.wait_for_state("listening")
        agent.terminate()
        assert agent.wait(within=3) == ExitReason.PREEMPTED.value
    assert scaler.wait_for("end").body["outcome"] == "preempted"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_parked_agent_is_gone_within_a_second(
    scaler: StubScaler, tmp_path: Path, number: signal.Signals
) -> None:
    """With a long poll under way; nothing was lost."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path) as agent:
        scaler.wait_for("park")
        at = time.monotonic()
        agent.process.send_signal(number)
        assert agent.wait(within=2) == ExitReason.STOPPED_PARKED.value
        assert time.monotonic() - at < PARKED_GONE_WITHIN_SECONDS


def test_an_agent_that_is_taking_a_lease_voids_it_and_is_gone_within_a_second(
    scaler: StubScaler, tmp_path: Path
) -> None:
    """The lease may stand in the record already: the higher ask says that it will never be used."""
    scaler.defaults["start"] = Answer(status=200, body=scaler.defaults["start"].body, delay_seconds=30)
    with running_agent(scaler, tmp_path) as agent:
        scaler.wait_for("start")
        scaler.defaults["park"] = NOTHING
        at = agent.terminate()
        assert agent.wait(within=2) == ExitReason.STOPPED_PARKED.value
        assert time.monotonic() - at < PARKED_GONE_WITHIN_SECONDS
    assert [request.body["ask"] for request in scaler.of("park")] == [1, 2]


def test_a_booting_agent_leaves_at_once(scaler: StubScaler, tmp_path: Path) -> None:
    """A metadata server that does not answer must not delay it."""
    scaler.metadata_answers = False
    with running_agent(scaler, tmp_path) as agent:
        scaler.wait_for("metadata")
        agent.terminate()
        assert agent.wait(within=1) == ExitReason.STOPPED_PARKED.value


def test_sigterm_during_the_good_bye_keeps_the_outcome(scaler: StubScaler, tmp_path: Path) -> None:
    """The job was served; one more `end` goes out at once, then the agent leaves."""
    scaler.defaults["end"] = HANGING
    with running_agent(scaler, tmp_path, "listen", "job:build", "complete:Succeeded") as agent:
        scaler.wait_for("end")
        agent.terminate()
        assert agent.wait(within=9) == ExitReason.FINISHED.value
    assert [request.body["outcome"] for request in scaler.of("end")] == ["finished", "finished"]


def test_a_faulty_agent_still_obeys_sigterm(scaler: StubScaler, tmp_path: Path) -> None:
    """After a fault of its own it waits for the job, but not against the platform."""
    steps = ("ignore", "listen", "job:build", "daemon", "forever")
    with running_agent(scaler, tmp_path, *steps, fault_at="JobStarted", timing=SHORT) as agent:
        until(lambda: any("fault of the agent" in message for message in agent.messages), "the fault")
        until(lambda: len(agent.runner_pids()) == 3, "the runner's processes are there")
        agent.terminate()
        assert agent.wait(within=5) == ExitReason.INTERNAL.value
        assert agent.runner_processes_left() == []
