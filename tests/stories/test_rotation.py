"""The App's key and the webhook's secret are replaced while jobs run, in the worst order: no job is lost, no restart."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from github_api.app_auth import AppKey
from github_api.secret import Secret
from scaler.secret_watch import AGAIN_SECONDS
from tests.e2e.pool_world import PoolWorld, burst, pool_world, wait_until
from tests.e2e.test_burst import all_done, assert_each_job_once, finished, nothing_left

JOBS = 24
FIRST_HOOK, SECOND_HOOK = "the-first-webhook-secret", "the-second-webhook-secret"


def told(world: PoolWorld, event: str) -> list[dict[str, Any]]:
    """The lines of that name in the first scaler's log."""
    lines = (json.loads(line) for line in (world.folder / "scaler-0.log").read_text().splitlines())
    return [line for line in lines if line["message"] == event]


def delivered(world: PoolWorld, secret: str) -> int:
    """The status that a delivery which is signed with `secret` is answered with."""
    body = b'{"zen": "Half measures are as bad as nothing at all."}'
    headers = {
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        "X-GitHub-Event": "ping",
    }
    url = f"{world.forwarder.url}/webhooks/github"
    return httpx.post(url, content=body, headers=headers, timeout=30).status_code


def secrets_from_the_manager(world: PoolWorld) -> None:
    """Key and webhook secret stand in the stand-in's Secret Manager, as on Google Cloud."""
    emulator, section = world.emulator, world.config["github"]
    assert isinstance(section, dict)
    key = Path(section["private_key"].removeprefix("file:")).read_text()
    emulator.cloud.put_secret(emulator.project, "app-key", key)
    emulator.cloud.put_secret(emulator.project, "webhook", FIRST_HOOK)
    place = f"secretmanager:projects/{emulator.project}/secrets"
    section |= {"private_key": f"{place}/app-key/versions/latest", "webhook_secret": f"{place}/webhook"}
    world.config["secret_manager"] = {"endpoint": emulator.cloud_url}
    emulator.github.put_webhook(f"{world.forwarder.url}/webhooks/github", FIRST_HOOK)


@pytest.mark.timeout(240)
def test_key_and_webhook_secret_are_replaced_while_jobs_run(tmp_path: Path) -> None:
    """The old key is deleted and every token revoked before the scaler has seen the new one; GitHub signs with the new
    webhook secret before the scaler knows it.
    """
    ledger = tmp_path / "ledger"
    with pool_world(tmp_path / "w", sizes=(1, 1, 2), max_instances=4) as world:
        github, cloud = world.emulator.github, world.emulator.cloud
        secrets_from_the_manager(world)
        scaler, begun = world.start_scaler(), time.monotonic()
        github.push("acme/widgets", {"burst.yml": burst(JOBS, ledger, seconds="3")})
        wait_until(lambda: finished(world) >= 4, seconds=90, what="four jobs done", world=world)
        rested = begun + AGAIN_SECONDS + 2
        wait_until(lambda: time.monotonic() > rested, seconds=30, what="a reading is due", world=world)
        assert finished(world) < JOBS - 4, "the change must come in the middle"
        assert [delivered(world, each) for each in (FIRST_HOOK, "guess")] == [202, 401]

        second = github.add_app_key()
        cloud.put_secret(world.emulator.project, "app-key", second)
        github.delete_oldest_app_key()
        github.put_faults({"tokens-revoked": {"share": 1, "most": 1}})
        cloud.put_secret(world.emulator.project, "webhook", SECOND_HOOK)
        github.put_webhook(f"{world.forwarder.url}/webhooks/github", SECOND_HOOK)

        wait_until(lambda: all_done(world, JOBS), seconds=120, what="all jobs done", world=world)
        wait_until(lambda: nothing_left(world), seconds=60, what="nothing is left", world=world)
        assert_each_job_once(world, ledger, JOBS)
        assert scaler.poll() is None, world.logs()
        assert len(world.scalers) == 1
        [in_use] = told(world, "app_key_in_use")
        assert in_use["fingerprint"] == AppKey.from_pem(Secret(second)).fingerprint
        [refused] = told(world, "app_key_refused")
        assert refused["fingerprint"] != in_use["fingerprint"]
        wait_until(
            lambda: (
                [delivered(world, each) for each in (SECOND_HOOK, FIRST_HOOK, "guess")] == [202, 202, 401]
            ),
            seconds=30,
            what="both webhook secrets are good",
            world=world,
        )
        assert len(told(world, "webhook_secret_changed")) == 1
