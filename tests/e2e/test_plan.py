"""`plan` says what the next tick would do and why, and touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaler.errors import NotFound, PermissionDenied
from tests.e2e.pool_world import LABELS, PoolWorld, burst, pool_world

CHANGING = ("POST", "PATCH", "PUT", "DELETE")


def changes(world: PoolWorld) -> list[object]:
    """Everything that has been changed at GitHub and in the cloud; asking for tokens is no change."""
    asked = [
        request
        for request in world.emulator.github.requests()
        if request["method"] in CHANGING and "access_tokens" not in request["path"]
    ]
    return [*asked, *world.emulator.cloud.writes()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("plan")
    with pool_world(folder, sizes=(1, 2, 4), max_instances=5, mode="direct") as made:
        # The first tick gives the cells their records; only then is there something to decide.
        first = made.run("once")
        assert first.returncode == 0, first.stderr
        made.emulator.github.push("acme/widgets", {"burst.yml": burst(6, folder / "ledger")})
        yield made


def test_plan_names_pools_actions_and_reasons(world: PoolWorld) -> None:
    told = world.run("plan")
    assert told.returncode == 0, told.stderr
    text = " ".join(told.stdout.split())
    for words in ("linux", "raise cell", "6 jobs are queued, the oldest for", "it is at its max"):
        assert words in text, told.stdout


def test_plan_as_json_is_the_decision_and_satisfies_every_invariant(world: PoolWorld) -> None:
    told = world.run("plan", "--json", "--check")
    assert told.returncode == 0, told.stderr
    plan = json.loads(told.stdout)
    assert plan["pools"][0]["queued"] == 6
    assert plan["pools"][0]["wanted"] == 5
    raised = {each["where"]: each["how_many"] for each in plan["actions"] if each["do"] == "raise"}
    assert sum(raised.values()) == 5
    assert plan["faults"] == {}


def test_plan_touches_nothing(world: PoolWorld) -> None:
    before, records = changes(world), (world.folder / "records.db").read_bytes()
    assert world.run("plan").returncode == 0
    assert changes(world) == before
    assert (world.folder / "records.db").read_bytes() == records
    assert all(job["status"] == "queued" for job in world.emulator.github.jobs())


@pytest.mark.parametrize("verb", ["plan", "once"])
def test_a_cloud_run_that_does_not_know_the_project_is_no_success(world: PoolWorld, verb: str) -> None:
    """Cron sees exit codes only: a typo in the project must not look like a queue without jobs."""
    right = world.config["cloud_run"]
    world.config["cloud_run"] = {**dict(right), "project": "no-such-project"}  # type: ignore[call-overload]
    try:
        told = world.run(verb)
    finally:
        world.config["cloud_run"] = right
    assert told.returncode in {NotFound.exit_code, PermissionDenied.exit_code}, told.stderr
    assert "Cloud Run refused" in told.stderr
    assert "remedy: " in told.stderr
    assert "Traceback" not in told.stderr


def test_a_label_that_no_pool_has_is_not_demand(world: PoolWorld, tmp_path: Path) -> None:
    assert "windows" not in LABELS
    workflow = burst(1, tmp_path / "ledger").replace("[self-hosted, linux]", "[self-hosted, windows]")
    world.emulator.github.push("acme/widgets", {"other.yml": workflow})
    plan = json.loads(world.run("plan", "--json").stdout)
    assert plan["pools"][0]["queued"] == 6
