"""Cells are changed while jobs run: each job once, none stopped, and a verb that is killed goes on where it was."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cell_records.record import CellState
from tests.e2e.pool_world import COMMAND, POOL, PoolWorld, burst, kill_hard, pool_world, wait_until
from tests.e2e.test_burst import all_done, finished, nothing_left

OLD, NEW = "runner-pool/runner", "runner-pool/runner:new"


def worker_pools(world: PoolWorld) -> Mapping[str, Any]:
    """Every worker pool's JSON by its id."""
    cloud = world.emulator.cloud
    found = cloud.http.get(f"/v2/{cloud.parent}/workerPools").raise_for_status().json()
    return {each["name"].rpartition("/")[2]: each for each in found.get("workerPools", [])}


def images(world: PoolWorld) -> list[str]:
    """The image of each cell."""
    return [each["template"]["containers"][0]["image"] for each in worker_pools(world).values()]


def holds(world: PoolWorld) -> dict[str, str]:
    """The hold of each cell that has a record."""
    return {key.removeprefix("cells/"): record.hold for key, record in world.records().items()}


def begin(world: PoolWorld, verb: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A verb that runs beside the story; what it says stands in `<verb>.log`."""
    path = world.write_config(f"command-{verb}", port=1)
    with (world.folder / f"scaler-{verb}.log").open("ab") as log:
        return subprocess.Popen([*COMMAND, verb, "--config", str(path), *arguments], stdout=log, stderr=log)


def said(world: PoolWorld, verb: str) -> str:
    """What a verb that runs beside the story has said."""
    return (world.folder / f"scaler-{verb}.log").read_text(errors="replace")


def some_serve(world: PoolWorld) -> bool:
    """Whether a cell is open, or may be opened now, and nobody holds it."""
    now = time.time()
    return any(
        not record.hold
        and (record.state is CellState.OPEN or (record.state is CellState.ZERO and now > record.zeroed_at + 80.0))
        for record in world.records().values()
    )


def serves_to_its_end(world: PoolWorld, verb: subprocess.Popen[bytes], jobs: int) -> object:
    """True once the verb has ended; never may a queue be left without a cell to serve it."""
    ended = verb.poll() is not None
    if not ended and finished(world) < jobs:
        assert some_serve(world), f"no cell was left to serve: {holds(world)}\n{world.logs()}"
    return ended or said(world, "rollout")[-300:]


@pytest.mark.timeout(240)
def test_a_new_image_reaches_every_cell_while_jobs_run_though_scaler_and_verb_are_killed(
    tmp_path: Path,
) -> None:
    """Thirty jobs, a canary first, the verb killed when one cell was changed, and the scaler with it."""
    arguments = ("--pool", POOL, "--image", NEW, "--at-once", "4")
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 1, 1, 2, 2), max_instances=6) as world:
        first = world.start_scaler()
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(3, ledger, seconds="8")})
        wait_until(lambda: len(world.standing_leases()) == 3, seconds=60, what="three jobs", world=world)
        verb = begin(world, "rollout", *arguments)
        wait_until(lambda: NEW in images(world), seconds=60, what="one cell is changed", world=world)
        kill_hard(verb)
        kill_hard(first)
        assert images(world).count(NEW) == 1
        world.start_scaler()
        more = tmp_path / "more"
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(27, more, seconds="1")})
        verb = begin(world, "rollout", *arguments)
        wait_until(
            lambda: serves_to_its_end(world, verb, 30), seconds=150, what="the verb has ended", world=world
        )
        assert verb.returncode == 0, world.logs()
        assert set(images(world)) == {NEW}
        assert set(holds(world).values()) == {""}
        assert {record.canary_since for record in world.records().values()} == {0.0}
        wait_until(lambda: all_done(world, 30), seconds=60, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert sorted(map(int, ledger.read_text().split())) == list(range(3))
        assert sorted(map(int, more.read_text().split())) == list(range(27))
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []
