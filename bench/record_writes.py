"""How many writes to the records one job costs, counted in the store itself while real jobs run in the stand-in world."""

import os
import shlex
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from bench.agent_program import ROOT
from bench.measures import Row
from runner_pool.demo.configuration import DEPLOYMENT, POOL, ScalerConfiguration, write_configuration
from runner_pool.provision import create_cells
from runner_pool.world import World

NAME = "record-writes"
JOBS = 40
INSTANCES = 8
CELL_SIZES = (1, 1, 2, 2, 2, 4, 4)
_REPOSITORY = "widgets"
_DEADLINE_SECONDS = 120.0
_LABELS = ("self-hosted", "linux")
_WORKFLOW = f"""
name: burst
on: push
jobs:
  one:
    strategy:
      fail-fast: false
      matrix:
        number: [{", ".join(map(str, range(JOBS)))}]
    runs-on: [self-hosted, linux]
    steps:
      - run: sleep 0.2
"""


def row() -> Row:
    """Measure."""
    with World.started(env=os.environ) as world:
        configuration = _started_scaler(world)
        before, begun = _versions(configuration), time.monotonic()
        world.door.push(f"acme/{_REPOSITORY}", {"burst.yml": _WORKFLOW}, source=None)
        _await(lambda: _done(world) == JOBS, lambda: f"{_done(world)} of {JOBS} jobs have succeeded")
        _await(lambda: world.door.snapshot().is_empty, lambda: f"left: {world.door.snapshot().counts}")
        lasted = time.monotonic() - begun
        after = _versions(configuration)
    growth = {key: version - before.get(key, 0) for key, version in after.items()}
    of_cells = sum(count for key, count in growth.items() if key.startswith("cell"))
    others = sum(growth.values()) - of_cells
    return Row(
        bench=NAME,
        measured=f"{of_cells / JOBS:.1f} a job in the cells' records (opening and closing of {INSTANCES} instances' cells "
        f"included), and {others / lasted * 60:.0f} a minute in the deployment's, whatever runs",
        runs=f"1, of {JOBS} jobs in {lasted:.0f} s",
    )


def _started_scaler(world: World) -> ScalerConfiguration:
    place = world.announcement
    app = world.door.set_up_organization("acme", repository=_REPOSITORY)
    configuration = write_configuration(
        folder=world.private_folder,
        announcement=place,
        app=app,
        labels=_LABELS,
        max_instances=INSTANCES,
    )
    home = world.folder / "runner-home"
    home.mkdir()
    create_cells(
        cloud_url=place.cloud_url,
        project=place.project,
        region=place.region,
        deployment=DEPLOYMENT,
        pool=POOL,
        sizes=CELL_SIZES,
        command=(sys.executable, "-m", "runner_agent"),
        env=_cell_environment(home, scaler_url=configuration.url),
    )
    command = [sys.executable, "-m", "runner_pool", "serve", "--config", str(configuration.path)]
    world.start("the scaler", command)
    _await(lambda: _ready(configuration.url), lambda: "the scaler is ready")
    world.door.set_webhook(f"{configuration.url}/webhooks/github", secret=configuration.webhook_secret)
    return configuration


def _cell_environment(home: Path, *, scaler_url: str) -> Mapping[str, str]:
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": str(ROOT),
        "RUNNER_POOL_SCALER_URL": scaler_url,
        "RUNNER_POOL_RUNNER_COMMAND": shlex.join([sys.executable, "-m", "emulator.runner"]),
        "RUNNER_POOL_RUNNER_HOME": str(home),
        "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
        "RUNNER_POOL_ALLOW_SAME_USER": "yes",
    }


def _versions(configuration: ScalerConfiguration) -> dict[str, int]:
    """Key -> version; each write adds one to a version."""
    connection = sqlite3.connect(configuration.records.removeprefix("sqlite:"), timeout=5.0)
    try:
        return dict(connection.execute("SELECT key, version FROM records").fetchall())
    finally:
        connection.close()


def _done(world: World) -> int:
    world.require_alive()
    return sum(job.conclusion == "success" for job in world.door.jobs())


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _await(fact: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not fact():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {_DEADLINE_SECONDS:g} s: {what()}")
        time.sleep(0.1)
