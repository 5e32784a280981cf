"""Cells are changed while jobs run: each job once, none stopped, and a verb that is killed goes on where it was."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cell_records.record import CellState
from tests.e2e.pool_world import (
    COMMAND,
    POOL,
    RUNNER,
    PoolWorld,
    burst,
    kill_hard,
    pool_world,
    wait_until,
)
from tests.e2e.test_burst import all_done, assert_each_job_once, finished, nothing_left

OLD, NEW = "runner-pool/runner", "runner-pool/runner:new"


def worker_pools(world: PoolWorld) -> Mapping[str, Any]:
    """Every worker pool's JSON by its id."""
    cloud = world.emulator.cloud
    found = cloud.http.get(f"/v2/{cloud.parent}/workerPools").raise_for_status().json()
    return {each["name"].rpartition("/")[2]: each for each in found.get("workerPools", [])}


def images(world: PoolWorld) -> list[str]:
    """The image of each cell."""
    return [each["template"]["containers"][0]["image"] for each in worker_pools(world).values()]


def secrets(world: PoolWorld) -> set[str]:
    """The secrets of all cells."""
    return {variable(world, cell, "RUNNER_POOL_CELL_SECRET") for cell in worker_pools(world)}


def holds(world: PoolWorld) -> dict[str, str]:
    """The hold of each cell that has a record."""
    return {key.removeprefix("cells/"): record.hold for key, record in world.records().items()}


def begin(world: PoolWorld, verb: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A verb that runs beside the story; what it says stands in `<verb>.log`."""
    path = world.write_config(f"command-{verb}", port=1)
    with (world.folder / f"scaler-{verb}.log").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, verb, "--config", str(path), *arguments], stdout=log, stderr=log
        )
    world.scalers.append(process)  # so that it ends with the world
    return process


def said(world: PoolWorld, verb: str) -> str:
    """What a verb that runs beside the story has said."""
    return (world.folder / f"scaler-{verb}.log").read_text(errors="replace")


def some_serve(world: PoolWorld) -> bool:
    """Whether a cell is open, or may be opened now, and nobody holds it."""
    now = time.time()
    return any(
        not record.hold
        and (
            record.state is CellState.OPEN
            or (record.state is CellState.ZERO and now > record.zeroed_at + 80.0)
        )
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
    """And new secrets with it: eighteen jobs, a canary first; the verb killed when one cell was changed, and the scaler too."""
    arguments = ("--pool", POOL, "--image", NEW, "--rotate-secrets", "--at-once", "4")
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 1, 1, 2, 2), max_instances=6) as world:
        first, old = world.start_scaler(), secrets(world)
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(3, ledger, seconds="8")})
        wait_until(lambda: len(world.standing_leases()) == 3, seconds=60, what="three jobs", world=world)
        verb = begin(world, "rollout", *arguments)
        wait_until(lambda: NEW in images(world), seconds=60, what="one cell is changed", world=world)
        kill_hard(verb)
        kill_hard(first)
        assert images(world).count(NEW) == 1
        world.start_scaler()
        more, so_far = tmp_path / "more", len(said(world, "rollout"))
        verb = begin(world, "rollout", *arguments)
        # Sooner, and on a busy machine other cells have done them all before the canary serves.
        wait_until(
            lambda: "canary: no job" in said(world, "rollout")[so_far:],
            seconds=60,
            what="the canary waits for a job",
            world=world,
        )
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(15, more, seconds="1")})
        wait_until(
            lambda: serves_to_its_end(world, verb, 18), seconds=150, what="the verb has ended", world=world
        )
        assert verb.returncode == 0, world.logs()
        assert set(images(world)) == {NEW}
        assert len(old | secrets(world)) == 12, "a secret was not rotated, or was given twice"
        assert set(holds(world).values()) == {""}
        assert {record.canary_since for record in world.records().values()} == {0.0}
        wait_until(lambda: all_done(world, 18), seconds=60, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert sorted(map(int, ledger.read_text().split())) == list(range(3))
        assert sorted(map(int, more.read_text().split())) == list(range(15))
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []


def variable(world: PoolWorld, cell: str, name: str) -> str:
    """A variable of a cell's template."""
    env = worker_pools(world)[cell]["template"]["containers"][0]["env"]
    return str(next(each["value"] for each in env if each["name"] == name))


@pytest.mark.timeout(240)
def test_a_template_whose_runner_cannot_start_stops_at_its_canary_and_goes_back(tmp_path: Path) -> None:
    """The other cells are untouched and serve every job; the way back needs no canary, since they show that it works."""
    command, ledger = "RUNNER_POOL_RUNNER_COMMAND", tmp_path / "ledger"
    # Two instances of the canary fail at once, which would hold back a whole pool if the image were everybody's.
    with pool_world(tmp_path / "w", sizes=(2, 2, 2), max_instances=6) as world:
        world.start_scaler()
        world.emulator.github.push("acme/widgets", {"first.yml": burst(1, tmp_path / "first")})
        wait_until(lambda: all_done(world, 1), seconds=60, what="one job done", world=world)
        verb = begin(world, "rollout", "--pool", POOL, "--env", f"{command}=/nowhere/run.sh")
        wait_until(
            lambda: "canary: no job" in said(world, "rollout"), seconds=60, what="the canary", world=world
        )
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(8, ledger)})
        wait_until(lambda: verb.poll() is not None, seconds=90, what="the verb has ended", world=world)
        assert verb.returncode == 14, world.logs()
        (held,) = (cell for cell, hold in holds(world).items() if hold)
        words = said(world, "rollout")
        assert (
            f"The new template has failed: cell {held}: a lease ended without a job: runner failed" in words
        )
        assert "To go back: runner-pool rollout" in words
        commands = {cell: variable(world, cell, command) for cell in worker_pools(world)}
        assert [cell for cell, each in commands.items() if each != RUNNER] == [held]
        wait_until(lambda: all_done(world, 9), seconds=90, what="all jobs done", world=world)
        back = world.run("rollout", "--pool", POOL, "--env", f"{command}={RUNNER}", "--timeout", "90s")
        assert back.returncode == 0, f"{back.stdout}{back.stderr}\n{world.logs()}"
        assert {variable(world, cell, command) for cell in worker_pools(world)} == {RUNNER}
        assert set(holds(world).values()) == {""}
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert sorted(map(int, ledger.read_text().split())) == list(range(8))
        assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []


@pytest.mark.timeout(240)
def test_cells_are_resized_drained_resumed_and_deleted_while_jobs_run(tmp_path: Path) -> None:
    """Two resizes at once, the scaler killed under a drain, a deletion killed in the middle of it; no job is stopped."""
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 1, 1), max_instances=2) as world:
        first = world.start_scaler()
        wait_until(lambda: len(world.records()) == 4, seconds=30, what="records", world=world)
        sizes = ("--cell", "linux-s1-4=2", "--cell", "linux-s1-3=3")
        resizes = [begin(world, "resize", *sizes), begin(world, "resize", *sizes)]
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(8, ledger, seconds="3")})
        wait_until(lambda: len(world.standing_leases()) == 2, seconds=60, what="two jobs run", world=world)
        wait_until(
            lambda: all(each.poll() is not None for each in resizes), seconds=60, what="resized", world=world
        )
        assert [each.returncode for each in resizes] == [0, 0], world.logs()
        labels = {cell: each["labels"]["runner-pool-size"] for cell, each in worker_pools(world).items()}
        assert labels == {"linux-s1-1": "1", "linux-s1-2": "1", "linux-s1-3": "3", "linux-s1-4": "2"}

        drain = begin(world, "drain", "--pool", POOL)
        wait_until(lambda: set(holds(world).values()) == {"drain"}, seconds=60, what="all held", world=world)
        kill_hard(first)
        world.start_scaler()
        wait_until(lambda: drain.poll() is not None, seconds=60, what="drained", world=world)
        assert drain.returncode == 0, world.logs()
        assert set(world.counts().values()) == {0}
        assert {record.state for record in world.records().values()} == {CellState.ZERO}
        assert finished(world) < 8
        refused = world.run("rollout", "--pool", POOL, "--image", NEW)
        assert (refused.returncode, "held for drain" in refused.stderr) == (13, True), refused.stderr
        assert world.run("resume", "--pool", POOL).returncode == 0
        wait_until(lambda: all_done(world, 8), seconds=120, what="all jobs done", world=world)

        verb = begin(world, "destroy", "--all", "--yes")
        wait_until(lambda: len(worker_pools(world)) < 4, seconds=60, what="one is deleted", world=world)
        kill_hard(verb)
        last = world.run("destroy", "--all", "--yes", "--timeout", "90s")
        assert last.returncode == 0, f"{last.stdout}{last.stderr}"
        assert (worker_pools(world), world.records()) == ({}, {})
        assert_each_job_once(world, ledger, 8)


@pytest.mark.timeout(120)
def test_in_direct_mode_the_verbs_need_nothing_but_records_and_cloud_run(tmp_path: Path) -> None:
    """No service and no cron: the agents end their leases themselves, and the drain does the rest."""
    with pool_world(tmp_path / "w", sizes=(1, 1), max_instances=2, mode="direct") as world:
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(2, tmp_path / "ledger", seconds="6")})
        wait_until(
            lambda: world.run("once").returncode == 0 and len(world.standing_leases()) == 2,
            seconds=60,
            what="two jobs run",
            world=world,
        )
        drained = world.run("drain")
        assert drained.returncode == 0, f"{drained.stdout}{drained.stderr}"
        assert all_done(world, 2) is True
        assert set(world.counts().values()) == {0}
        assert {stop["was_busy"] for stop in world.emulator.cloud.stops()} <= {False}
