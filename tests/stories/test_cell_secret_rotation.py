"""Secrets of cells are replaced: in cells at zero nobody notices, under running instances their last words are still heard."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import httpx
import pytest

from tests.e2e.pool_world import PoolWorld, burst, kill_hard, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, finished, nothing_left

ACCOUNT = "e2e-cells@demo-project.iam.gserviceaccount.com"


def rotate(world: PoolWorld, cell: str) -> tuple[str, str]:
    """Write a new secret into the cell's template, as a rollout does; the older one and the new one."""
    cloud, new = world.emulator.cloud, secrets.token_urlsafe(32)
    pool = cloud.worker_pool(cell)
    [variable] = [
        each for each in pool["template"]["containers"][0]["env"] if each["name"] == "RUNNER_POOL_CELL_SECRET"
    ]
    old, variable["value"] = variable["value"], new
    body = {"etag": pool["etag"], "template": pool["template"]}
    cloud.done(cloud.patch_worker_pool(cell, body, mask="template"))
    return old, new


def knocks(world: PoolWorld, cell: str, secret: str) -> int:
    """The status that an instance of the cell with that secret is answered, when it tells of a lease that does not stand."""
    token = world.emulator.cloud.identity_token(email=ACCOUNT, audience=world.forwarder.url)
    headers = {"Authorization": f"Bearer {token}", "X-Cell-Secret": secret}
    body = {"cell": cell, "boot": "0" * 32, "seq": 1, "state": "running"}
    url = f"{world.forwarder.url}/v1/leases/ffff/events"
    return httpx.post(url, json=body, headers=headers, timeout=30).status_code


def all_ready(world: PoolWorld) -> object:
    """True once every scaler is, else what each has answered."""
    seen: list[object] = []
    for port in world.forwarder.backends:
        try:
            seen.append(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=9).status_code)
        except httpx.HTTPError as error:
            seen.append(repr(error))
    return set(seen) == {200} or seen


def states(world: PoolWorld) -> list[str]:
    """Where GitHub says that each job stands."""
    return [job["status"] for job in world.emulator.github.jobs()]


def refusals(world: PoolWorld) -> list[str]:
    """What instances have written of a secret that was not taken."""
    written = [world.emulator.cloud.log(each["id"]) for each in world.emulator.cloud.instances()]
    return [line for log in written for line in log.splitlines() if "bad_secret" in line]


@pytest.mark.timeout(240)
def test_a_rotation_at_zero_refuses_no_instance_though_one_scaler_dies_in_the_middle_and_two_run(
    tmp_path: Path,
) -> None:
    """Jobs come the moment after; whichever scaler an instance reaches has read the new template, or reads it then."""
    ledger = tmp_path / "ledger"
    # Idle scalers read the cells every half minute: what they know of the templates is old.
    with pool_world(
        tmp_path / "w", sizes=(1, 1, 2), max_instances=4, times={"cells_interval": "5s"}
    ) as world:
        first = world.start_scaler()
        world.start_scaler()
        wait_until(lambda: all_ready(world), seconds=60, what="both scalers are ready", world=world)
        cells = sorted(world.counts())
        rotated = {cells[0]: rotate(world, cells[0])}
        kill_hard(first)
        world.start_scaler()
        rotated |= {cell: rotate(world, cell) for cell in cells[1:]}
        world.emulator.github.push("acme/widgets", {"burst.yml": burst(4, ledger)})
        wait_until(lambda: all_done(world, 4), seconds=120, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=90, what="nothing is left", world=world)
        assert_each_job_once(world, ledger, 4)
        assert refusals(world) == [], world.logs()
        assert [knocks(world, cell, new) for cell, (_, new) in rotated.items()] == [410] * len(cells)
        assert {knocks(world, cell, "guess") for cell in cells} == {403}


@pytest.mark.timeout(240)
def test_a_template_changed_under_a_running_job_leaves_the_last_words_of_its_instance_heard(
    tmp_path: Path,
) -> None:
    """Another hand's write, outside of the promise: the job is lost, its lease is not left behind, the next job runs."""
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1,), max_instances=1) as world:
        world.start_scaler()
        world.emulator.github.push("acme/widgets", {"long.yml": burst(1, ledger, seconds="60")})
        wait_until(lambda: states(world) == ["in_progress"], seconds=60, what="the job runs", world=world)
        world.emulator.github.push("acme/widgets", {"next.yml": burst(1, ledger)})
        [cell] = world.counts()
        [lease] = world.standing_leases()
        old, new = rotate(world, cell)
        wait_until(
            lambda: lease not in world.standing_leases(),
            seconds=30,
            what="the lease has ended by the words of its own instance",
            world=world,
        )
        log = (world.folder / "scaler-0.log").read_text()
        assert re.search(r'"outcome": "preempted".*"message": "lease_ended"', log) or re.search(
            r'"message": "lease_ended".*"outcome": "preempted"', log
        ), world.logs()
        assert refusals(world) == [], world.logs()
        assert [knocks(world, cell, each) for each in (old, new, "guess")] == [410, 410, 403]
        wait_until(lambda: finished(world) == 2, seconds=120, what="the next job is done", world=world)
        assert ledger.read_text().split() == ["0"]
