"""Shrinks when writes are short: no pool starves another, and the cell that saves the most goes first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as some

from scaler.core.decide import decide
from scaler.core.memory_text import memory_in, memory_text
from scaler.core.model import CellSeen, Close, Memory, Reason, Turns
from scaler.core.sharing import Closable, shared
from tests.factories import NOW, a_policy, a_pool, an_open_cell, seen

POOLS = ("large", "linux", "small")


def closable(cell: str, *, pool: str = "linux", instances: int = 1, idle_seconds: float = 60.0) -> Closable:
    """A cell that may be closed."""
    return Closable(
        pool=pool,
        close=Close(cell=cell, reason=Reason.SURPLUS),
        instances=instances,
        idle_seconds=idle_seconds,
    )


def test_of_one_pool_the_cell_with_most_instances_times_idle_time_goes_first() -> None:
    cells = [
        closable("a", instances=1, idle_seconds=100.0),
        closable("b", instances=4, idle_seconds=30.0),
        closable("c", instances=2, idle_seconds=70.0),
    ]
    closes, _ = shared(cells, pools=POOLS, writes=2, turns=Turns(), at=NOW)
    assert [close.cell for close in closes] == ["c", "b"]


def test_pools_take_turns_however_much_one_of_them_would_save() -> None:
    """Two writes a tick, three pools: over three ticks each pool has two."""
    turns, had = Turns(), Counter[str]()
    for tick in range(3):
        cells = [
            closable(f"{pool}-{n}", pool=pool, instances=size)
            for pool, size in zip(POOLS, (20, 5, 1), strict=True)
            for n in range(9)
        ]
        closes, turns = shared(cells, pools=POOLS, writes=2, turns=turns, at=NOW + tick)
        had.update(close.cell.split("-")[0] for close in closes)
    assert had == {"large": 2, "linux": 2, "small": 2}


@settings(deadline=None)
@given(
    some.lists(
        some.tuples(some.integers(0, 3), some.integers(0, 9), some.integers(1, 9)), min_size=1, max_size=12
    )
)
def test_a_pool_that_always_waits_closes_a_cell_before_any_other_closes_two(
    ticks: list[tuple[int, int, int]],
) -> None:
    """`ticks`: writes, and how many larger cells the two other pools bring each time."""
    turns, since = Turns(), Counter[str]()
    for number, (writes, linux, large) in enumerate(ticks):
        cells = [closable(f"small-{n}", pool="small") for n in range(9)]
        cells += [closable(f"linux-{n}", instances=50) for n in range(linux)]
        cells += [closable(f"large-{n}", pool="large", instances=100) for n in range(large)]
        closes, turns = shared(cells, pools=POOLS, writes=writes, turns=turns, at=NOW + number)
        assert len(closes) == writes
        for close in closes:
            pool = close.cell.split("-")[0]
            since = Counter() if pool == "small" else since + Counter([pool])
            assert max(since.values(), default=0) <= 1


def test_a_cell_that_counts_nothing_costs_no_write() -> None:
    closes, turns = shared(
        [closable("a"), closable("b", instances=0)], pools=POOLS, writes=0, turns=Turns(), at=NOW
    )
    assert [close.cell for close in closes] == ["b"]
    assert turns == Turns()


def test_turns_of_a_pool_that_is_gone_are_forgotten_and_a_new_one_is_next() -> None:
    turns = Turns(at=NOW - 1.0, after=("gone", "linux"))
    closes, after = shared(
        [closable("a"), closable("b", pool="new")], pools=("linux", "new"), writes=1, turns=turns, at=NOW
    )
    assert [close.cell for close in closes] == ["b"]
    assert after.after == ("linux", "new")


def idle(name: str, pool: str, *, count: int = 1) -> CellSeen:
    """An open cell of a pool that nothing needs."""
    return an_open_cell(name, pool=pool, count=count, parked=count)


def test_with_one_write_a_tick_the_decision_closes_cells_of_both_pools_in_turn() -> None:
    """The higher priority grows first; it does not shrink first."""
    policy = a_policy(a_pool(name="linux", priority=5), a_pool(name="gpu", labels=["gpu"]))
    cells = [idle("a1", "linux"), idle("a2", "linux"), idle("b1", "gpu"), idle("b2", "gpu")]
    memory = Memory(surplus={cell.name: NOW - 60.0 for cell in cells})
    closed = []
    for tick in range(4):
        made, memory = decide(policy, seen(*cells, at=NOW + tick, shrink_writes_left=1), memory)
        memory = memory_in(memory_text(memory))
        (close,) = made.closes
        closed.append(close.cell)
        cells = [cell for cell in cells if cell.name != close.cell]
    assert closed == ["b2", "a2", "b1", "a1"]


def test_a_raise_goes_before_a_close_when_one_write_is_left() -> None:
    """Growth before shrink, whichever pool comes first by name or priority."""
    policy = a_policy(a_pool(name="linux", minimum=2), a_pool(name="gpu", labels=["gpu"], priority=5))
    cells = [an_open_cell("a", count=1, size=2, parked=1), idle("b", "gpu")]
    made, _ = decide(
        policy, seen(*cells, writes_left=1, shrink_writes_left=1), Memory(surplus={"b": NOW - 60.0})
    )
    assert [rise.cell for rise in made.raises] == ["a"]
    assert made.closes == ()
