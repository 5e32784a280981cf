"""What the demo sees of the stand-in world, and how it sets that world up: the control doors of both ports.

Contract: docs/reference/emulator.md. Calls are synchronous and go to loopback only, so proxies of the
environment are not asked. I know nothing of scaler and agent, and judge nothing.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from runner_pool import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Where the stand-in world answers."""

    github_url: str
    github_api_url: str
    cloud_url: str
    project: str
    region: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App installed in an organization of the stand-in GitHub."""

    client_id: str
    private_key: str
    organization: str

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"App(client_id={self.client_id!r}, organization={self.organization!r}, private_key=***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A workflow job as the stand-in GitHub knows it; times are seconds since the epoch."""

    id: int
    run_id: int
    workflow: str
    name: str
    status: str
    conclusion: str | None
    queued_at: float | None
    started_at: float | None
    completed_at: float | None
    instance: str | None
    message: str | None
    labels: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A container of the stand-in cloud; `busy` is the stand-in GitHub's own knowledge."""

    id: str
    worker_pool: str
    state: str
    busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One instance that the stand-in cloud has stopped, and whether a job ran in it at that moment."""

    instance: str
    worker_pool: str
    cause: str
    was_busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at the whole world. `counts` is the requested count of each worker pool."""

    jobs: tuple[Job, ...]
    registrations: int
    instances: tuple[Instance, ...]
    counts: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Nothing is requested, nothing runs and nothing is registered."""
        return not (self.registrations or self.instances or any(self.counts.values()))


class ControlDoor:
    """Both control doors, and one call of the vendor's (list of worker pools) to picture the cells."""

    def __init__(self, announcement: Announcement, *, timeout_seconds: float = 10.0) -> None:
        """Connect to the world that was announced; the connections are made on first use."""
        self.announcement = announcement
        self._http = httpx.Client(timeout=timeout_seconds, trust_env=False)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def set_up_organization(self, organization: str, *, repository: str) -> App:
        """Make an organization with one private repository and an installed App."""
        body = {
            "organization": organization,
            "repositories": [{"name": repository, "private": True}],
            "webhook_url": None,
            "webhook_secret": None,
        }
        reply = self._github("POST", "/_control/setup", body)
        return App(
            client_id=reply["client_id"],
            private_key=reply["private_key"],
            organization=reply["organization"],
        )

    def set_webhook(self, url: str, *, secret: str) -> None:
        """Send `workflow_job` events to `url`, signed with `secret`."""
        self._github("PUT", "/_control/webhook", {"url": url, "secret": secret})

    def push(self, repository: str, workflows: Mapping[str, str], *, source: str | None) -> tuple[int, ...]:
        """Push workflow files (name -> text) to `owner/name`; returns the ids of the runs that it started."""
        path = f"/_control/repositories/{repository}/push"
        reply = self._github("POST", path, {"workflows": dict(workflows), "source": source})
        return tuple(reply["runs"])

    def jobs(self, *, with_logs: bool = False) -> tuple[Job, ...]:
        """Return every job of every run."""
        found = self._github("GET", f"/_control/jobs{'?log=1' if with_logs else ''}")["jobs"]
        return tuple(_job(entry) for entry in found)

    def instances(self) -> tuple[Instance, ...]:
        """Return every instance that has not gone."""
        found = self._cloud("GET", "/_control/instances")["instances"]
        return tuple(
            Instance(
                id=entry["id"],
                worker_pool=_last_part(entry["worker_pool"]),
                state=entry["state"],
                busy=bool(entry["busy"]),
            )
            for entry in found
            if entry["state"] != "gone"
        )

    def stops(self) -> tuple[Stop, ...]:
        """Return every stop of an instance that the stand-in cloud has carried out."""
        return tuple(
            Stop(
                instance=entry["instance"],
                worker_pool=_last_part(entry["worker_pool"]),
                cause=entry["cause"],
                was_busy=bool(entry["was_busy"]),
            )
            for entry in self._cloud("GET", "/_control/stops")["stops"]
        )

    def registrations(self) -> int:
        """Return how many runners are registered."""
        return len(self._github("GET", "/_control/registrations")["registrations"])

    def counts(self) -> dict[str, int]:
        """Return the requested count of each worker pool (the vendor's list, all pages)."""
        place = self.announcement
        path = f"/v2/projects/{place.project}/locations/{place.region}/workerPools"
        counts: dict[str, int] = {}
        token = ""
        while True:
            page = self._cloud("GET", f"{path}?pageSize=100&pageToken={token}")
            for pool in page.get("workerPools", []):
                counts[_last_part(pool["name"])] = int(pool.get("scaling", {}).get("manualInstanceCount", 0))
            token = page.get("nextPageToken", "")
            if not token:
                return counts

    def snapshot(self) -> Snapshot:
        """Look at everything once."""
        return Snapshot(
            jobs=self.jobs(),
            registrations=self.registrations(),
            instances=self.instances(),
            counts=self.counts(),
        )

    def _github(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return self._call(method, self.announcement.github_url + path, body)

    def _cloud(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return self._call(method, self.announcement.cloud_url + path, body)

    def _call(self, method: str, url: str, body: object) -> dict[str, Any]:
        try:
            reply = self._http.request(method, url, json=body)
        except httpx.TransportError as error:
            raise errors.WorldError(
                f"the stand-in world does not answer {method} {url}",
                cause=f"{type(error).__name__}: {error}",
                remedy="run the demo again; a machine under heavy load may need a second try",
            ) from error
        if reply.is_error:
            text = reply.text[:256]
            with contextlib.suppress(ValueError, AttributeError):  # not an object in JSON: the text must do
                text = str(reply.json().get("message", text))
            raise errors.WorldError(
                f"the stand-in world refused {method} {url}: {reply.status_code}", cause=text
            )
        if not reply.content:
            return {}
        found = reply.json()
        return found if isinstance(found, dict) else {}


def _job(entry: Mapping[str, Any]) -> Job:
    return Job(
        id=entry["id"],
        run_id=entry["run_id"],
        workflow=entry["workflow"],
        name=entry["name"],
        status=entry["status"],
        conclusion=entry["conclusion"],
        queued_at=entry["queued_at"],
        started_at=entry["started_at"],
        completed_at=entry["completed_at"],
        instance=entry["instance"],
        message=entry["message"],
        labels=tuple(entry["labels"]),
        log=entry.get("log") or "",
    )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
