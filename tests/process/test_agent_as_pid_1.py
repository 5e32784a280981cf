"""The agent as the first process of a PID namespace, which is what it is in a container."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from runner_agent.process_tree import all_below
from tests.process.agent_process import AgentProcess, running_agent, until
from tests.process.stub_scaler import NOTHING, StubScaler

NEW_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def namespaces_can_be_made() -> bool:
    """Only with root's rights, and not in every container."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run([*NEW_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not namespaces_can_be_made(), reason="no PID namespace can be made here")


@pytest.fixture
def scaler() -> Iterator[StubScaler]:
    """A scaler that offers at once."""
    with StubScaler().serving() as stub:
        yield stub


def pid_of(agent: AgentProcess) -> int:
    """The agent's pid as seen from outside its namespace."""
    return all_below(agent.process.pid)[0].pid


def test_pid_1_adopts_and_reaps_what_a_job_leaves_behind(scaler: StubScaler, tmp_path: Path) -> None:
    """Daemons that nobody else would wait for; while the job runs they are left alone."""
    go_on = tmp_path / "go-on"
    steps = ("listen", "job:build", "daemon", "daemon", f"wait_for:{go_on}", "complete:Succeeded")
    with running_agent(scaler, tmp_path, *steps, before=NEW_NAMESPACE) as agent:
        until(lambda: len(agent.runner_pids()) == 4, "the runner's processes are there")
        # Agent, runner, worker, two daemons; what stood between runner and daemons has been reaped.
        until(lambda: len(all_below(agent.process.pid)) == 5, "nothing but these is there")
        go_on.touch()
        assert agent.wait() == ExitReason.FINISHED.value
    assert scaler.wait_for("end").body["outcome"] == "finished"
    assert [entry for entry in agent.entries if entry["severity"] != "INFO"] == []


def test_pid_1_obeys_sigterm(scaler: StubScaler, tmp_path: Path) -> None:
    """A first process without a handler would never hear it."""
    scaler.defaults["park"] = NOTHING
    with running_agent(scaler, tmp_path, before=NEW_NAMESPACE) as agent:
        scaler.wait_for("park")
        at = time.monotonic()
        os.kill(pid_of(agent), signal.SIGTERM)
        assert agent.wait(within=2) == ExitReason.STOPPED_PARKED.value
        assert time.monotonic() - at < 1


def test_pid_1_stops_a_job_that_ignores_everything(scaler: StubScaler, tmp_path: Path) -> None:
    """Shortened; the ladder at real time has its own test."""
    timing = {"hurried_interrupt": 0.5, "hurried_terminate": 0.5}
    steps = ("ignore", "listen", "job:build", "daemon", "forever")
    with running_agent(scaler, tmp_path, *steps, before=NEW_NAMESPACE, timing=timing) as agent:
        until(lambda: len(agent.runner_pids()) == 3, "the runner's processes are there")
        scaler.wait_for_state("running")
        os.kill(pid_of(agent), signal.SIGTERM)
        scaler.wait_for("end")
        assert agent.wait(within=2) == ExitReason.PREEMPTED.value
    assert scaler.wait_for("end").body["outcome"] == "preempted"
