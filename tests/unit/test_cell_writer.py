"""The only place that writes counts: what is looked at before each write, and what makes it decline.

Over 350 lines in one file, because all of it plays in the same small world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from cell_records.change import read_cell
from cell_records.codec import cell_text, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord, CellState
from cell_records.store import DEPLOYMENT_KEY, Stored, cell_key
from scaler.budget import MinuteBudget
from scaler.cell_directory import Cell
from scaler.cell_writer import CellWriter, Rest
from scaler.cloud_run.wire import Operation, OperationState, ScalingMode, WorkerPool
from scaler.core.cell_steps import ZERO_AGAIN_SECONDS
from scaler.errors import CapacityRefused, CloudRunError, Conflict, PermissionDenied, Throttled, Unavailable
from tests.factories import NOW, OWNER, a_lease, a_record, a_worker_pool
from tests.scaler_parts import Clock, records_over
from tests.simulation.forgetful_store import ForgetfulStore

CELL = "linux-a"
LONG_AGO = NOW - 1_000.0


@dataclass(slots=True)
class OnePool:
    """A worker pool that obeys at once. `on_read` runs before each reading is given; `fails` spoils the next writes."""

    pool: WorkerPool
    writes: list[tuple[str, int]] = field(default_factory=list)
    fails: list[CloudRunError] = field(default_factory=list)
    after_read: list[Callable[[], object]] = field(default_factory=list)
    failed_operation: CloudRunError | None = None

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """See Counts."""
        reading = self.pool
        if self.after_read:
            self.after_read.pop(0)()
        return reading

    async def set_count(self, pool: WorkerPool, count: int) -> Operation:
        """See Counts."""
        self.writes.append((pool.etag, count))
        if self.fails:
            raise self.fails.pop(0)
        if pool.etag != self.pool.etag:
            raise Conflict("stale")
        self.becomes(count)
        return Operation(name="operation-1", done=True)

    async def operation(self, name: str) -> OperationState:
        """See Counts."""
        return OperationState(done=True, error=self.failed_operation)

    def becomes(self, count: int) -> None:
        """The count is set, by whomever."""
        number = int(self.pool.etag.rpartition("-")[2]) + 1
        self.pool = replace(self.pool, count=count, etag=f"etag-{number}")


class WriterWorld:
    """One cell of four instances at most."""

    def __init__(self, record: CellRecord, *, count: int = 0) -> None:
        self.clock = Clock()
        self.store = ForgetfulStore()
        self.put(record)
        self.cloud = OnePool(a_worker_pool(CELL, count=count, size=4))
        self.changes = 0
        self.budget = MinuteBudget(30)
        self.writer = CellWriter(
            self.cloud,
            records_over(self.store),
            budget=self.budget,
            settle_seconds=80.0,
            clock=self.clock,
            sleep=self._sleep,
            on_change=self._changed,
        )

    def put(self, record: CellRecord) -> None:
        """Set what stands in the store."""
        stands = self.store.texts.get(cell_key(CELL))
        version = 1 if stands is None else stands.version + 1
        self.store.texts[cell_key(CELL)] = Stored(cell_text(record), version)

    @property
    def record(self) -> CellRecord:
        """What stands in the store."""
        record = read_cell(self.store, CELL)
        assert record is not None
        return record

    @property
    def cell(self) -> Cell:
        """The cell as the directory has read it now."""
        return Cell(
            name=CELL, pool="linux", size=4, worker_pool=self.cloud.pool, read_at=self.clock.now, fault=None
        )

    async def raised(self, to: int) -> None:
        """Note the request as the leader does before it raises; raise and wait for the end."""
        self.asked_for(to)
        self.writer.raise_cell(self.cell, to)
        await self.writer.settle()

    def asked_for(self, count: int) -> None:
        """Set what the deployment's record says was asked for."""
        text = deployment_text(DeploymentRecord(owner=OWNER, requested={CELL: count}))
        self.store.texts[DEPLOYMENT_KEY] = Stored(text, 1)

    async def closed(self) -> None:
        """Close and wait for the end."""
        self.writer.close_cell(self.cell)
        await self.writer.settle()

    async def carried(self, record: CellRecord | None = None, *, inhabited: bool = False) -> None:
        """Carry on by one step, with a record that was read before the pool, and wait for the end."""
        self.writer.carry(self.cell, record or self.record, inhabited=inhabited)
        await self.writer.settle()

    async def _sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    def _changed(self) -> None:
        self.changes += 1


async def test_a_cell_at_zero_is_opened_before_its_count_is_raised() -> None:
    """The write names the etag of the reading."""
    world = WriterWorld(a_record(state=CellState.ZERO))
    await world.raised(2)
    assert world.record.state is CellState.OPEN
    assert world.cloud.writes == [("etag-1", 2)]
    assert world.writer.last_write_at == {CELL: NOW}


async def test_a_raise_from_zero_waits_until_nothing_is_under_way() -> None:
    """A template whose answer was lost would replace the instances under their jobs. What has failed is over."""
    world = WriterWorld(a_record(state=CellState.ZERO))
    world.cloud.pool = a_worker_pool(CELL, count=0, settled=False, size=4)
    await world.raised(2)
    assert world.cloud.writes == []
    world.cloud.pool = replace(a_worker_pool(CELL, count=0, size=4), failure="no such image")
    await world.raised(2)
    assert world.cloud.writes == [("etag-1", 2)]


async def test_a_raise_of_what_is_there_waits_for_nothing() -> None:
    """A raise follows a raise at once."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.pool = a_worker_pool(CELL, count=1, settled=False, size=4)
    await world.raised(2)
    assert world.cloud.writes == [("etag-1", 2)]


@pytest.mark.parametrize(
    "record",
    [
        a_record(state=CellState.ZERO, zeroed_at=NOW - 80.0),
        a_record(state=CellState.CLOSING),
        a_record(state=CellState.ZERO, hold="rollout"),
    ],
    ids=["cooling", "closing", "held"],
)
async def test_a_cell_that_may_not_open_is_not_raised(record: CellRecord) -> None:
    """Nothing is written at all."""
    world = WriterWorld(record)
    await world.raised(2)
    assert world.cloud.writes == []
    assert world.record == record


@pytest.mark.parametrize("count", [2, 3, 6])
async def test_a_raise_to_no_more_than_is_there_writes_nothing(count: int) -> None:
    """Whoever has raised it meanwhile."""
    world = WriterWorld(a_record(), count=count)
    await world.raised(2)
    assert world.cloud.writes == []


async def test_after_a_conflict_the_target_is_derived_again() -> None:
    """Another hand has raised to 3 between reading and write: 2 would have lowered."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.after_read = [lambda: world.cloud.becomes(3)]
    await world.raised(2)
    assert world.cloud.writes == [("etag-1", 2)]
    assert world.cloud.pool.count == 3


async def test_a_cell_closed_between_reading_and_write_is_not_raised() -> None:
    """The record is looked at after the reading."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.after_read = [lambda: world.put(a_record(state=CellState.CLOSING))]
    await world.raised(2)
    assert world.cloud.writes == []


@pytest.mark.parametrize(
    "pool",
    [
        a_worker_pool(CELL, count=None),
        a_worker_pool(CELL, count=1, scaling_mode=ScalingMode.AUTOMATIC),
        a_worker_pool(CELL, count=1, uid="another"),
    ],
    ids=["no count", "automatic", "recreated"],
)
async def test_a_worker_pool_that_is_not_what_it_was_is_not_raised(pool: WorkerPool) -> None:
    """Unknown is not zero."""
    world = WriterWorld(a_record())
    world.asked_for(4)
    world.writer.raise_cell(world.cell, 2)
    world.cloud.pool = pool
    await world.writer.settle()
    assert world.cloud.writes == []


async def test_a_close_sets_the_gate_before_the_count() -> None:
    """And the count to zero, never to less than it was."""
    world = WriterWorld(a_record(), count=3)
    states: list[CellState] = []
    world.cloud.after_read = [lambda: states.append(world.record.state)]
    await world.closed()
    assert states == [CellState.CLOSING]
    assert world.cloud.writes == [("etag-1", 0)]


async def test_a_lease_that_came_first_keeps_the_cell_as_it_is() -> None:
    """Neither gate nor count moves."""
    world = WriterWorld(a_record(leases=[a_lease()]), count=3)
    await world.closed()
    assert world.record.state is CellState.OPEN
    assert world.cloud.writes == []


async def test_a_lower_is_written_again_after_a_conflict_with_a_new_etag() -> None:
    """Another hand has raised the closing cell."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.after_read = [lambda: world.cloud.becomes(2)]
    await world.closed()
    assert world.cloud.writes == [("etag-1", 0), ("etag-2", 0)]
    assert world.cloud.pool.count == 0


async def test_a_lower_declines_when_the_cell_was_zeroed_and_opened_since_the_reading() -> None:
    """Somebody else has carried it on while this process stood still."""
    world = WriterWorld(a_record(state=CellState.CLOSING), count=2)
    world.cloud.after_read = [lambda: world.put(a_record(leases=[a_lease()]))]
    await world.carried()
    assert world.cloud.writes == []


async def test_a_closed_cell_is_carried_to_zero_by_any_process() -> None:
    """First the count, then the note of it."""
    world = WriterWorld(a_record(state=CellState.CLOSING), count=2)
    await world.carried()
    assert world.cloud.pool.count == 0
    world.clock.now += 5.0
    await world.carried()
    assert (world.record.state, world.record.zeroed_at) == (CellState.ZERO, NOW + 5.0)


async def test_a_zero_that_failed_is_written_again_after_a_rest_and_noted_only_once_it_is_true() -> None:
    """Cloud Run shows the count that was asked for, and that it could not carry it out: instances still live."""
    world = WriterWorld(a_record(state=CellState.CLOSING), count=0)
    world.cloud.pool = replace(world.cloud.pool, failure="An internal error has occurred.")
    await world.carried()
    await world.carried()
    assert (world.record.state, world.cloud.writes) == (CellState.CLOSING, [("etag-1", 0)])
    world.clock.now += ZERO_AGAIN_SECONDS + 1.0
    await world.carried()
    assert world.cloud.writes == [("etag-1", 0), ("etag-2", 0)]
    world.cloud.pool = replace(world.cloud.pool, failure=None)
    await world.carried()
    assert world.record.state is CellState.ZERO


async def test_a_zero_is_noted_only_on_the_very_record_that_the_reading_followed() -> None:
    """The next closing of the same cell looks alike and is another one."""
    older = a_record(state=CellState.CLOSING, op_nonce="older")
    world = WriterWorld(a_record(state=CellState.CLOSING, op_nonce="newer"))
    await world.carried(older)
    assert world.record.state is CellState.CLOSING


async def test_a_zero_that_was_read_before_another_lower_is_not_noted() -> None:
    """A raise that came late has undone it, and the zero written since has not settled."""
    world = WriterWorld(a_record(state=CellState.CLOSING), count=0)
    read = world.record
    world.cloud.becomes(1)
    await world.carried()
    assert (world.cloud.pool.count, world.record.lowered_at) == (0, NOW)
    await world.carried(read)
    assert world.record.state is CellState.CLOSING


async def test_a_count_found_at_zero_leads_back_to_closing() -> None:
    """Another hand has raised it; nobody there will get a lease."""
    world = WriterWorld(a_record(state=CellState.ZERO), count=2)
    await world.carried()
    assert world.record.state is CellState.CLOSING


@pytest.mark.parametrize(
    ("inhabited", "state"),
    [
        pytest.param(True, CellState.CLOSING, id="another hand's zero left its instances"),
        pytest.param(False, CellState.ZERO, id="a template that cannot start would fail at zero for ever"),
    ],
)
async def test_a_failed_change_at_zero_is_written_again_under_instances_alone(
    state: CellState, *, inhabited: bool
) -> None:
    """The count says zero, and only those who ask for work show that it is not."""
    world = WriterWorld(a_record(state=CellState.ZERO), count=0)
    world.cloud.pool = replace(world.cloud.pool, failure="An internal error has occurred.")
    await world.carried(inhabited=inhabited)
    assert world.record.state is state


@pytest.mark.parametrize("count", [0, 3])
async def test_an_open_cell_is_never_touched_by_carrying(count: int) -> None:
    """Only a decision closes."""
    world = WriterWorld(a_record(), count=count)
    await world.carried()
    assert world.cloud.writes == []
    assert world.record.state is CellState.OPEN


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        (CapacityRefused("no CPU left"), 60.0),
        (Throttled("quota"), 20.0),
        (Unavailable("no answer"), 5.0),
        (PermissionDenied("not allowed"), 60.0),
    ],
)
async def test_a_cell_rests_after_a_failed_write_for_as_long_as_its_kind_asks(
    failure: CloudRunError, seconds: float
) -> None:
    """And says why meanwhile."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.fails = [failure]
    await world.raised(2)
    assert world.writer.rest(CELL) == Rest(until=NOW + seconds, why=failure.what)
    assert len(world.cloud.writes) == 1
    world.clock.now += seconds
    assert world.writer.rest(CELL) is None


async def test_a_resting_cell_is_not_lowered_until_its_rest_is_over() -> None:
    """The closing stays; nothing ever takes it back."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.fails = [Unavailable("no answer")]
    await world.closed()
    await world.carried()
    assert len(world.cloud.writes) == 1
    world.clock.now += 5.0
    await world.carried()
    assert world.cloud.pool.count == 0
    assert world.record.state is CellState.CLOSING


async def test_an_operation_that_fails_later_is_heard_of() -> None:
    """CPU quota refusals arrive so."""
    world = WriterWorld(a_record(), count=1)
    world.cloud.failed_operation = CapacityRefused("no CPU left")
    await world.raised(2)
    rest = world.writer.rest(CELL)
    assert rest is not None
    assert rest.why == "no CPU left"


async def test_a_store_that_is_down_stops_the_raise_before_anything_is_written() -> None:
    """No gate, no count."""
    world = WriterWorld(a_record(state=CellState.ZERO))
    world.store.reads_fail = 1
    await world.raised(2)
    assert world.cloud.writes == []
    assert world.writer.rest(CELL) is not None


async def test_one_write_is_in_flight_per_cell() -> None:
    """A second wish is dropped; the next tick derives it again."""
    world = WriterWorld(a_record(), count=1)
    world.asked_for(4)
    world.writer.raise_cell(world.cell, 2)
    world.writer.raise_cell(world.cell, 3)
    world.writer.close_cell(world.cell)
    assert world.writer.busy(CELL)
    await world.writer.settle()
    assert world.cloud.writes == [("etag-1", 2)]
    assert not world.writer.busy(CELL)
    assert world.changes == 1
