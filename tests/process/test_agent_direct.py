"""Direct registration with the stand-in GitHub and its runner: a real job, a real record, no scaler."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cell_records.change import read_cell
from cell_records.codec import cell_text, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord, Gate
from cell_records.sqlite import SqliteStore
from cell_records.store import DEPLOYMENT_KEY, cell_key
from runner_agent.contract import ExitReason
from tests.emulator_process import Emulator, eventually, running_emulator
from tests.process.agent_process import ROOT, AgentProcess

CELL = "linux-a1"
WORKFLOW = """
on: push
jobs:
  {name}:
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          test -z "$ACTIONS_RUNNER_INPUT_JITCONFIG$RUNNER_POOL_GITHUB_APP_KEY$APP_KEY"
          {command}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A stand-in GitHub, a record store, an App."""

    emulator: Emulator
    store: SqliteStore
    settings: dict[str, str]

    @property
    def record(self) -> CellRecord:
        record = read_cell(self.store, CELL)
        assert record is not None
        return record

    def allow(self, leases: int) -> None:
        """What `once` does, and an open gate with it."""
        for key, text in (
            (
                cell_key(CELL),
                cell_text(
                    CellRecord(
                        owner="main", uid="u", gate=Gate.OPEN, zero_seen=False, zeroed_at=time.time() - 60
                    )
                ),
            ),
            (DEPLOYMENT_KEY, deployment_text(DeploymentRecord(owner="main", allowed={CELL: leases}))),
        ):
            standing = self.store.read(key)
            self.store.compare_and_set(key, text, expected=standing.version if standing else None)

    def push(self, name: str, command: str) -> None:
        """Queue one job."""
        self.emulator.github.push(
            "acme/widgets", {f"{name}.yml": WORKFLOW.format(name=name, command=command)}
        )

    def conclusion(self, name: str) -> str | None:
        """Of a job, None while it has none."""
        (job,) = [job for job in self.emulator.github.jobs() if job["name"] == name]
        conclusion: str | None = job["conclusion"]
        return conclusion


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests here: starting it takes longer than they do."""
    folder = tmp_path_factory.mktemp("direct")
    with running_emulator(folder / "state") as emulator:
        app = emulator.github.setup()
        settings = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "APP_KEY": app["private_key"],
            "RUNNER_POOL_REGISTRATION": "direct",
            "RUNNER_POOL_CELL": CELL,
            "RUNNER_POOL_DEPLOYMENT": "main",
            "RUNNER_POOL_POOL": "linux",
            "RUNNER_POOL_RECORDS": f"sqlite:{folder / 'records.db'}",
            "RUNNER_POOL_GITHUB_URL": emulator.github_api_url,
            "RUNNER_POOL_GITHUB_APP_ID": app["client_id"],
            "RUNNER_POOL_GITHUB_APP_KEY": "env:APP_KEY",
            "RUNNER_POOL_GITHUB_SCOPE": "acme",
            "RUNNER_POOL_LABELS": "self-hosted,linux",
            "RUNNER_POOL_RUNNER_COMMAND": shlex.join([sys.executable, "-m", "emulator.runner"]),
            "RUNNER_POOL_RUNNER_HOME": str(folder),
            "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
            "RUNNER_POOL_ALLOW_SAME_USER": "yes",
            "GCE_METADATA_HOST": "127.0.0.1:1",
        }
        yield World(emulator=emulator, store=SqliteStore(str(folder / "records.db")), settings=settings)


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Iterator[AgentProcess]:
    """A direct agent in that world."""
    process = subprocess.Popen(
        [sys.executable, "-m", "runner_agent"],
        env=world.settings,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    running = AgentProcess(process, tmp_path / "pids")
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            running._reader.join(timeout=5)
            process.stdout.close()


def test_a_job_is_served_without_a_scaler(world: World, agent: AgentProcess) -> None:
    """Parked until the records allow a lease; then registered, run, ended. The key reaches no step."""
    eventually(lambda: agent.messages, lambda said: "booting -> parked" in said, what="the agent is parked")
    world.push("served", "echo hello")
    world.allow(1)
    assert agent.wait(within=30) == ExitReason.FINISHED.value, agent.lines
    assert world.conclusion("served") == "success"
    assert world.record.leases == ()
    assert len(world.record.ended_boots) == 1
    assert world.emulator.github.registrations() == []


def test_a_preempted_job_leaves_no_lease(world: World, agent: AgentProcess, tmp_path: Path) -> None:
    """The stand-in runner obeys the interrupt as the real one does; the lease is given back after it."""
    step_runs = tmp_path / "step-runs"
    world.allow(1)
    world.push("preempted", f"touch {step_runs}; sleep 60")
    eventually(step_runs.exists, lambda there: there, what="the step runs", deadline_seconds=40)
    agent.terminate()
    eventually(lambda: world.record.leases, lambda leases: not leases, what="the lease has left the record")
    assert agent.wait(within=10) == ExitReason.PREEMPTED.value
    # A runner that had to be killed is missed only when its lock expires: 10 min of the stand-in's shortened time.
    conclusion = eventually(
        lambda: world.conclusion("preempted"),
        lambda said: said,
        what="GitHub knows how the job ended",
        deadline_seconds=60,
    )
    assert conclusion in {"failure", "cancelled"}


def test_a_shared_account_is_refused_here_too(world: World) -> None:
    """A step could read the App's key; nothing was asked of anybody."""
    settings = {**world.settings, "RUNNER_POOL_ALLOW_SAME_USER": "no"}
    done = subprocess.run(
        [sys.executable, "-m", "runner_agent"],
        env=settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == ExitReason.SAME_USER.value, done.stdout
    assert f"uid {os.getuid()}" in done.stdout
