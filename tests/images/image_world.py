"""The whole path on the images: stand-in GitHub and Cloud Run, the scaler in its container, each instance in one of its own."""

import contextlib
import os
import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.cloud.container_engine import container_name
from tests.e2e.pool_world import DEPLOYMENT, LABELS, POOL, QUICK_TIMES, PoolWorld, wait_until
from tests.emulator_process import Emulator, running_emulator
from tests.forwarder import Forwarder
from tests.images.conftest import Images

ACCOUNT = f"{DEPLOYMENT}-cells@demo-project.iam.gserviceaccount.com"
SCALERS_UID = 1001
WEBHOOK_SECRET_VARIABLE = "E2E_WEBHOOK_SECRET"


@dataclass(kw_only=True)
class ImageWorld:
    """One deployment whose programs all run in containers. `cell_secrets`: cell -> its secret."""

    pool: PoolWorld
    images: Images
    cell_secrets: dict[str, str] = field(repr=False)
    app_key: str = field(repr=False)

    @property
    def emulator(self) -> Emulator:
        return self.pool.emulator

    def push(self, workflow: str) -> None:
        self.emulator.github.push("acme/widgets", {"images.yml": workflow})

    def jobs(self) -> list[dict[str, Any]]:
        return self.emulator.github.jobs(log=True)

    def all_completed(self, jobs: int, *, seconds: float = 90) -> list[dict[str, Any]]:
        """Every job, once so many have completed."""
        self.wait(
            lambda: [job["status"] for job in self.jobs()] == ["completed"] * jobs or self.jobs(),
            seconds=seconds,
            what=f"{jobs} jobs completed",
        )
        return self.jobs()

    def wait(self, look: object, *, seconds: float, what: str) -> None:
        try:
            wait_until(look, seconds=seconds, what=what, world=self.pool)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.instance_logs()}") from None

    def instance_logs(self) -> str:
        cloud = self.emulator.cloud
        return "\n".join(
            f"--- {each['id'][:24]}\n{cloud.log(each['id'])[-3000:]}" for each in cloud.instances()
        )

    def the_instance(self, *, seconds: float = 60) -> dict[str, Any]:
        """The one instance that is running."""
        cloud = self.emulator.cloud
        self.wait(lambda: len(cloud.instances(state="running")) == 1, seconds=seconds, what="one instance")
        return cloud.instances(state="running")[0]

    def instance(self, instance_id: str) -> dict[str, Any]:
        return next(each for each in self.emulator.cloud.instances() if each["id"] == instance_id)

    def wait_until_gone(self, instance_id: str, *, seconds: float = 20) -> dict[str, Any]:
        self.wait(
            lambda: self.instance(instance_id)["state"] == "gone" or self.instance(instance_id),
            seconds=seconds,
            what="the instance is gone",
        )
        return self.instance(instance_id)

    def nothing_left(self) -> object:
        """True once no instance, registration, lease, container of a cell or process of one is left."""
        instances = {each["id"] for each in self.emulator.cloud.instances()}
        names = {container_name(instance) for instance in instances}
        left = {
            "instances": [each["id"] for each in self.emulator.cloud.instances() if each["state"] != "gone"],
            "registrations": self.emulator.github.registrations(),
            "leases": self.pool.standing_leases(),
            "containers": sorted(names & set(self.images.engine.containers())),
            "processes": processes_of(instances),
            "engines": list(self.emulator.living_processes().values()),
        }
        return left if any(left.values()) else True


def processes_of(instances: set[str]) -> list[str]:
    """The command lines of all processes in containers of these instances, seen from outside."""
    marks = [f"EMULATOR_INSTANCE={instance}".encode() for instance in instances]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                environ = (entry / "environ").read_bytes().split(b"\0")
                if any(mark in environ for mark in marks):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@contextlib.contextmanager
def image_world(
    folder: Path,
    images: Images,
    *,
    sizes: Sequence[int],
    pool_settings: dict[str, object] | None = None,
    image: str | None = None,
) -> Iterator[ImageWorld]:
    """Cells of these sizes with count 0, and one scaler in its container. `image`: of the cells, if not the runner's."""
    folder.mkdir(parents=True)
    os.chown(folder, SCALERS_UID, SCALERS_UID)  # its key, its configuration and its records are in there
    forwarder = Forwarder()
    engine_words = ["--container-engine", shlex.join(images.engine.cell_command())]
    scaler = images.engine.run_command(f"--volume={folder}:{folder}", f"--env={WEBHOOK_SECRET_VARIABLE}")
    try:
        # Its own folder: the stand-in cloud keeps the files of instances there, and the scaler has no business with them.
        with running_emulator(folder.parent / f"{folder.name}-world", arguments=engine_words) as emulator:
            app = emulator.github.setup()
            os.environ[WEBHOOK_SECRET_VARIABLE] = "e2e-webhook-secret"
            emulator.github.put_webhook(f"{forwarder.url}/webhooks/github", "e2e-webhook-secret")
            key = folder / "app.pem"
            key.write_text(app["private_key"])
            key.chmod(0o600)
            os.chown(key, SCALERS_UID, SCALERS_UID)
            config = _configuration(
                emulator,
                app_id=app["client_id"],
                key=key,
                url=forwarder.url,
                most=sum(sizes),
                pool=pool_settings or {},
            )
            world = ImageWorld(
                pool=PoolWorld(
                    emulator=emulator,
                    folder=folder,
                    forwarder=forwarder,
                    config=config,
                    scaler_command=[*scaler, images.scaler],
                ),
                images=images,
                cell_secrets=_created_cells(
                    emulator, image or images.runner, sizes=sizes, scaler_url=forwarder.url
                ),
                app_key=app["private_key"],
            )
            world.pool.start_scaler()
            try:
                yield world
            finally:
                world.pool.end_scalers()
    finally:
        forwarder.close()


def _configuration(
    emulator: Emulator, *, app_id: str, key: Path, url: str, most: int, pool: dict[str, object]
) -> dict[str, object]:
    return {
        "deployment": DEPLOYMENT,
        "github": {
            "url": emulator.github_api_url,
            "app_id": app_id,
            "private_key": f"file:{key}",
            "webhook_secret": f"env:{WEBHOOK_SECRET_VARIABLE}",
            "organization": "acme",
        },
        "cloud_run": {
            "project": emulator.project,
            "region": emulator.region,
            "endpoint": emulator.cloud_url,
            "credentials": "anonymous",
            "writes_per_minute": 180,
        },
        "records": f"sqlite:{key.parent / 'records.db'}",
        "service": {
            "url": url,
            "token_keys_url": f"{emulator.cloud_url}/oauth2/v3/certs",
            "token_issuer": emulator.cloud_url,
            "callers": ["cron@example.com"],
        },
        "max_instances": most,
        "pools": [
            {"name": POOL, "labels": list(LABELS), "max": most, "linger": "1s", "listen_max": "8s", **pool}
        ],
        "times": QUICK_TIMES,
    }


def _created_cells(
    emulator: Emulator, image: str, *, sizes: Sequence[int], scaler_url: str
) -> dict[str, str]:
    made = {}
    for number, size in enumerate(sizes, start=1):
        name, secret = f"{POOL}-s{size}-{number}", secrets.token_urlsafe(32)
        variables = {"RUNNER_POOL_SCALER_URL": scaler_url, "RUNNER_POOL_CELL_SECRET": secret}
        create_cell(emulator, image, name=name, size=size, variables=variables)
        made[name] = secret
    return made


def create_cell(
    emulator: Emulator, image: str, *, name: str, size: int, variables: Mapping[str, str]
) -> None:
    """A worker pool as a deployment makes it: the image by its own entry point, the work folder on a disk volume."""
    told = {**variables, "CANARY": f"canary-of-{name}"}
    container = {
        "name": "runner",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in told.items()],
        "volumeMounts": [{"name": "work", "mountPath": "/home/runner/_work"}],
    }
    body = {
        "labels": {
            "runner-pool-deployment": DEPLOYMENT,
            "runner-pool-pool": POOL,
            "runner-pool-size": str(size),
        },
        "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0},
        "template": {
            "serviceAccount": ACCOUNT,
            "volumes": [{"name": "work", "emptyDir": {"medium": "DISK", "sizeLimit": "10Gi"}}],
            "containers": [container],
        },
    }
    cloud = emulator.cloud
    reply = cloud.http.post(f"/v2/{cloud.parent}/workerPools", params={"workerPoolId": name}, json=body)
    cloud.done(reply.raise_for_status().json())


def wait_for_end(process: "subprocess.Popen[bytes]", *, seconds: float) -> float:
    """How long a process took to end."""
    began = time.monotonic()
    process.wait(seconds)
    return time.monotonic() - began
