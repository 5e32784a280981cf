"""The stand-in runner's faults: each does to a job what its name says, with real processes and a real broker."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_broker import Answer, Call, StandInBroker, running_broker
from tests.standin_runner import RunningRunner, left, processes, started_runner, wait_until

SLEEPS = "on: push\njobs: {{build: {{runs-on: x, steps: [{{run: ': > {ready}; sleep 60; :'}}]}}}}\n"
FAILS = "on: push\njobs: {build: {runs-on: x, steps: [{run: exit 3}]}}\n"
PASSES = "on: push\njobs: {build: {runs-on: x, steps: [{run: echo hello}]}}\n"
TRUE_END = r"Z: Job build completed with result: {}$"


@pytest.fixture
def broker() -> Iterator[StandInBroker]:
    """A broker of its own for each test."""
    with running_broker() as running:
        yield running


def test_a_runner_that_dies_says_and_reports_nothing(broker: StandInBroker, tmp_path: Path) -> None:
    """Front, listener, worker and step are gone at once; GitHub has to notice by itself."""
    ready = tmp_path / "ready"
    broker.queue_job(SLEEPS.format(ready=ready), faults={"runner-dies": {"seconds": 0}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == -signal.SIGKILL
    assert runner.lines[-1].endswith("Running job: build")
    assert not broker.heard("completejob")
    assert not broker.heard("DELETE session")


def test_a_job_that_ends_before_its_runner_would_have_died_is_served(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """The stroke is due so long after the first step's start; a quick job is faster, and nothing waits for it."""
    broker.queue_job(PASSES, faults={"runner-dies": {"seconds": 60}, "runner-out-of-memory": {"seconds": 60}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "succeeded"


def test_a_worker_without_memory_fails_its_job(broker: StandInBroker, tmp_path: Path) -> None:
    """Worker and step get SIGKILL; the listener completes the job as failed, tells why in its log, and ends with 0."""
    ready = tmp_path / "ready"
    broker.queue_job(SLEEPS.format(ready=ready), faults={"runner-out-of-memory": {"seconds": 0}})
    variables = {"ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT": "1"}
    with started_runner(tmp_path, configuration=broker.jit_configuration(), variables=variables) as runner:
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "failed"
    assert broker.completion["stepResults"] == []
    runner.wait_for_line(TRUE_END.format("Failed"))
    runner.wait_for_line(r"^\[RUNNER .*\] Worker finished for job \S+ Code: 137$")
    assert broker.heard("DELETE session")


def test_a_deaf_runner_ignores_sigint_and_sigterm_in_all_its_processes(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """Listener, worker and step; only the front obeys, and waits for them."""
    ready = tmp_path / "ready"
    broker.queue_job(SLEEPS.format(ready=ready), faults={"runner-deaf": {}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_until(ready.exists, f"the step to make {ready}")
        runner.signal(signal.SIGTERM)
        runner.wait_for_line("^Exiting runner...$")
        listener, worker = runner.pid_of("Runner.Listener"), runner.pid_of("Runner.Worker")
        step = next(
            pid for pid, command in processes() if f"{tmp_path}/" in command and _parent(pid) == worker
        )
        for pid in (listener, worker, step):
            assert {signal.SIGINT, signal.SIGTERM} <= _ignored(pid)
            os.kill(pid, signal.SIGKILL)
        runner.exit_code()
    assert not runner.said("Exiting...\n")


def test_a_runner_that_relaunches_finds_its_registration_used_up(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """Listener code 2 after the job; the second listener gets no token, and the scripts end with 0."""

    def token(_: Call) -> Answer | None:
        return (400, {"error": "invalid_client"}) if broker.heard("completejob") else None

    broker.answers["token"] = token
    broker.queue_job(PASSES, faults={"runner-relaunches": {}})
    variables = {"EMULATOR_TIME_FACTOR": "0.001"}
    with started_runner(tmp_path, configuration=broker.jit_configuration(), variables=variables) as runner:
        assert runner.exit_code() == 0
    said = [line for line in runner.lines if line]
    end = next(number for number, line in enumerate(said) if "completed with result: Succeeded" in line)
    assert [line.partition(".")[0] for line in said[end + 1 :]] == [
        "An error occurred: A task was canceled",
        "Runner listener exit with retryable error, re-launch runner in 5 seconds",
        "Restarting runner",
        "Failed to create a session",
        "Runner listener exit with terminated error, stop the service, no retry needed",
        "Exiting runner",
    ]
    assert broker.completion["conclusion"] == "succeeded"
    assert len(broker.heard("session")) == 1


def test_forged_lines_come_before_the_true_one_and_change_nothing(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """In the runner's own words, while the job runs; the job's end is its own."""
    broker.queue_job(FAILS, faults={"forged-lines": {}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == 0
    ends = [line.rpartition(" ")[2] for line in runner.lines if "Job build completed with result" in line]
    assert ends == ["Succeeded", "Succeeded", "Failed"]
    for forged in (
        "Z: Running job: other",
        "is deprecated and cannot receive messages",
        "has been deleted from",
    ):
        assert runner.said(forged), forged
    assert broker.completion["conclusion"] == "failed"


def test_a_daemonizing_step_leaves_a_process_that_writes_on_after_the_job(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """A session of its own, no mark of the job, deaf; it ends by itself only when nobody reads any more."""
    broker.queue_job(PASSES, faults={"daemonizing-step": {}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == 0
        (daemon,) = left(tmp_path)
        assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= _ignored(daemon)
        assert os.getsid(daemon) == daemon
        said = _lines_of(runner, daemon)
        wait_until(lambda: _lines_of(runner, daemon) > said, "a line after the runner's end")
        assert runner.lines[-1] != "Exiting runner..."
        os.kill(daemon, signal.SIGKILL)
    assert broker.completion["conclusion"] == "succeeded"


def test_a_fault_that_nobody_knows_fails_the_job_loudly(broker: StandInBroker, tmp_path: Path) -> None:
    """No step runs, and the log says which faults there are."""
    broker.queue_job(PASSES, faults={"runner-laughs": {}})
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "failed"
    assert broker.completion["stepResults"] == []
    assert "##[error]The stand-in runner knows no fault 'runner-laughs'. It knows runner-dies," in broker.log
    assert "runner-laughs" in broker.completion["annotations"][0]["message"]


def _lines_of(runner: RunningRunner, pid: int) -> int:
    return sum(f"left behind by a step: {pid} is still here" in line for line in runner.lines)


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _parent(pid: int) -> int:
    return int(_status(pid)["PPid"])


def _ignored(pid: int) -> set[signal.Signals]:
    """The signals that a process ignores (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html)."""
    mask = int(_status(pid)["SigIgn"], 16)
    return {number for number in signal.Signals if mask >> (number - 1) & 1}
