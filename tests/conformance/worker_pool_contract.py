"""What any client of worker pools must see and do: test bodies over a small Protocol, run on the vendor's and on ours.

An adapter names a client (`WorkerPools`) and its test module calls each body with it, for example

    @pytest.mark.parametrize("body", CONTRACT, ids=lambda body: body.__name__)
    async def test_the_contract(body, pools, emulator): await body(pools, emulator)

Adapters translate their client's errors to the ones here.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import pytest

from tests.emulator_process import Emulator

SLEEP = ["sleep", "1000"]
WAIT_SECONDS = 20.0


class NotFound(Exception):
    """There is no such worker pool."""


class StaleEtag(Exception):
    """The worker pool has changed since it was read."""


class Throttled(Exception):
    """The write quota is used up."""


class Refused(Exception):
    """The request is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPool:
    """One reading of a worker pool."""

    id: str
    uid: str
    etag: str
    count: int | None
    generation: int
    observed_generation: int
    reconciling: bool
    labels: Mapping[str, str]
    service_account: str


class WorkerPools(Protocol):
    """The client under test, reduced to what a scaler needs."""

    async def listed(self) -> list[SeenPool]: ...

    async def read(self, worker_pool: str) -> SeenPool: ...

    async def set_count(self, seen: SeenPool, count: int) -> str:
        """Changes the count of exactly that reading; the operation's name."""
        ...

    async def is_done(self, operation: str) -> bool: ...


Body = Callable[[WorkerPools, Emulator], Awaitable[None]]


def fresh_id() -> str:
    return f"cell-{uuid.uuid4().hex[:12]}"


async def done(pools: WorkerPools, operation: str) -> None:
    """Waits for an operation through the client under test."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await pools.is_done(operation):
            await asyncio.sleep(0.02)


async def every_page_of_the_list_is_read(pools: WorkerPools, emulator: Emulator) -> None:
    """More worker pools than the largest page holds."""
    emulator.cloud.put_write_quota(10_000)
    prefix = fresh_id()
    body = {
        "template": {"containers": [{"image": "i", "command": SLEEP}]},
        "scaling": {"manualInstanceCount": 0},
    }
    for number in range(105):
        emulator.cloud.http.post(
            f"/v2/{emulator.cloud.parent}/workerPools",
            params={"workerPoolId": f"{prefix}-{number}"},
            json=body,
        ).raise_for_status()
    seen = [pool.id for pool in await pools.listed() if pool.id.startswith(prefix)]
    assert sorted(seen) == sorted(f"{prefix}-{number}" for number in range(105))


async def a_reading_shows_what_was_set_up(pools: WorkerPools, emulator: Emulator) -> None:
    worker_pool = fresh_id()
    document = emulator.cloud.create_worker_pool(
        worker_pool,
        SLEEP,
        labels={"runner-pool-deployment": "acme", "runner-pool-size": "4"},
        service_account="cell@demo-project.iam.gserviceaccount.com",
    )
    seen = await pools.read(worker_pool)
    assert seen == next(pool for pool in await pools.listed() if pool.id == worker_pool)
    assert (seen.id, seen.uid, seen.etag) == (worker_pool, document["uid"], document["etag"])
    assert seen.count == 0
    assert seen.labels == {"runner-pool-deployment": "acme", "runner-pool-size": "4"}
    assert seen.service_account == "cell@demo-project.iam.gserviceaccount.com"
    assert (seen.generation, seen.observed_generation, seen.reconciling) == (1, 1, False)


async def a_count_is_accepted_first_and_observed_later(pools: WorkerPools, emulator: Emulator) -> None:
    worker_pool = fresh_id()
    emulator.cloud.create_worker_pool(worker_pool, SLEEP)
    operation = await pools.set_count(await pools.read(worker_pool), 2)
    accepted = await pools.read(worker_pool)
    assert accepted.count == 2
    assert (accepted.generation, accepted.observed_generation, accepted.reconciling) == (2, 1, True)
    await done(pools, operation)
    settled = await pools.read(worker_pool)
    assert (settled.generation, settled.observed_generation, settled.reconciling) == (2, 2, False)
    assert settled.etag != accepted.etag
    emulator.cloud.wait_for_running(worker_pool, 2)
    await done(pools, await pools.set_count(settled, 0))
    assert (await pools.read(worker_pool)).count == 0


async def a_count_change_touches_nothing_else(pools: WorkerPools, emulator: Emulator) -> None:
    """Neither the scaling mode, which clients may not know, nor the template: no new revision."""
    worker_pool = fresh_id()
    before = emulator.cloud.create_worker_pool(worker_pool, SLEEP, labels={"kept": "yes"})
    await done(pools, await pools.set_count(await pools.read(worker_pool), 1))
    after = emulator.cloud.worker_pool(worker_pool)
    assert after["scaling"] == {"scalingMode": "MANUAL", "manualInstanceCount": 1}
    for field in ("template", "labels", "latestCreatedRevision", "latestReadyRevision", "uid", "createTime"):
        assert after[field] == before[field], field
    write = emulator.cloud.writes(worker_pool)[-1]
    assert {key: write[key] for key in ("method", "from", "to", "status")} == {
        "method": "PATCH", "from": 0, "to": 1, "status": 200,
    }  # fmt: skip


async def a_stale_reading_changes_nothing(pools: WorkerPools, emulator: Emulator) -> None:
    worker_pool = fresh_id()
    emulator.cloud.create_worker_pool(worker_pool, SLEEP)
    seen = await pools.read(worker_pool)
    await done(pools, await pools.set_count(seen, 1))
    with pytest.raises(StaleEtag):
        await pools.set_count(seen, 0)
    assert (await pools.read(worker_pool)).count == 1
    assert emulator.cloud.writes(worker_pool)[-1]["status"] == 409
    assert emulator.cloud.stops(worker_pool) == []


async def a_missing_worker_pool_is_said_to_be_missing(pools: WorkerPools, emulator: Emulator) -> None:
    worker_pool = fresh_id()
    with pytest.raises(NotFound):
        await pools.read(worker_pool)
    emulator.cloud.create_worker_pool(worker_pool, SLEEP)
    seen = await pools.read(worker_pool)
    deletion = emulator.cloud.http.delete(f"/v2/{emulator.cloud.parent}/workerPools/{worker_pool}").json()
    emulator.cloud.done(deletion)
    with pytest.raises(NotFound):
        await pools.set_count(seen, 1)
    assert worker_pool not in [pool.id for pool in await pools.listed()]


async def a_full_quota_is_not_retried_in_silence(pools: WorkerPools, emulator: Emulator) -> None:
    """One refusal reaches the caller, who keeps the budget; the client does not hammer."""
    worker_pool = fresh_id()
    emulator.cloud.create_worker_pool(worker_pool, SLEEP)
    seen = await pools.read(worker_pool)
    emulator.cloud.put_write_quota(0)
    try:
        with pytest.raises(Throttled):
            await pools.set_count(seen, 1)
    finally:
        emulator.cloud.put_write_quota(10_000)
    assert [write["status"] for write in emulator.cloud.writes(worker_pool)] == [200, 429]


async def a_negative_count_is_refused(pools: WorkerPools, emulator: Emulator) -> None:
    worker_pool = fresh_id()
    emulator.cloud.create_worker_pool(worker_pool, SLEEP)
    with pytest.raises((Refused, ValueError)):
        await pools.set_count(await pools.read(worker_pool), -1)
    assert emulator.cloud.worker_pool(worker_pool)["scaling"]["manualInstanceCount"] == 0


CONTRACT: tuple[Body, ...] = (
    every_page_of_the_list_is_read,
    a_reading_shows_what_was_set_up,
    a_count_is_accepted_first_and_observed_later,
    a_count_change_touches_nothing_else,
    a_stale_reading_changes_nothing,
    a_missing_worker_pool_is_said_to_be_missing,
    a_full_quota_is_not_retried_in_silence,
    a_negative_count_is_refused,
)
