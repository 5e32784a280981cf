"""How the stand-in runner ends when the service says no: every exit code of listener and scripts."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_broker import Answer, Call, StandInBroker, broker_error, running_broker
from tests.standin_runner import LISTENING, started_runner

DEPRECATED = "Runner version v2.337.0 is deprecated and cannot receive messages."
HURRY = "0.001"  # of the waits between retries


@pytest.fixture
def broker() -> Iterator[StandInBroker]:
    """A broker of its own for each test."""
    with running_broker() as running:
        yield running


def ended(
    broker: StandInBroker,
    folder: Path,
    *,
    trap: bool = True,
    configuration: str | None = None,
    **variables: str,
) -> tuple[int, list[str]]:
    """Runs a runner to its end: exit code and lines."""
    given = configuration or broker.jit_configuration()
    with started_runner(
        folder, configuration=given, trap=trap, variables={"EMULATOR_TIME_FACTOR": HURRY, **variables}
    ) as runner:
        return runner.exit_code(), runner.lines


def test_a_registration_deleted_while_idle_ends_the_runner_with_0(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """It was listening already: it cleans up, and does not close a session that is gone."""
    broker.answers["message"] = lambda _: broker_error("RunnerNotFound")
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert "The runner no longer exists on the server. Cleaning up local configuration." in lines
    assert "√ Removed .runner" in lines
    assert not broker.heard("DELETE session")


def test_a_registration_deleted_while_busy_cancels_the_job(broker: StandInBroker, tmp_path: Path) -> None:
    """As the real runner does since 2.336."""
    ready = tmp_path / "ready"
    broker.queue_job(
        f"on: push\njobs: {{build: {{runs-on: x, steps: [{{run: ': > {ready}; exec sleep 60'}}]}}}}\n"
    )
    broker.answers["message"] = lambda _: broker_error("RunnerNotFound") if ready.exists() else None
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert any("Job build completed with result: Canceled" in line for line in lines)
    assert broker.completion["conclusion"] == "canceled"


def test_a_registration_that_is_used_up_ends_the_runner_before_it_listens(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """The token endpoint says invalid_client; listener code 1, and 0 from the scripts."""
    broker.answers["token"] = lambda _: (400, {"error": "invalid_client"})
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert any(
        line.startswith("Failed to create a session. The runner registration has been deleted")
        for line in lines
    )
    assert "Runner listener exit with terminated error, stop the service, no retry needed." in lines


def test_a_runner_unknown_when_it_opens_its_session_is_a_terminated_error(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """Other words than while listening."""
    broker.answers["session"] = lambda _: broker_error("RunnerNotFound")
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert "An error occurred: Runner not found" in lines
    assert "Runner listener exit with terminated error, stop the service, no retry needed." in lines


@pytest.mark.parametrize(("variable", "expected"), [("1", 7), ("", 0)])
@pytest.mark.parametrize("trap", [True, False])
def test_a_version_too_old_is_told_by_7_only_when_asked(
    broker: StandInBroker, tmp_path: Path, variable: str, expected: int, *, trap: bool
) -> None:
    """ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE decides; the line is always there."""
    broker.answers["message"] = lambda _: broker_error("RunnerVersionTooOld", status=403, message=DEPRECATED)
    name = "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE"
    code, lines = ended(broker, tmp_path, trap=trap, **{name: variable})
    assert code == expected
    assert f"An error occurred: {DEPRECATED}" in lines


def test_a_session_conflict_is_retried_and_then_given_up(broker: StandInBroker, tmp_path: Path) -> None:
    """Eight retries, thirty seconds apart at real pace; listener code 5, and 0 from the scripts."""
    broker.answers["session"] = lambda _: (409, {"message": "conflict"})
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert lines.count("A session for this runner already exists.") == 1
    assert "Failed to create session. A session for this runner already exists." in lines
    assert "Runner listener exit with Session Conflict error, stop the service, no retry needed." in lines
    assert len(broker.heard("session")) == 9


def test_a_broker_that_cannot_be_reached_is_tried_until_it_answers(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """Two lines: when it begins and when it is over."""
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
    broker.answers["session"] = lambda _: (503, None) if len(broker.heard("session")) <= 3 else None
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert sum("Runner connect error: " in line for line in lines) == 1
    assert sum("Runner reconnected." in line for line in lines) == 1
    assert broker.completion["conclusion"] == "succeeded"


def test_a_poll_that_fails_ten_times_restarts_the_runner(broker: StandInBroker, tmp_path: Path) -> None:
    """Listener code 2; the next listener finds the registration deleted."""

    def token(_: Call) -> Answer | None:
        return (400, {"error": "invalid_client"}) if len(broker.heard("token")) > 1 else None

    broker.answers |= {"message": lambda _: (500, None), "token": token}
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert len(broker.heard("message")) == 10
    assert "Runner listener exit with retryable error, re-launch runner in 5 seconds." in lines
    assert "Restarting runner..." in lines
    assert any("The runner registration has been deleted" in line for line in lines)


def test_a_session_that_has_ended_is_opened_again(broker: StandInBroker, tmp_path: Path) -> None:
    """And the runner goes on listening."""
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")

    def message(_: Call) -> Answer | None:
        return broker_error("RunnerSessionInvalid", status=401) if len(broker.heard("message")) == 1 else None

    broker.answers["message"] = message
    code, _ = ended(broker, tmp_path)
    assert code == 0
    assert len(broker.heard("session")) == 2
    assert broker.completion["conclusion"] == "succeeded"


@pytest.mark.parametrize("status", [404, 409, 422])
def test_a_job_that_is_gone_sends_the_runner_back_to_listening(
    broker: StandInBroker, tmp_path: Path, status: int
) -> None:
    """The ghost: it never prints that it runs a job, and takes the next one if there is one."""
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
    gone = (status, {"source": "actions-run-service", "statusCode": status, "errorMessage": "gone"})
    broker.answers["acquirejob"] = lambda _: gone if len(broker.heard("acquirejob")) == 1 else None
    with started_runner(
        tmp_path,
        configuration=broker.jit_configuration(),
        variables={"ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT": "1"},
    ) as runner:
        runner.wait_for_line(r"^\[RUNNER .*Skipping message Job")
        broker.wait_for("message", count=2)
        assert not runner.said("Running job")
        broker.send("RunnerJobRequest", broker.reference())
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "succeeded"


def test_a_ghost_listens_for_ever(broker: StandInBroker, tmp_path: Path) -> None:
    """Its job was refused and its registration is used up: polls stay empty, and only a signal ends it.

    https://github.com/actions/runner/issues/4617
    """
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
    broker.answers |= {
        "acquirejob": lambda _: (409, {"source": "actions-run-service", "statusCode": 409}),
        "token": lambda _: (400, {"error": "invalid_client"}) if broker.heard("acquirejob") else None,
        "message": lambda _: (202, None) if broker.heard("acquirejob") else None,
    }
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        broker.wait_for("message", count=30)
        assert runner.process.poll() is None
        assert not runner.said("Running job")
        runner.signal(signal.SIGTERM)
        assert runner.exit_code() == 143
    assert not broker.heard("completejob")


def test_a_job_whose_lock_is_lost_is_abandoned(broker: StandInBroker, tmp_path: Path) -> None:
    """The run service no longer knows the job at a renewal: the worker is stopped."""
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'exec sleep 60'}]}}\n")
    gone = (404, {"source": "actions-run-service", "statusCode": 404, "errorMessage": "gone"})
    broker.answers["renewjob"] = lambda _: gone if len(broker.heard("renewjob")) > 5 else None
    code, lines = ended(broker, tmp_path)
    assert code == 0
    assert any("Job build completed with result: Abandoned" in line for line in lines)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ("bm90IGpzb24=", "The JIT configuration is not the base64 text that generate-jitconfig answers."),
        ("%%%", "The JIT configuration is not the base64 text that generate-jitconfig answers."),
        ("e30=", "The JIT configuration lacks '.runner'."),
    ],
)
def test_a_configuration_that_cannot_be_read_is_a_terminated_error(
    broker: StandInBroker, tmp_path: Path, configuration: str, said: str
) -> None:
    """The message never repeats the configuration, which is a secret."""
    code, lines = ended(broker, tmp_path, configuration=configuration)
    assert code == 0
    assert said in lines
    assert "Runner listener exit with terminated error, stop the service, no retry needed." in lines
    assert not any(configuration in line for line in lines)


def test_without_a_configuration_there_is_nothing_to_run(tmp_path: Path) -> None:
    """As `./run.sh` without `./config.sh`."""
    with started_runner(tmp_path) as runner:
        assert runner.exit_code() == 0
        assert runner.said("Runner is not configured.")


def test_the_configuration_may_come_as_an_argument(broker: StandInBroker, tmp_path: Path) -> None:
    """`run.sh --jitconfig …`, visible to everybody in the list of processes, as on the real runner."""
    broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
    with started_runner(tmp_path, "--jitconfig", broker.jit_configuration()) as runner:
        runner.wait_for_line(LISTENING)
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "succeeded"


@pytest.mark.parametrize(("trap", "expected"), [(True, 1), (False, 0)])
def test_root_is_refused_unless_it_is_allowed(tmp_path: Path, expected: int, *, trap: bool) -> None:
    """The real scripts refuse root in the same words; RUNNER_ALLOW_RUNASROOT lets it pass."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with started_runner(tmp_path, trap=trap, variables={"RUNNER_ALLOW_RUNASROOT": ""}) as runner:
        assert runner.exit_code() == expected
        assert runner.lines == ["Must not run interactively with sudo", "Exiting runner..."]
