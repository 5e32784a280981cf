"""A region in memory for the verbs that change cells: worker pools that obey at once, records, and a scaler in one sentence.

Whoever uses it can be killed before or after any write. A template that is written, or a worker pool that is deleted, over a
lease or over a count is noted as a kill: that is what must never be.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from cell_records.change import Owned, change_cell, read_cell
from cell_records.codec import cell_text
from cell_records.record import CellRecord, Lease, Outcome, Refused, ended, leased, opened
from cell_records.store import Stored, cell_key
from scaler.budget import MinuteBudget
from scaler.cell_directory import DEPLOYMENT_LABEL, POOL_LABEL, SIZE_LABEL
from scaler.cell_writer import CellWriter
from scaler.cloud_run.wire import Document, Operation, OperationState, WorkerPool, document
from scaler.errors import CloudRunError, Conflict, NotFound
from scaler.rollout.cells import Task
from scaler.rollout.performer import Performer, Selection
from scaler.rollout.verbs import Verb, Wanted
from tests.factories import ACCOUNT, OWNER
from tests.scaler_parts import Clock, records_over
from tests.simulation.forgetful_store import ForgetfulStore

SETTLE_SECONDS = 80.0
PARENT = "projects/p/locations/r"
_NONCES = count(1)


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Region:
    """Worker pools and records. `kill_at`: before (even) or after (odd) which write the process dies; `jobs`: that wait for an
    instance; `broken`: images that Cloud Run cannot start; `fails`: what the next writes of a field end with; `keeps`: texts that
    Cloud Run keeps in another form; `fields`: how many writes of a field it took.
    """

    clock: Clock = field(default_factory=Clock)
    store: ForgetfulStore = field(default_factory=ForgetfulStore)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    fails: list[CloudRunError] = field(default_factory=list)
    keeps: dict[str, str] = field(default_factory=dict)
    fields: int = 0
    jobs: int = 0
    job_seconds: float = 3.0
    kill_at: int | None = None
    writes: int = 0
    dead: bool = False
    lines: list[str] = field(default_factory=list)
    leases: int = 0

    def add(self, name: str, record: CellRecord | None, *, count: int = 0, image: str = "old") -> None:
        """One more cell."""
        self.pools[name] = {
            "name": f"{PARENT}/workerPools/{name}",
            "uid": f"uid-{name}",
            "etag": "0",
            "generation": "2",
            "observedGeneration": "2",
            "labels": {DEPLOYMENT_LABEL: OWNER, POOL_LABEL: "linux", SIZE_LABEL: "2"},
            "scaling": {"manualInstanceCount": count, "futureField": True},
            "template": {"serviceAccount": ACCOUNT, "sandboxes": {"x": 1}, "containers": [{"image": image}]},
        }
        if record is not None:
            self.store.texts[cell_key(name)] = Stored(cell_text(record), 1)

    def record(self, name: str) -> CellRecord:
        """The record of a cell that has one."""
        found = read_cell(self.store, name)
        assert found is not None
        return found

    def image(self, name: str) -> str:
        """What the cell runs."""
        return str(self.pools[name]["template"]["containers"][0]["image"])

    # Cloud Run.

    async def list_documents(self) -> list[Document]:
        """See WorkerPools."""
        return [self._document(name) for name in self.pools]

    async def get_document(self, worker_pool_id: str) -> Document:
        """See WorkerPools."""
        if worker_pool_id not in self.pools:
            raise NotFound("there is none")
        return self._document(worker_pool_id)

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """See Counts."""
        return (await self.get_document(worker_pool_id)).reading

    async def set_count(self, pool: WorkerPool, count: int) -> Operation:
        """See Counts."""
        return self._written(pool, lambda data: data["scaling"].update(manualInstanceCount=count))

    async def operation(self, name: str) -> OperationState:
        """See Counts."""
        return OperationState(done=True, error=None)

    async def set_field(self, of: Document, name: str, value: object) -> Operation:
        """See WorkerPools."""
        if self.fails:
            raise self.fails.pop(0)
        self._replaces(of.reading, f"its {name} was written")
        operation = self._written(of.reading, lambda data: data.update({name: self._kept(value)}))
        self.fields += 1
        data = self.pools[of.reading.id]
        state = "FAILED" if self.image(of.reading.id) in self.broken else "SUCCEEDED"
        data["terminalCondition"] = {"state": f"CONDITION_{state}", "message": "no such image"}
        return operation

    def _kept(self, value: object) -> object:
        text = json.dumps(value)
        for given, kept in self.keeps.items():
            text = text.replace(json.dumps(given), json.dumps(kept))
        return json.loads(text)

    async def delete_worker_pool(self, pool: WorkerPool) -> Operation:
        """See WorkerPools."""
        self._replaces(pool, "it was deleted")
        return self._written(pool, lambda _: self.pools.pop(pool.id))

    def _document(self, name: str) -> Document:
        self.require_life()
        return document(json.dumps(self.pools[name]).encode())

    def _written(self, pool: WorkerPool, change: Callable[[dict[str, Any]], object]) -> Operation:
        data = self.pools.get(pool.id)
        if data is None:
            raise NotFound("there is none")
        if data["etag"] != pool.etag:
            raise Conflict("stale")
        before = copy.deepcopy(data)
        with_kill(self, lambda: change(data))
        changed = data != before
        data["etag"] = str(int(data["etag"]) + 1)
        data["generation"] = data["observedGeneration"] = str(int(data["generation"]) + changed)
        if self.dead:
            raise Killed
        return Operation(name="operation-1", done=True)

    def _replaces(self, pool: WorkerPool, what: str) -> None:
        """What is about to stop every instance of a cell, if its etag is still the one."""
        data = self.pools.get(pool.id)
        record = read_cell(self.store, pool.id)
        if data is None or data["etag"] != pool.etag:
            return
        if data["scaling"]["manualInstanceCount"] or (record is not None and record.leases):
            self.kills.append(f"{pool.id}: {what} over count {data['scaling']} and {record}")

    def require_life(self) -> None:
        """A process that was killed sees nothing more."""
        if self.dead:
            raise Killed

    # The scaler, the agents and the jobs, once a second.

    async def sleep(self, seconds: float) -> None:
        """Let time pass; all that others do is done in it."""
        self.require_life()
        await asyncio.sleep(0)  # so that another verb that runs beside this one has its turn
        self.clock.now += seconds
        for name in self.pools:
            self.serve(name)

    def serve(self, name: str) -> None:
        """One second of scaler and agent in a cell."""
        record = read_cell(self.store, name)
        if record is None:
            return
        for lease in record.leases:
            if self.clock.now >= lease.started_at + self.job_seconds:
                self.change(
                    name,
                    lambda it, lease=lease: ended(  # type: ignore[misc]  # each lease its own
                        it,
                        lease_id=lease.id,
                        boot=lease.boot,
                        close=False,
                        job_served=True,
                        now=self.clock.now,
                    ),
                )
        if not self.jobs:
            return
        if isinstance(
            self.change(name, lambda it: opened(it, now=self.clock.now, settle_seconds=80.0)), Refused
        ):
            return
        data = self.pools[name]
        data["scaling"]["manualInstanceCount"] = max(1, data["scaling"]["manualInstanceCount"])
        data["etag"] = str(int(data["etag"]) + 1)
        self.leases += 1
        lease = Lease(
            id=f"lease-{self.leases}",
            boot=f"boot-{self.leases}",
            ask=1,
            runner_name=f"linux-{name}-{self.leases}",
            started_at=self.clock.now,
            hard_end=self.clock.now + 1_000.0,
        )
        given = self.change(
            name, lambda it: leased(it, lease, uptime_seconds=0.0, room=1, now=self.clock.now)
        )
        self.jobs -= not isinstance(given, Refused)

    def change(self, name: str, transition: Callable[[CellRecord], Outcome]) -> Outcome:
        """What another process changes."""
        outcome = change_cell(
            self.store, name, transition, owned=Owned(owner=OWNER), nonce=lambda: f"other-{next(_NONCES)}"
        )
        assert outcome is not None
        return outcome


def with_kill(region: Region, write: Callable[[], object]) -> None:
    """One write of the process under test; it may die before it or after it."""
    region.require_life()
    if region.kill_at == 2 * region.writes:
        region.dead = True
        raise Killed
    write()
    region.dead = region.kill_at == 2 * region.writes + 1
    region.writes += 1


class MortalStore:
    """The process's own way to the store."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self.limits = region.store.limits

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        self._region.require_life()
        return self._region.store.read(key)

    def read_all(self) -> dict[str, Stored]:
        """See RecordStore."""
        self._region.require_life()
        return dict(self._region.store.read_all())

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        version = 0

        def write() -> None:
            nonlocal version
            version = self._region.store.compare_and_set(key, text, expected=expected)

        with_kill(self._region, write)
        self._region.require_life()
        return version

    def remove(self, key: str, *, expected: int) -> None:
        """See RecordStore."""
        with_kill(self._region, lambda: self._region.store.remove(key, expected=expected))
        self._region.require_life()


def doc(
    name: str = "a", *, image: str = "old", count: int = 0, rests: bool = True, **others: Any
) -> Document:
    """A worker pool of the region."""
    region = Region()
    region.add(name, None, count=count, image=image)
    data = {**region.pools[name], **others}
    if not rests:
        data["reconciling"] = True
    return document(json.dumps(data).encode())


def failed_with(message: str) -> dict[str, Any]:
    """The condition of a worker pool whose last change could not be carried out."""
    return {
        "state": "CONDITION_FAILED",
        "message": message,
        "lastTransitionTime": "2026-11-26T05:00:00Z",
    }


LOCATION = "projects/p/locations/r"


async def run_verb(region: Region, wanted: Wanted, *, seconds: float = 2_000.0, writes: int = 100) -> None:
    """One run of a verb over the region. Raises what it raises, and Killed."""
    region.dead, region.writes = False, 0
    records = records_over(MortalStore(region), location=LOCATION)
    budget = MinuteBudget(writes)
    writer = CellWriter(
        region,
        records,
        budget=budget,
        settle_seconds=SETTLE_SECONDS,
        clock=region.clock,
        sleep=region.sleep,
        on_change=lambda: None,
        follow_seconds=0.0,
    )
    selection = Selection(deployment=OWNER, pools=["linux"], pool=wanted.pool, cells=wanted.cells)

    def performer(task: Task) -> Performer:
        return Performer(
            task,
            selection,
            cloud=region,
            records=records,
            writer=writer,
            budget=budget,
            owner=OWNER,
            clock=region.clock,
        )

    async def sleep(pause: float) -> None:
        await writer.settle()
        await region.sleep(pause)

    verb = Verb(
        wanted,
        performer,
        settle_seconds=SETTLE_SECONDS,
        clock=region.clock,
        timer=region.clock,
        sleep=sleep,
        say=region.lines.append,
    )
    await verb.run()


def images(region: Region) -> Sequence[str]:
    """What each cell runs."""
    return [region.image(name) for name in sorted(region.pools)]
