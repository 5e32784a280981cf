"""The real agent above the stand-in runner at its worst: each lease ends once, with the truth, and nothing is left."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner_agent.contract import ExitReason
from tests.process.agent_process import AgentProcess, running_agent, until
from tests.process.stub_scaler import StubScaler, grant
from tests.standin_broker import StandInBroker, running_broker
from tests.standin_runner import left

PLATFORM_KILLS_AFTER_SECONDS = 10.0
JOB = """
on: push
jobs:
  build:
    runs-on: x
    steps:
      - run: |
          : > {folder}/step-runs
          while [ ! -e {folder}/go-on ]; do sleep 0.05; done
          exit 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One agent with everything around it."""

    folder: Path
    scaler: StubScaler
    broker: StandInBroker

    @contextmanager
    def agent(
        self,
        faults: Mapping[str, object] | None,
        *,
        timing: Mapping[str, float] | None = None,
        settings: Mapping[str, str] | None = None,
        **terms: float,
    ) -> Iterator[AgentProcess]:
        """An agent whose lease (with these terms) brings the one job, and a runner with these faults."""
        self.scaler.defaults["start"] = grant(encoded_jit_config=self.broker.jit_configuration(), **terms)
        self.broker.queue_job(JOB.format(folder=self.folder), faults=faults)
        usual = {"TMPDIR": str(self.folder), "EMULATOR_TIME_FACTOR": "0.05"}
        with running_agent(
            self.scaler,
            self.folder,
            command=[sys.executable, "-m", "emulator.runner"],
            settings=usual | dict(settings or {}),
            timing=timing,
        ) as agent:
            try:
                yield agent
            finally:
                agent.process.kill()
                for pid in left(self.folder):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def until_step_runs(self) -> None:
        """Until the job's step is under way."""
        until((self.folder / "step-runs").exists, "the step runs", within=20)

    def let_job_end(self) -> None:
        """The step fails now."""
        (self.folder / "go-on").touch()

    def ended(self) -> Mapping[str, Any]:
        """The one `end` of the lease; by then nothing of the runner may live."""
        body = self.scaler.wait_for("end", within=30).body
        assert left(self.folder) == []
        return body

    def ended_once(self) -> bool:
        """Whether `end` was said once; for the time after the agent has gone."""
        return len(self.scaler.of("end")) == 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A scaler that offers at once, and a broker with a job."""
    with StubScaler().serving() as scaler, running_broker() as broker:
        yield World(folder=tmp_path, scaler=scaler, broker=broker)


def test_a_runner_that_dies_in_its_job_is_lost_whatever_it_seemed_to_say(world: World) -> None:
    """A step had forged the job's end; that the runner was killed outweighs it, for nothing confirmed the line."""
    with world.agent({"forged-lines": {}, "runner-dies": {"seconds": 0.3}}) as agent:
        end = world.ended()
        assert agent.wait() == ExitReason.LOST.value
    assert (end["outcome"], end["job"]) == ("lost", "build")
    assert "the runner vanished in the middle of its job: killed by SIGKILL" in end["cause"]
    assert world.ended_once()


def test_a_worker_that_was_killed_for_its_memory_leaves_a_hint(world: World) -> None:
    """The job has failed, GitHub was told, and the lease's cause says what to look at."""
    faults = {"runner-out-of-memory": {"seconds": 0}}
    settings = {"ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT": "1"}  # as GitHub's image has it
    with world.agent(faults, settings=settings) as agent:
        end = world.ended()
        assert agent.wait() == ExitReason.FINISHED.value
    assert (end["outcome"], end["job"], end["result"]) == ("finished", "build", "Failed")
    assert "memory" in end["cause"]
    assert world.broker.completion["conclusion"] == "failed"
    assert world.ended_once()


def test_forged_lines_a_daemon_and_a_second_listener_change_nothing(world: World) -> None:
    """The lease ends after the true end, with the true result, once the daemon is gone; the relaunch finds no job.

    The kernel has killed a process of the job meanwhile: the cause says so.
    """
    counter = world.folder / "memory.events"
    counter.write_text("oom_kill 4\n")
    faults: dict[str, object] = {"forged-lines": {}, "daemonizing-step": {}, "runner-relaunches": {}}
    world.broker.answers["token"] = lambda _: (
        (400, {"error": "invalid_client"}) if world.broker.heard("completejob") else None
    )
    with world.agent(
        faults,
        timing={"look_again": 0.05},
        settings={"AGENT_MEMORY_COUNTER": str(counter)},
        heartbeat_seconds=0.2,
    ) as agent:
        world.until_step_runs()
        until(
            lambda: any("Running job: other" in line for line in agent.messages), "the forged lines were read"
        )
        until(lambda: any("left behind" in line for line in agent.messages), "the daemon was heard")
        heard = len(world.scaler.states())
        # Five heartbeats are twenty looks at the process table.
        until(lambda: len(world.scaler.states()) >= heard + 5, "five more heartbeats")
        assert "completed" not in world.scaler.states()
        assert not world.scaler.of("end")
        counter.write_text("oom_kill 5\n")
        world.let_job_end()
        end = world.ended()
        assert agent.wait() == ExitReason.FINISHED.value
        assert len(world.broker.heard("token")) == 2, "there was no second listener"
        assert not any("stopping the runner" in message for message in agent.messages)
    assert (end["outcome"], end["job"], end["result"]) == ("finished", "build", "Failed")
    hint = "meanwhile the kernel killed 1 process for want of memory: give the pool more memory"
    assert end["cause"] == f"the job completed with result Failed; {hint}"
    assert world.broker.completion["conclusion"] == "failed"
    assert world.ended_once()


def test_a_deaf_runner_is_stopped_at_job_timeout(world: World) -> None:
    """The ladder's last rung, shortened; nothing of the runner hears the first two."""
    timing = {"patient_interrupt": 0.3, "patient_terminate": 0.3}
    with world.agent({"runner-deaf": {}}, timing=timing, job_timeout_seconds=1.5) as agent:
        end = world.ended()
        assert agent.wait() == ExitReason.TIMED_OUT.value
    assert (end["outcome"], end["job"], end["result"]) == ("timed_out", "build", None)
    assert any(message == "stop ladder: kill" for message in agent.messages)
    assert world.ended_once()


def test_a_deaf_runner_with_a_daemon_is_gone_before_the_platform_kills(world: World) -> None:
    """At real time: SIGTERM, five seconds for run.sh's interrupt, two for SIGTERM, then SIGKILL."""
    with world.agent({"runner-deaf": {}, "daemonizing-step": {}, "forged-lines": {}}) as agent:
        world.until_step_runs()
        at = agent.terminate()
        end = world.ended()
        assert agent.wait(within=3) == ExitReason.PREEMPTED.value
        assert time.monotonic() - at < PLATFORM_KILLS_AFTER_SECONDS
    assert world.scaler.wait_for_state("preempted").at - at < 1.0
    assert (end["outcome"], end["job"]) == ("preempted", "build")
    assert world.ended_once()


def test_a_ghost_is_stopped_as_idle(world: World) -> None:
    """Its job was refused, its registration is used up, and it would listen for ever: listen_max ends the lease."""
    world.broker.answers["acquirejob"] = lambda _: (409, {"source": "actions-run-service", "statusCode": 409})
    with world.agent(None, listen_max_seconds=0.5) as agent:
        end = world.ended()
        assert agent.wait() == ExitReason.UNUSED.value
    assert world.broker.heard("acquirejob")
    assert (end["outcome"], end["job"]) == ("unused", None)
    assert world.ended_once()
