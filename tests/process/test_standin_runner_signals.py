"""What signals do to the stand-in runner, at real time: what was measured on the real one's scripts."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin_broker import StandInBroker, running_broker
from tests.standin_runner import LISTENING, RunningRunner, processes, started_runner, wait_until

LOOP = "while true; do sleep 0.1; done"
LADDER_SECONDS = 10.0  # 7.5 s after SIGINT, 2.5 s after SIGTERM


@pytest.fixture
def broker() -> Iterator[StandInBroker]:
    """A broker of its own for each test."""
    with running_broker() as running:
        yield running


def sleeping_job(
    broker: StandInBroker, ready: Path, *, prelude: str = "", sleep: str = "exec sleep 60"
) -> None:
    """Queues a job whose step says that it runs by making a file, and then sleeps."""
    broker.queue_job(
        f"""
on: push
jobs:
  build:
    runs-on: x
    steps:
      - run: |
          {prelude}
          : > {ready}
          {sleep}
      - run: echo not-reached
      - {{run: echo in-any-case, if: always()}}
"""
    )


def wait_for_step(ready: Path) -> None:
    """Waits until the sleeping job's step runs."""
    wait_until(lambda: ready.exists() or None, f"the step to make {ready}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_an_idle_runner_in_good_order(
    broker: StandInBroker, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """The session is closed; the registration's files are not removed, because it was never used."""
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        runner.wait_for_line(LISTENING)
        runner.signal(number)
        assert runner.exit_code() == code
    assert broker.heard("DELETE session")
    runner.wait_for_line("^Exiting...$")
    assert not runner.said("Removed")


def test_a_signal_that_finds_the_listener_half_started_is_not_lost(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """The listener inherits signals blocked, and takes them once it can."""
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        runner.pid_of("Runner.Listener")
        runner.signal(signal.SIGTERM)
        assert runner.exit_code() == 143


# The first SIGINT is the process group's; the second is the worker's own, which knows of the shutdown by then.
ENDS_AT_THE_SECOND_INTERRUPT = "n=0; trap 'n=$((n+1)); test $n -lt 2 || exit 1' INT"


def test_sigterm_while_a_job_runs_fails_the_job(broker: StandInBroker, tmp_path: Path) -> None:
    """No later step runs, not even with always(); the listener's line says Canceled all the same.

    A step that dies of the group's own SIGINT may end before the worker hears of the shutdown, and an always() step begin.
    """
    ready = tmp_path / "ready"
    sleeping_job(
        broker,
        ready,
        prelude=ENDS_AT_THE_SECOND_INTERRUPT,
        sleep="while :; do sleep 60 >/dev/null 2>&1 & wait; done",
    )
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        runner.signal(signal.SIGTERM)
        assert runner.exit_code() == 143
    assert broker.completion["conclusion"] == "failed"
    assert "The runner has received a shutdown signal." in broker.log
    assert "in-any-case" not in broker.log
    assert runner.said("Job build completed with result: Canceled")
    assert broker.heard("DELETE session")


def test_a_step_that_ignores_signals_is_killed_after_the_ladder(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL for the step and its children."""
    ready = tmp_path / "ready"
    sleeping_job(broker, ready, prelude="trap '' INT TERM")
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        began = time.monotonic()
        runner.signal(signal.SIGTERM)
        assert runner.exit_code(seconds=40) == 143
        took = time.monotonic() - began
    assert LADDER_SECONDS <= took < LADDER_SECONDS + 10
    assert broker.completion["conclusion"] == "failed"


def test_a_second_sigterm_ends_the_front_process_alone(broker: StandInBroker, tmp_path: Path) -> None:
    """run.sh takes its trap away after the first signal; the listener finishes what it has begun."""
    ready = tmp_path / "ready"
    sleeping_job(broker, ready, prelude="trap 'sleep 1.5; exit 1' INT", sleep=LOOP)
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        runner.signal(signal.SIGTERM)
        runner.wait_for_line("^Exiting...$")
        runner.signal(signal.SIGTERM)
        assert runner.exit_code() == -signal.SIGTERM
        broker.wait_for("completejob")
        broker.wait_for("DELETE session")
    assert broker.completion["conclusion"] == "failed"


def test_without_the_trap_sigterm_leaves_the_listener_alone(broker: StandInBroker, tmp_path: Path) -> None:
    """The front process dies at once, and an orphan goes on listening."""
    with started_runner(tmp_path, configuration=broker.jit_configuration(), trap=False) as runner:
        runner.wait_for_line(LISTENING)
        listener = runner.pid_of("Runner.Listener")
        runner.signal(signal.SIGTERM)
        assert runner.exit_code() == -signal.SIGTERM
        assert listener in dict(processes())
        broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
        broker.wait_for("completejob")
        wait_until(lambda: listener not in dict(processes()) or None, "the orphan to end after its job")


def test_without_the_trap_sigint_to_the_front_process_does_nothing(
    broker: StandInBroker, tmp_path: Path
) -> None:
    """A shell that waits for its child takes SIGINT as meant for the child."""
    with started_runner(tmp_path, configuration=broker.jit_configuration(), trap=False) as runner:
        runner.wait_for_line(LISTENING)
        runner.signal(signal.SIGINT)
        broker.queue_job("on: push\njobs: {build: {runs-on: x, steps: [{run: 'true'}]}}\n")
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "succeeded"


def test_sigterm_to_the_listener_itself_ends_it_quietly(broker: StandInBroker, tmp_path: Path) -> None:
    """Only SIGINT makes it say that it exits."""
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        runner.wait_for_line(LISTENING)
        _send(runner, "Runner.Listener", signal.SIGTERM)
        assert runner.exit_code() == 0
    assert not runner.said("Exiting...\n")
    assert broker.heard("DELETE session")


def test_a_worker_that_is_killed_fails_its_job(broker: StandInBroker, tmp_path: Path) -> None:
    """The listener reports it to the run service in the worker's place, without a word on the steps."""
    ready = tmp_path / "ready"
    sleeping_job(broker, ready, sleep=LOOP)
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        _send(runner, "Runner.Worker", signal.SIGKILL)
        assert runner.exit_code() == 0
        assert runner.said("Job build completed with result: Failed")
        for pid, command in processes():
            if f"{tmp_path}/" in command:  # the step lives on, as it does when a real worker is killed
                _kill(pid)
    assert broker.completion["conclusion"] == "failed"
    assert broker.completion["stepResults"] == []


def test_the_server_can_cancel_a_job(broker: StandInBroker, tmp_path: Path) -> None:
    """A cancelled job is not a failed one, and steps that say always() run."""
    ready = tmp_path / "ready"
    sleeping_job(broker, ready)
    assert broker.job is not None
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        broker.send("JobCancellation", {"jobId": broker.job["jobId"], "timeout": "00:05:00"})
        assert runner.exit_code() == 0
    assert broker.completion["conclusion"] == "canceled"
    assert "in-any-case" in broker.log
    assert "The operation was canceled." in broker.log


def test_steps_share_the_process_group_of_listener_and_worker(broker: StandInBroker, tmp_path: Path) -> None:
    """So one signal for the group reaches all; the front process stands outside."""
    ready = tmp_path / "ready"
    sleeping_job(broker, ready, sleep=LOOP)
    with started_runner(tmp_path, configuration=broker.jit_configuration()) as runner:
        wait_for_step(ready)
        listener, worker = runner.pid_of("Runner.Listener"), runner.pid_of("Runner.Worker")
        step = next(pid for pid, command in processes() if f"{tmp_path}/" in command and ".sh\0" in command)
        assert _group(listener) == _group(worker) == _group(step) == listener
        assert _group(runner.process.pid) != listener
        runner.signal(signal.SIGTERM)
        runner.exit_code()


def _group(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[2])


def _send(runner: RunningRunner, name: str, number: signal.Signals) -> None:
    os.kill(runner.pid_of(name), number)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
