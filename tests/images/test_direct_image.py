"""The image for direct mode: one job in it, with the App key from Secret Manager, its record in a bucket, and no service.

The scaler is `once` in the scaler's image, run again and again. The job is a hostile step: what it reaches is the price of this
mode (docs/explanation/security.md, ADR 1), and what it does not reach is held here too.
"""

import base64
import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.cloud.container_engine import container_name
from runner_agent.contract import ExitReason
from tests.e2e.pool_world import DEPLOYMENT, LABELS, POOL, QUICK_TIMES, PoolWorld
from tests.emulator_process import Emulator, running_emulator
from tests.forwarder import Forwarder
from tests.images import bases
from tests.images.conftest import Images
from tests.images.image_world import ACCOUNT, SCALERS_UID, ImageWorld, create_cell
from tests.images.test_image_contents import said

pytestmark = pytest.mark.timeout(900)

DIRECT = "localhost/runner-pool/runner-direct"
CELL, BUCKET, SECRET = f"{POOL}-s1-1", "acme-records", "app-key"
RECORDS = f"gs://{BUCKET}/{DEPLOYMENT}"
STEP = Path(__file__).parent / "hostile_step.py"
TRIES = """
import base64, json, os
import hostile_step as step
plan = json.loads(os.environ["PLAN"])
report = {
    "uid": os.getuid(),
    "own variables": sorted(name for name in os.environ if name.startswith("RUNNER_POOL_")),
    "agent": step.agent_tries(),
    "found": step.found(plan["needles"]),
}
access, _ = step.minted("https://nobody.example")
bearer = {"Authorization": f"Bearer {access}"}
status, text = step.asked("GET", plan["key"], headers=bearer)
payload = base64.b64decode(json.loads(text)["payload"]["data"]).decode() if status == 200 else ""
report["key by the account"] = [status, plan["needles"]["App key"][::-1] in payload]
report["record by the account"] = step.asked("GET", plan["record"], headers=bearer)[0]
report["worker pools by the account"] = step.asked("GET", plan["pools"], headers=bearer)[0]
print("REPORT " + json.dumps(report))
"""


@pytest.fixture(scope="module")
def direct_image(images: Images, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Built from the runner's own Dockerfile, as the page says."""
    images.engine.build(
        bases.ROOT / "Dockerfile.runner",
        bases.ROOT,
        tag=DIRECT,
        base=bases.RUNNER_BASE,
        volumes=bases.pip_volumes(tmp_path_factory.mktemp("pip")),
        target="direct",
    )
    return DIRECT


@pytest.fixture(scope="module")
def world(
    images: Images, direct_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageWorld]:
    """One cell of one instance; its account may read the key and write records, and nothing else."""
    folder = tmp_path_factory.mktemp("direct") / "w"
    folder.mkdir()
    os.chown(folder, SCALERS_UID, SCALERS_UID)
    engine_words = ["--container-engine", shlex.join(images.engine.cell_command())]
    forwarder = Forwarder()
    try:
        with running_emulator(folder.parent / "world", arguments=engine_words) as emulator:
            app, cloud = emulator.github.setup(), emulator.cloud
            cloud.put_secret(emulator.project, SECRET, app["private_key"])
            cloud.make_bucket(BUCKET)
            cloud.give_roles(ACCOUNT, "roles/secretmanager.secretAccessor", "roles/storage.objectUser")
            settings = _agent_settings(emulator, app_id=app["client_id"])
            create_cell(emulator, direct_image, name=CELL, size=1, variables=settings)
            pool = PoolWorld(
                emulator=emulator,
                folder=folder,
                forwarder=forwarder,
                config=_configuration(emulator, app_id=app["client_id"]),
                scaler_command=[
                    *images.engine.run_command(f"--volume={folder}:{folder}:ro"),
                    images.scaler,
                ],
            )
            yield ImageWorld(pool=pool, images=images, cell_secrets={}, app_key=app["private_key"])
    finally:
        forwarder.close()


@pytest.fixture(scope="module")
def job(world: ImageWorld) -> dict[str, Any]:
    """The one job, completed, and everything back at zero."""
    world.push(_workflow(world))
    config = world.pool.write_config("once")
    deadline, seen = time.monotonic() + 120, None
    while seen != (["completed"], True) and time.monotonic() < deadline:
        once = subprocess.run(
            [*world.pool.scaler_command, "once", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert once.returncode == 0, once.stdout + once.stderr
        seen = ([each["status"] for each in world.jobs()], world.nothing_left())
    assert seen == (["completed"], True), f"{seen}\n{world.instance_logs()}"
    return world.jobs()[0]


@pytest.fixture(scope="module")
def report(job: dict[str, Any]) -> dict[str, Any]:
    """What the step in it has tried, and how it was answered."""
    (line,) = [line for line in job["log"].splitlines() if line.startswith("REPORT ")]
    found: dict[str, Any] = json.loads(line.removeprefix("REPORT "))
    return found


def _agent_settings(emulator: Emulator, *, app_id: str) -> dict[str, str]:
    return {
        "RUNNER_POOL_REGISTRATION": "direct",
        "RUNNER_POOL_DEPLOYMENT": DEPLOYMENT,
        "RUNNER_POOL_POOL": POOL,
        "RUNNER_POOL_LABELS": ",".join(LABELS),
        "RUNNER_POOL_RECORDS": RECORDS,
        "RUNNER_POOL_STORAGE_ENDPOINT": emulator.cloud_url,
        "RUNNER_POOL_GITHUB_URL": emulator.github_api_url,
        "RUNNER_POOL_GITHUB_SCOPE": "acme",
        "RUNNER_POOL_GITHUB_APP_ID": app_id,
        "RUNNER_POOL_GITHUB_APP_KEY": f"secretmanager:projects/{emulator.project}/secrets/{SECRET}",
        "RUNNER_POOL_SECRET_MANAGER_ENDPOINT": emulator.cloud_url,
        "RUNNER_POOL_LISTEN_MAX": "8s",
    }


def _configuration(emulator: Emulator, *, app_id: str) -> dict[str, object]:
    return {
        "deployment": DEPLOYMENT,
        "mode": "direct",
        "github": {
            "url": emulator.github_api_url,
            "app_id": app_id,
            "private_key": f"secretmanager:projects/{emulator.project}/secrets/{SECRET}/versions/latest",
            "organization": "acme",
        },
        "cloud_run": {
            "project": emulator.project,
            "region": emulator.region,
            "endpoint": emulator.cloud_url,
            "credentials": "anonymous",
            "writes_per_minute": 180,
        },
        "secret_manager": {"endpoint": emulator.cloud_url},
        "storage": {"endpoint": emulator.cloud_url},
        "records": RECORDS,
        "service": {},
        "max_instances": 1,
        "pools": [
            {"name": POOL, "labels": list(LABELS), "max": 1, "linger": "1s", "listen_max": "8s"},
        ],
        "times": QUICK_TIMES,
    }


def _workflow(world: ImageWorld) -> str:
    emulator = world.emulator
    key = "".join(world.app_key.split("\n")[2:4])[:40]
    plan = {
        "key": f"{emulator.cloud_url}/v1/projects/{emulator.project}/secrets/{SECRET}/versions/latest:access",
        "record": f"{emulator.cloud_url}/storage/v1/b/{BUCKET}/o/{DEPLOYMENT}%2Fcells%2F{CELL}?alt=media",
        "pools": f"{emulator.cloud_url}/v2/{emulator.cloud.parent}/workerPools",
        "needles": {"App key": key[::-1], "canary": f"canary-of-{CELL}"[::-1]},
    }
    programs = {"hostile_step.py": STEP.read_text(), "tries.py": TRIES}
    made = "\n          ".join(
        f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > {name}"
        for name, text in programs.items()
    )
    return f"""
name: direct
on: push
jobs:
  attack:
    runs-on: [self-hosted, linux]
    steps:
      - env:
          PLAN: {json.dumps(json.dumps(plan))}
        run: |
          {made}
          python3 tries.py
"""


def test_a_job_is_served_without_a_service_and_leaves_nothing(world: ImageWorld, job: dict[str, Any]) -> None:
    """The key came from Secret Manager, lease and end stand in the bucket, and the last runs of `once` took the cell to zero."""
    assert job["conclusion"] == "success", f"{job}\n{world.instance_logs()}"
    assert world.instance(job["instance"])["exit_code"] == ExitReason.FINISHED.value
    assert [stop for stop in world.emulator.cloud.stops() if stop["was_busy"]] == []
    (record,) = world.pool.records().values()
    assert record.leases == ()
    assert record.ended_boots, "a lease has ended there"
    assert world.pool.counts() == {CELL: 0}
    assert container_name(job["instance"]) not in world.images.engine.containers()


def test_a_step_reaches_nothing_of_the_agent_and_finds_the_key_in_no_file_and_no_environment(
    world: ImageWorld, report: dict[str, Any]
) -> None:
    assert report["uid"] == 1001
    assert report["own variables"] == []
    assert set(report["agent"].values()) == {"PermissionError"}, report["agent"]
    assert report["found"].pop("canary"), "what it is meant to see it must find, or else the search is blind"
    assert report["found"] == {"App key": []}
    assert "PRIVATE KEY" not in world.instance_logs() + json.dumps(world.jobs())


def test_a_step_can_do_what_the_cells_account_may_read_the_key_and_records(report: dict[str, Any]) -> None:
    """The price that ADR 1 names. A test, so that a page which says less than this is wrong."""
    assert report["key by the account"] == [200, True]
    assert report["record by the account"] == 200
    assert report["worker pools by the account"] == 403


def test_its_packages_are_roots_alone_and_the_default_image_has_none_of_them(
    images: Images, direct_image: str
) -> None:
    listing = "ls /opt/runner-pool"
    assert said(images, images.runner, listing).split() == ["__main__.py", "runner_agent"]
    assert {"cell_records", "github_api", "google", "httpx", "jwt"} <= set(
        said(images, direct_image, listing).split()
    )
    others = "find /opt/runner-pool -perm /077; find /opt/runner-pool ! -user root; find / -xdev -type f -perm /6000"
    assert said(images, direct_image, others) == ""
    left = "ls -d /opt/direct /tmp/* /usr/lib/python3*/ensurepip 2> /dev/null; cat /etc/pip.conf; true"
    assert said(images, direct_image, left) == ""


def test_root_finds_the_packages_from_any_folder_and_the_runner_does_not(
    images: Images, direct_image: str
) -> None:
    search = "import sys; sys.path.insert(0, '/opt/runner-pool'); import httpx; print(httpx.__file__)"
    script = f'cd /home/runner && python3 -I -c "{search}" 2>&1; true'
    assert said(images, direct_image, script) == "/opt/runner-pool/httpx/__init__.py"
    assert "ModuleNotFoundError" in said(images, direct_image, script, "--user=runner")
