"""The emulator as a program, for every test that needs the stand-in world: start it, speak to its control doors, end it.

`running_emulator` fails the test when the emulator does not end cleanly or when a process of the world survives it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

START_DEADLINE_SECONDS = 30.0
END_DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02


def eventually(
    look: Callable[[], T], holds: Callable[[T], object], *, what: str, deadline_seconds: float = 20.0
) -> T:
    """Looks until the fact holds and returns what was seen; fails with what was seen last."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        seen = look()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_seconds} s: {what}; last seen: {seen!r}")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDoor:
    """The control door of the cloud port (docs/reference/emulator.md) and plain REST for arranging worker pools."""

    http: httpx.Client
    parent: str

    def instances(self, worker_pool: str | None = None, *, state: str | None = None) -> list[dict[str, Any]]:
        return [
            instance
            for instance in self._get("/_control/instances")["instances"]
            if worker_pool in (None, instance["worker_pool"]) and state in (None, instance["state"])
        ]

    def stops(self, worker_pool: str | None = None) -> list[dict[str, Any]]:
        stops: list[dict[str, Any]] = self._get("/_control/stops")["stops"]
        return [stop for stop in stops if worker_pool in (None, stop["worker_pool"])]

    def writes(self, worker_pool: str | None = None) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = self._get("/_control/writes")["writes"]
        return [each for each in made if worker_pool in (None, each["worker_pool"])]

    def log(self, instance: str) -> str:
        return _checked(self.http.get(f"/_control/instances/{instance}/log")).text

    def preempt(self, instance: str) -> None:
        _checked(self.http.post(f"/_control/instances/{instance}/preempt"))

    def put_secret(self, project: str, secret: str, value: str) -> None:
        _checked(self.http.put(f"/_control/secrets/{project}/{secret}", json={"value": value}))

    def put_write_quota(self, writes_per_minute: int) -> None:
        _checked(self.http.put("/_control/quota", json={"writes_per_minute": writes_per_minute}))

    def put_faults(self, faults: Mapping[str, Mapping[str, Any]]) -> None:
        """Exactly these are on from now."""
        _checked(self.http.put("/_control/faults", json={"faults": faults}))

    def struck(self, fault: str) -> int:
        """How often a fault has struck since the world began."""
        return int(self._get("/_control/faults")["struck"][fault])

    def make_bucket(self, name: str) -> None:
        """A bucket of Cloud Storage."""
        _checked(self.http.post("/storage/v1/b", json={"name": name}))

    def identity_token(self, *, email: str, audience: str, lifetime_seconds: float = 3600.0) -> str:
        body = {"email": email, "audience": audience, "lifetime_seconds": lifetime_seconds}
        return str(_checked(self.http.post("/_control/identity_token", json=body)).json()["token"])

    def credentials(self) -> dict[str, list[str]]:
        """Every token that was issued so far, by its kind."""
        return self._get("/_control/credentials")

    def rotate_identity_keys(self, *, withdraw: bool = False) -> str:
        """The id of the key that signs from now on."""
        body = {"withdraw": withdraw}
        return str(_checked(self.http.post("/_control/identity_keys", json=body)).json()["kid"])

    def access_token(self, email: str) -> str:
        return str(_checked(self.http.post("/_control/access_token", json={"email": email})).json()["token"])

    def give_roles(self, email: str, *roles: str) -> None:
        """The account has exactly these roles from now on."""
        _checked(self.http.put(f"/_control/accounts/{email}", json={"roles": list(roles)}))

    def create_worker_pool(
        self,
        worker_pool: str,
        command: Sequence[str],
        *,
        count: int = 0,
        environment: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        service_account: str | None = None,
    ) -> dict[str, Any]:
        """Makes it, waits until it is settled (not until its instances run) and returns its JSON."""
        container = {
            "image": "stand-in/ignored",
            "command": list(command),
            "env": [{"name": name, "value": value} for name, value in (environment or {}).items()],
        }
        template: dict[str, Any] = {"containers": [container]}
        if service_account is not None:
            template["serviceAccount"] = service_account
        body = {"labels": labels or {}, "template": template, "scaling": {"manualInstanceCount": count}}
        reply = self.http.post(
            f"/v2/{self.parent}/workerPools", params={"workerPoolId": worker_pool}, json=body
        )
        return self.done(_checked(reply).json())

    def patch_worker_pool(self, worker_pool: str, body: dict[str, Any], *, mask: str) -> dict[str, Any]:
        """Returns the operation."""
        reply = self.http.patch(
            f"/v2/{self.parent}/workerPools/{worker_pool}", params={"updateMask": mask}, json=body
        )
        operation: dict[str, Any] = _checked(reply).json()
        return operation

    def set_count(self, worker_pool: str, count: int) -> dict[str, Any]:
        return self.patch_worker_pool(
            worker_pool, {"scaling": {"manualInstanceCount": count}}, mask="scaling.manualInstanceCount"
        )

    def worker_pool(self, worker_pool: str) -> dict[str, Any]:
        return self._get(f"/v2/{self.parent}/workerPools/{worker_pool}")

    def done(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The worker pool that a finished operation tells of; fails when the operation has failed."""
        reply = self.http.post(f"/v2/{operation['name']}:wait", json={"timeout": "30s"}, timeout=40)
        finished = _checked(reply).json()
        assert finished.get("done"), f"the operation is not done after 30 s: {finished}"
        assert "error" not in finished, finished["error"]
        document: dict[str, Any] = finished["response"]
        return document

    def wait_for_running(self, worker_pool: str, count: int) -> list[dict[str, Any]]:
        return eventually(
            lambda: self.instances(worker_pool, state="running"),
            lambda running: len(running) == count,
            what=f"{count} running instances of {worker_pool}",
        )

    def _get(self, path: str) -> dict[str, Any]:
        document: dict[str, Any] = _checked(self.http.get(path)).json()
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubDoor:
    """The control door of the GitHub port."""

    http: httpx.Client

    def setup(
        self,
        organization: str = "acme",
        repositories: Sequence[str] = ("widgets",),
        *,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
    ) -> dict[str, Any]:
        return self._send(
            "POST",
            "/_control/setup",
            {
                "organization": organization,
                "repositories": [{"name": name, "private": True} for name in repositories],
                "webhook_url": webhook_url,
                "webhook_secret": webhook_secret,
            },
        )

    def put_webhook(self, url: str | None, secret: str | None) -> None:
        _checked(self.http.put("/_control/webhook", json={"url": url, "secret": secret}))

    def add_app_key(self, organization: str = "acme") -> str:
        """One more key for the App; its private half as PEM."""
        return str(self._send("POST", f"/_control/organizations/{organization}/app_keys")["private_key"])

    def delete_oldest_app_key(self, organization: str = "acme") -> None:
        self._send("DELETE", f"/_control/organizations/{organization}/app_keys")

    def credentials(self) -> dict[str, list[str]]:
        """What was shown or handed out so far, by its kind."""
        return self._send("GET", "/_control/credentials")

    def put_faults(self, faults: dict[str, dict[str, float]]) -> None:
        self._send("PUT", "/_control/faults", {"faults": faults})

    def push(self, repository: str, workflows: dict[str, str], *, source: Path | None = None) -> list[int]:
        """`repository` is OWNER/NAME; the ids of the runs that it started."""
        body = {"workflows": workflows, "source": str(source) if source else None}
        runs: list[int] = self._send("POST", f"/_control/repositories/{repository}/push", body)["runs"]
        return runs

    def jobs(self, *, log: bool = False) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self._send("GET", "/_control/jobs" + ("?log=1" if log else ""))["jobs"]
        return jobs

    def registrations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("GET", "/_control/registrations")["registrations"]
        return found

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._send("GET", "/_control/requests")["requests"]
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        document: dict[str, Any] = _checked(self.http.request(method, path, json=body)).json()
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running world and its doors."""

    github_url: str
    github_api_url: str
    cloud_url: str
    project: str
    region: str
    state_directory: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)
    cloud: CloudDoor = field(repr=False)
    github: GitHubDoor = field(repr=False)

    def living_processes(self) -> dict[int, str]:
        """Every process of this world except the emulator itself: pid -> command line."""
        return living_processes(self.state_directory, without=self.process.pid)


@contextlib.contextmanager
def running_emulator(
    state_directory: Path,
    *,
    time_factor: float = 0.05,
    seed: int = 7,
    module: str = "emulator",
    arguments: Sequence[str] = (),
) -> Iterator[Emulator]:
    """`python -m module` until the block ends; then SIGTERM, exit code 0, and nothing left. `state_directory` must be
    this world's alone. A test may end the emulator itself: only the survivors are looked at then.
    """
    state_directory.mkdir(parents=True, exist_ok=True)
    announcement = state_directory / "announcement.json"
    errors = state_directory / "emulator.stderr"
    command = [
        sys.executable,
        "-m",
        module,
        "--state-dir",
        str(state_directory),
        "--announce",
        str(announcement),
    ]
    command += ["--time-factor", str(time_factor), "--seed", str(seed), *arguments]
    # The last entry of PATH marks every process of this world: instances inherit nothing else of ours.
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{state_directory}/mark"}
    with errors.open("wb") as stderr, subprocess.Popen(command, env=environment, stderr=stderr) as process:
        try:
            facts = _announced(announcement, process, errors)
            with (
                httpx.Client(base_url=facts["cloud_url"], timeout=30) as cloud,
                httpx.Client(base_url=facts["github_url"], timeout=30) as github,
            ):
                yield Emulator(
                    github_url=facts["github_url"],
                    github_api_url=facts["github_api_url"],
                    cloud_url=facts["cloud_url"],
                    project=facts["project"],
                    region=facts["region"],
                    state_directory=state_directory,
                    process=process,
                    cloud=CloudDoor(
                        http=cloud, parent=f"projects/{facts['project']}/locations/{facts['region']}"
                    ),
                    github=GitHubDoor(http=github),
                )
        finally:
            ended_by_test = process.poll() is not None
            code = _ended(process)
            survivors = living_processes(state_directory)
            for pid in survivors:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    said = errors.read_text(errors="replace")
    assert not survivors, f"processes survived the emulator: {survivors}"
    assert ended_by_test or code == 0, f"the emulator ended with {code}; it said: {said}"
    assert ended_by_test or not said, f"the emulator complained: {said}"


def living_processes(state_directory: Path, *, without: int | None = None) -> dict[int, str]:
    """The processes that carry the mark of this world, zombies left out: pid -> command line."""
    mark = f"{state_directory}/mark".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (without, os.getpid()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if mark in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def _announced(announcement: Path, process: "subprocess.Popen[bytes]", errors: Path) -> dict[str, Any]:
    eventually(
        lambda: (announcement.exists(), process.poll()),
        lambda seen: seen[0] or seen[1] is not None,
        what="the emulator's announcement",
        deadline_seconds=START_DEADLINE_SECONDS,
    )
    assert announcement.exists(), f"the emulator ended with {process.returncode}: {errors.read_text()}"
    facts: dict[str, Any] = json.loads(announcement.read_text())
    return facts


def _ended(process: "subprocess.Popen[bytes]") -> int:
    process.terminate()
    try:
        return process.wait(END_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _checked(reply: httpx.Response) -> httpx.Response:
    assert reply.is_success, (
        f"{reply.request.method} {reply.request.url}: {reply.status_code} {reply.text[:500]}"
    )
    return reply
