"""A scaler put together by the program's own assembly, over SQLite; GitHub and Cloud Run answer as a test tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from github_api.values import Repository
from scaler.assembly import Parts, assemble
from scaler.cloud_run.wire import WorkerPool
from scaler.errors import CloudRunError, NotFound
from tests.config_text import SMALLEST, config_from
from tests.factories import OWNER
from tests.github_replies import pem


@dataclass(slots=True)
class Assembled:
    """The parts, and what the two vendors say. `on_sweep`: called while GitHub is read."""

    parts: Parts
    worker_pools: tuple[WorkerPool, ...] = ()
    cloud_fails: CloudRunError | None = None
    cloud_reads: int = 0
    on_sweep: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    async def list_worker_pools(self) -> list[WorkerPool]:
        """In place of Cloud Run's list."""
        self.cloud_reads += 1
        if self.cloud_fails is not None:
            raise self.cloud_fails
        return list(self.worker_pools)

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """In place of Cloud Run's answer about one."""
        for each in self.worker_pools:
            if each.id == worker_pool_id:
                return each
        raise NotFound("there is none")

    async def repositories(self) -> tuple[Repository, ...]:
        """In place of GitHub's list: an installation without repositories has no queue to read."""
        for each in self.on_sweep:
            await each()
        return ()


def assembled(folder: Path, *, more: str = "") -> Assembled:
    """A scaler of the smallest configuration that holds, with `more` at its end."""
    text = (
        SMALLEST.replace("file:/run/secrets/key", "env:APP_KEY")
        .replace("acme-ci", OWNER)
        .replace("/tmp/records.db", str(folder / "records.db"))
    )
    scaler = Assembled(assemble(config_from(folder, text + more), {"APP_KEY": pem()}, follow=False))
    # The parts hold these clients themselves, so it is the clients that are made to answer.
    scaler.parts.cloud.list_worker_pools = scaler.list_worker_pools  # type: ignore[method-assign] # told above
    scaler.parts.cloud.get_worker_pool = scaler.get_worker_pool  # type: ignore[method-assign] # told above
    scaler.parts.github.repositories = scaler.repositories  # type: ignore[method-assign] # told above
    return scaler
