"""A workflow step that attacks from inside an instance: what it may mint, and how little that opens.

Each fact stands in docs/explanation/security.md or in the lease protocol; the step itself is `hostile_step.py`.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.conftest import Images
from tests.images.image_world import ImageWorld, image_world

pytestmark = pytest.mark.timeout(900)

STEP = Path(__file__).parent / "hostile_step.py"
CELLS = ("linux-s1-1", "linux-s1-2")
JOBS = 2


@pytest.fixture(scope="module")
def world(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageWorld]:
    """Two cells of one instance, an App key in Secret Manager and a record in Cloud Storage."""
    folder = tmp_path_factory.mktemp("hostile")
    with image_world(folder / "w", images, sizes=(1, 1)) as made:
        cloud = made.emulator.cloud
        cloud.put_secret(made.emulator.project, "app-key", made.app_key)
        cloud.http.post("/storage/v1/b", json={"name": "records"}).raise_for_status()
        cloud.http.post(
            "/upload/storage/v1/b/records/o?uploadType=media&name=cells%2Fone", content=b"a record"
        ).raise_for_status()
        yield made


@pytest.fixture(scope="module")
def reports(world: ImageWorld) -> list[dict[str, Any]]:
    """What the step reported from each of two instances, while the job of the other one ran."""
    world.push(workflow(world))
    jobs = world.all_completed(JOBS, seconds=180)
    assert [job["conclusion"] for job in jobs] == ["success"] * JOBS, f"{jobs}\n{world.instance_logs()}"
    assert len({job["instance"] for job in jobs}) == JOBS
    assert max(job["started_at"] for job in jobs) < min(job["completed_at"] for job in jobs), (
        "they ran side by side"
    )
    lines = [line for job in jobs for line in job["log"].splitlines() if "REPORT " in line]
    return [json.loads(line.partition("REPORT ")[2]) for line in lines]


def workflow(world: ImageWorld) -> str:
    emulator = world.emulator
    plan = {
        "cloud_url": emulator.cloud_url,
        "project": emulator.project,
        "region": emulator.region,
        "scaler_url": world.pool.forwarder.url,
        "cells": CELLS,
        "leases": ["0" * 32],
        "needles": {name: text[::-1] for name, text in needles(world).items()},
    }
    program = base64.b64encode(STEP.read_bytes()).decode()
    return f"""
name: hostile
on: push
jobs:
  attack:
    strategy:
      matrix:
        number: [1, 2]
    runs-on: [self-hosted, linux]
    steps:
      - env:
          PLAN: {json.dumps(json.dumps(plan))}
        run: |
          echo {program} | base64 -d > step.py
          python3 step.py
          sleep 5
"""


def needles(world: ImageWorld) -> dict[str, str]:
    """Every secret of the deployment, and one word that a step is meant to see."""
    key = "".join(world.app_key.split("\n")[2:4])
    secrets = {f"secret of {cell}": secret for cell, secret in world.cell_secrets.items()}
    return secrets | {
        "webhook secret": "e2e-webhook-secret",
        "App key": key[:40],
        "canary": "canary-of-linux",
    }


def test_the_step_is_no_root_and_may_mint_tokens_of_the_account(reports: list[dict[str, Any]]) -> None:
    assert len(reports) == JOBS
    assert [report["uid"] for report in reports] == [1001] * JOBS
    assert [report["minted"] for report in reports] == [[True, True]] * JOBS


def test_its_access_token_opens_nothing_at_google(world: ImageWorld, reports: list[dict[str, Any]]) -> None:
    """Admin API, Secret Manager and Cloud Storage, to read as to write; and nothing has changed."""
    for report in reports:
        assert len(report["cloud"]) >= 15
        assert set(report["cloud"].values()) == {403}, report["cloud"]
    cloud = world.emulator.cloud
    stored = cloud.http.get("/storage/v1/b/records/o/cells%2Fone?alt=media")
    assert stored.content == b"a record"
    assert [write for write in cloud.writes() if write["method"] == "DELETE"] == []
    assert set(world.pool.counts()) == set(CELLS)


def test_its_identity_token_opens_nothing_at_the_scaler_without_the_cells_secret(
    reports: list[dict[str, Any]],
) -> None:
    """No lease is given, reported or ended; no tick; no status."""
    for report in reports:
        assert len(report["scaler"]) >= 50
        let_in = {call: status for call, status in report["scaler"].items() if status not in (401, 403)}
        assert let_in == {}


def test_it_reaches_neither_memory_nor_environment_nor_files_of_the_agent(
    reports: list[dict[str, Any]],
) -> None:
    for report in reports:
        assert set(report["agent"].values()) == {"PermissionError"}, report["agent"]


def test_it_finds_no_secret_of_the_deployment(world: ImageWorld, reports: list[dict[str, Any]]) -> None:
    """In no file and no process that it can read; and the log of the instance tells none either."""
    for report in reports:
        found = report["found"]
        assert found.pop("canary"), "what it is meant to see it must find, or else the search is blind"
        assert found == {name: [] for name in found}
        assert len(found) == len(needles(world)) - 1
    logs = world.instance_logs() + json.dumps(world.jobs())
    for name, secret in needles(world).items():
        assert name == "canary" or secret not in logs, f"{name} is in a log"


def test_it_sees_no_registration_but_its_own(reports: list[dict[str, Any]]) -> None:
    """Its own is used up; that of the job beside it is in another container."""
    assert [report["jit_names"] for report in reports] == [[report["own_name"]] for report in reports]
    assert len({report["own_name"] for report in reports}) == JOBS
