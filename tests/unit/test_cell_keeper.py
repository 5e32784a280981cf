"""Housekeeping of records: which facts take a lease away, and which never do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from cell_records.change import read_cell
from cell_records.codec import cell_text
from cell_records.record import CellRecord, CellState, Ghost, Lease
from cell_records.store import Stored, cell_key
from github_api.errors import Unavailable
from github_api.values import JobStatus
from scaler.budget import MinuteBudget
from scaler.cell_directory import CellDirectory
from scaler.cell_keeper import CellKeeper
from scaler.cloud_run.wire import ScalingMode, WorkerPool
from scaler.core.model import LeaseState
from scaler.errors import NotFound
from scaler.instances import Instances
from scaler.lease_ends import LeaseEnded, LeaseOutcome
from scaler.records import AllRecords
from scaler.registrar import Registrar
from tests.factories import NOW, OWNER, REPOSITORY, a_lease, a_record, a_worker_pool, demand, seen
from tests.scaler_parts import Clock, RegistrationsOfGitHub, a_github_job, records_over
from tests.simulation.forgetful_store import ForgetfulStore

CELL = "linux-a"
SETTLE = 80.0
SUSPECT = 60.0
LISTENING = a_lease(runner_id=7, hard_end=NOW + 36_000.0)
SERVING = a_lease(runner_id=7, job_id=70, repository=REPOSITORY, hard_end=NOW + 36_000.0)


@dataclass(slots=True)
class Listener:
    """Leases that were told as removed, with how."""

    removals: list[tuple[str, LeaseOutcome]] = field(default_factory=list)

    events: list[LeaseEnded] = field(default_factory=list)

    def removed(self, event: LeaseEnded) -> None:
        """See Told."""
        self.removals.append((event.lease, event.outcome))
        self.events.append(event)


class KeeperWorld:
    """One cell with its record and worker pool, kept by one process that has just started."""

    def __init__(
        self, record: CellRecord | None, pool: WorkerPool | None = None, *, direct: bool = False
    ) -> None:
        self.clock = Clock()
        self.store = ForgetfulStore()
        self.pool = pool or a_worker_pool(CELL, count=1)
        if record is not None:
            self.put(record)
        self.is_listed, self.is_there = True, True
        self.asked_alone: WorkerPool | None = None
        self.github = RegistrationsOfGitHub()
        self.told = Listener()
        self.instances = Instances(self.clock)
        self.records = records_over(self.store)
        registrar = Registrar(
            self.github, self.records, budget=MinuteBudget(10), jit_call_seconds=15.0, clock=self.clock
        )
        self.keeper = CellKeeper(
            owner=OWNER,
            records=self.records,
            instances=self.instances,
            registrar=registrar,
            told=self.told,
            settle_seconds=SETTLE,
            suspect_seconds=SUSPECT,
            clock=self.clock,
            direct=direct,
            cloud=self,
        )

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """See WorkerPoolByName."""
        assert worker_pool_id == CELL
        if not self.is_there:
            raise NotFound("there is none")
        return self.asked_alone or self.pool

    def put(self, record: CellRecord) -> None:
        """Set what stands in the store."""
        stands = self.store.texts.get(cell_key(CELL))
        version = 1 if stands is None else stands.version + 1
        self.store.texts[cell_key(CELL)] = Stored(cell_text(record), version)

    @property
    def record(self) -> CellRecord | None:
        """What stands in the store."""
        return read_cell(self.store, CELL)

    @property
    def leases(self) -> list[str]:
        """Which leases stand."""
        return [] if self.record is None else [lease.id for lease in self.record.leases]

    async def keep(
        self,
        *,
        after: float = 0.0,
        fresh: bool = True,
        read: AllRecords | None = None,
        running: Mapping[int, int] | None = None,
    ) -> None:
        """One tick's housekeeping `after` seconds later; `read`: records that were read before."""
        self.clock.now += after
        directory = CellDirectory(deployment=OWNER, pools=["linux"], settle_seconds=SETTLE)
        directory.take([self.pool] if self.is_listed else [], read_at=self.clock.now)
        records = read or await self.records.all()
        facts = seen(demand=demand(at=self.clock.now, running=running), at=self.clock.now)
        await self.keeper.keep(records, directory, facts, fresh=fresh)
        await self.keeper.settle()


async def test_a_cell_at_a_settled_zero_gets_its_first_record_and_then_may_open() -> None:
    """One that was never touched need not even cool."""
    world = KeeperWorld(None, replace(a_worker_pool(CELL, count=0), generation=1, observed_generation=1))
    await world.keep()
    assert world.record is not None
    assert (world.record.state, world.record.zeroed_at) == (CellState.ZERO, 0.0)
    touched = KeeperWorld(None, a_worker_pool(CELL, count=0))
    await touched.keep()
    assert touched.record is not None
    assert touched.record.zeroed_at == NOW


@pytest.mark.parametrize(
    ("pool", "fresh"),
    [
        (a_worker_pool(CELL, count=2), True),
        (a_worker_pool(CELL, count=0, settled=False), True),
        (a_worker_pool(CELL, count=0), False),
    ],
    ids=["instances", "not settled", "an old reading"],
)
async def test_a_missing_record_stays_missing_where_something_may_run(pool: WorkerPool, fresh: bool) -> None:
    """It may have been lost: unknown is not empty."""
    world = KeeperWorld(None, pool)
    await world.keep(fresh=fresh)
    assert world.record is None


@pytest.mark.parametrize(
    "old", [None, a_record(leases=[SERVING], uid="the old one")], ids=["none", "an old one"]
)
async def test_a_list_alone_gives_no_first_record(old: CellRecord | None) -> None:
    """It may lag: asked for by its name, the worker pool has instances, is another by now, or does not answer."""
    listed = a_worker_pool(CELL, count=0)
    for alone in (
        a_worker_pool(CELL, count=1),
        replace(listed, uid="yet another"),
        replace(listed, deleted=True),
        None,
    ):
        world = KeeperWorld(old, listed)
        world.asked_alone, world.is_there = alone, alone is not None
        await world.keep()
        assert (world.record, world.told.removals) == (old, [])


async def test_a_recreated_worker_pool_gets_a_new_record_in_place_of_the_old() -> None:
    """Its instances went with the old one (witness 4)."""
    world = KeeperWorld(a_record(leases=[SERVING], uid="the old one"), a_worker_pool(CELL, count=0))
    await world.keep()
    assert world.record is not None
    assert (world.record.uid, world.record.state, world.leases) == (world.pool.uid, CellState.ZERO, [])


@pytest.mark.parametrize(
    ("lease", "outcome"),
    [
        (a_lease(hard_end=NOW - 1), LeaseOutcome.LOST),
        (a_lease(dying_until=NOW - 1), LeaseOutcome.PREEMPTED),
    ],
)
async def test_a_lease_past_its_end_is_removed_and_told(lease: Lease, outcome: LeaseOutcome) -> None:
    """Witness 3, and instances that the platform has stopped."""
    world = KeeperWorld(a_record(leases=[lease]))
    await world.keep(after=SUSPECT + 1)
    assert world.leases == []
    assert world.told.removals == [("lease-1", outcome)]


@pytest.mark.parametrize(
    "lease", [a_lease(hard_end=NOW - 1), a_lease(dying_until=NOW - 1), SERVING], ids=["late", "dying", "over"]
)
async def test_leases_of_a_cell_at_fault_end_by_their_witnesses_too(lease: Lease) -> None:
    """Its pool was taken out of the configuration, say; a drain of it waits for them."""
    pool = a_worker_pool(CELL, count=1)
    world = KeeperWorld(
        a_record(leases=[lease]), replace(pool, labels={**pool.labels, "runner-pool-pool": "gone"})
    )
    world.github.jobs[70] = a_github_job(
        70, JobStatus.COMPLETED, runner_name=lease.runner_name, runner_id=7, completed_at=NOW
    )
    await world.keep(after=SUSPECT + 1)
    assert world.leases == []
    assert len(world.told.removals) == 1


async def test_a_cell_at_fault_gets_no_record_and_no_zero_of_another_hand_counts_there() -> None:
    """Its count may be that of automatic scaling."""
    automatic = replace(a_worker_pool(CELL, count=0), scaling_mode=ScalingMode.AUTOMATIC)
    world = KeeperWorld(None, automatic)
    await world.keep()
    assert world.record is None
    world.put(a_record(leases=[LISTENING]))
    for _ in range(3):
        await world.keep(after=SETTLE + 1)
    assert world.leases == ["lease-1"]


async def test_a_lease_that_is_still_heard_of_outlives_its_hard_end() -> None:
    """Its agent ends it by then, so a word after it shows that this machine's clock is wrong."""
    world = KeeperWorld(a_record(leases=[a_lease(hard_end=NOW + 100.0)]))
    world.clock.now += 6 * 3600.0
    world.instances.hear(lease="lease-1", cell=CELL, state=LeaseState.RUNNING, seq=1, job=None)
    await world.keep()
    assert world.leases == ["lease-1"]
    assert "clock" in world.keeper.faults[CELL]
    await world.keep(after=SUSPECT + 1)
    assert world.leases == []


async def test_silence_alone_never_takes_a_lease_away() -> None:
    """Nor an instance count of 1 with nobody speaking, nor lists without the runner; for hours."""
    world = KeeperWorld(a_record(leases=[replace(SERVING, job_id=None, repository=None)]))
    for _ in range(60):
        await world.keep(after=300.0)
    assert world.leases == ["lease-1"]
    assert world.told.removals == []


async def test_a_zero_by_another_hand_takes_the_leases_once_it_has_stayed_and_all_are_silent() -> None:
    """Witness 4. "Settled" may be said too early, so one reading is not enough."""
    world = KeeperWorld(a_record(leases=[LISTENING]), a_worker_pool(CELL, count=0))
    await world.keep(after=1_000.0)
    await world.keep(after=SETTLE)
    assert world.leases == ["lease-1"]
    await world.keep(after=1.0)
    assert world.leases == []
    assert world.record is not None
    assert world.record.state is CellState.CLOSING
    assert world.told.removals == [("lease-1", LeaseOutcome.LOST)]


async def test_one_voice_of_the_cell_keeps_its_leases() -> None:
    """Whatever the count says, somebody lives there."""
    world = KeeperWorld(a_record(leases=[LISTENING]), a_worker_pool(CELL, count=0))
    for seq in range(1, 20):
        world.instances.hear(lease="lease-1", cell=CELL, state=LeaseState.RUNNING, seq=seq, job=None)
        await world.keep(after=20.0)
    assert world.leases == ["lease-1"]


async def test_a_count_that_came_back_in_between_begins_the_wait_anew() -> None:
    """The same zero, written twice, is two zeros: instances of the time between may live."""
    world = KeeperWorld(a_record(leases=[LISTENING]), a_worker_pool(CELL, count=0))
    await world.keep(after=1_000.0)
    world.pool = replace(world.pool, generation=4, observed_generation=4)
    await world.keep(after=SETTLE + 1)
    assert world.leases == ["lease-1"]
    await world.keep(after=SETTLE + 1)
    assert world.leases == []


async def test_a_zero_that_was_read_before_never_takes_a_lease_that_was_given_after() -> None:
    """A process that stood still between reading and writing finds another record, and declines."""
    world = KeeperWorld(a_record(leases=[LISTENING], op_nonce="old"), a_worker_pool(CELL, count=0))
    await world.keep(after=1_000.0)
    old = await world.records.all()
    world.put(a_record(leases=[a_lease(lease_id="lease-2", boot="boot-2")], op_nonce="new"))
    await world.keep(after=SETTLE + 1, read=old)
    assert world.leases == ["lease-2"]
    assert world.record is not None
    assert world.record.state is CellState.OPEN


async def test_a_job_is_noted_with_its_lease_once_a_reading_shows_it() -> None:
    """So that GitHub can be asked about it later, also by another process."""
    world = KeeperWorld(a_record(leases=[a_lease(runner_id=7)]))
    await world.keep(running={7: 70, 8: 80})
    assert world.record is not None
    assert world.record.leases[0] == replace(world.record.leases[0], job_id=70, repository=REPOSITORY)


@pytest.mark.parametrize(
    ("runner_id", "completed_at", "goes"),
    [(7, NOW, True), (8, NOW, False), (None, NOW, False), (7, None, False)],
    ids=["completed by it", "by another", "by nobody", "not completed"],
)
async def test_a_silent_lease_leaves_only_if_github_calls_its_job_completed_by_its_runner(
    runner_id: int | None, completed_at: float | None, goes: bool
) -> None:
    """Witness 2."""
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.github.jobs[70] = a_github_job(
        70,
        JobStatus.COMPLETED,
        runner_id=runner_id,
        runner_name=SERVING.runner_name,
        completed_at=completed_at,
    )
    await world.keep(after=SUSPECT - 1)
    assert world.leases == ["lease-1"]
    await world.keep(after=1)
    assert (world.leases == []) is goes
    assert world.told.removals == ([("lease-1", LeaseOutcome.FINISHED)] if goes else [])


async def test_github_that_does_not_answer_is_no_witness() -> None:
    """It is named as a fault and asked again later."""
    world = KeeperWorld(a_record(leases=[SERVING]))
    world.github.fails["job"] = Unavailable("no answer")
    await world.keep(after=SUSPECT)
    assert world.leases == ["lease-1"]
    assert "no answer" in world.keeper.faults[CELL]


async def test_a_registration_without_a_lease_is_cleared_and_forgotten() -> None:
    """By its id."""
    world = KeeperWorld(a_record(ghosts=[Ghost(runner_name="gone", runner_id=9, since=NOW)]))
    world.github.registered[9] = "gone"
    await world.keep()
    assert world.github.deleted == [9]
    assert world.record is not None
    assert world.record.ghosts == ()


async def test_a_record_that_cannot_be_read_is_left_alone() -> None:
    """As is its cell."""
    world = KeeperWorld(None, a_worker_pool(CELL, count=0))
    world.store.texts[cell_key(CELL)] = Stored("{", 1)
    await world.keep()
    assert world.store.texts[cell_key(CELL)] == Stored("{", 1)
