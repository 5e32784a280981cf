"""Changes that are wanted at once are written together, in turns that a store bears."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from cell_records.change import Change, Settled
from cell_records.errors import StoreUnavailable
from cell_records.patience import Again
from scaler.gathering import Gathering


@dataclass
class Adding:
    """A change of a sum; `ends` says what its attempts come to before it is made."""

    world: World
    key: str
    wishes: list[int]

    def attempt(self) -> Settled[int] | Again:
        if self.world.ends:
            end = self.world.ends.pop(0)
            if isinstance(end, Again):
                return end
            raise end
        outcomes = []
        for wish in self.wishes:
            self.world.sums[self.key] = self.world.sums.get(self.key, 0) + wish
            outcomes.append(self.world.sums[self.key])
        return Settled(outcomes, wrote=any(self.wishes))


@dataclass
class World:
    """A store of sums whose attempts wait for `gate`, and a clock that only sleep moves."""

    now: float = 100.0
    sums: dict[str, int] = field(default_factory=dict)
    ends: list[Again | Exception] = field(default_factory=list)
    attempts: list[tuple[float, str, list[int]]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.gathering = Gathering[int, int](
            lambda name, wishes: Adding(self, name, wishes),
            attempt=self.attempt,
            apart_seconds=1.0,
            clock=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: 0.5,
        )

    async def attempt(self, change: Change[int]) -> Settled[int] | Again:
        assert isinstance(change, Adding)
        self.attempts.append((self.now, change.key, list(change.wishes)))
        await self.gate.wait()
        return change.attempt()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds

    async def made(self, *wishes: int, name: str = "a") -> list[int]:
        return list(await asyncio.gather(*(self.gathering.made(name, wish) for wish in wishes)))


async def test_what_is_wanted_at_once_is_one_write_and_each_hears_its_own_outcome() -> None:
    world = World()
    assert await world.made(1, 2, 3) == [1, 3, 6]
    assert world.attempts == [(100.0, "a", [1, 2, 3])]


async def test_who_comes_while_a_write_is_under_way_is_served_by_the_next_one() -> None:
    """And the next write waits for its turn, from the end of the last."""
    world = World()
    world.gate.clear()
    first = asyncio.ensure_future(world.made(1))
    await until(lambda: len(world.attempts) == 1)
    later = [asyncio.ensure_future(world.made(wish)) for wish in (10, 100)]
    await settle()
    assert len(world.attempts) == 1
    world.now += 5
    world.gate.set()
    assert [await each for each in (first, *later)] == [[1], [11], [111]]
    assert world.attempts == [(100.0, "a", [1]), (106.0, "a", [10, 100])]


async def test_a_lone_change_waits_for_nothing_and_other_records_never_do() -> None:
    world = World()
    await world.made(1)
    await world.made(1, name="b")
    world.now += 1.0
    await world.made(1)
    assert [(at, name) for at, name, _ in world.attempts] == [(100.0, "a"), (100.0, "b"), (101.0, "a")]


async def test_a_change_that_wrote_nothing_costs_no_turn() -> None:
    world = World()
    await world.made(0)
    await world.made(1)
    world.gathering.wrote("b")
    await world.made(1, name="b")
    assert [(at, name) for at, name, _ in world.attempts] == [(100.0, "a"), (100.0, "a"), (101.0, "b")]


async def test_a_store_that_asks_for_a_pause_gets_growing_ones() -> None:
    world = World(ends=[Again.BUSY, Again.BEATEN, Again.BUSY, Again.UNKNOWN])
    assert await world.made(7) == [7]
    times = [at for at, _, _ in world.attempts]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert (gaps[1], gaps[3]) == (0.0, 0.0)
    assert 0 < gaps[0] < gaps[2]


async def test_a_store_that_is_down_is_told_to_all_who_waited_and_to_nobody_else() -> None:
    world = World(ends=[StoreUnavailable("down")])
    outcomes = await asyncio.gather(
        *(world.gathering.made("a", wish) for wish in (1, 2)), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await world.made(3) == [3]


async def test_who_gives_up_waiting_takes_nobody_along() -> None:
    world = World()
    world.gate.clear()
    impatient = asyncio.ensure_future(world.made(1))
    patient = asyncio.ensure_future(world.made(10))
    await until(lambda: len(world.attempts) == 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    world.gate.set()
    assert await patient == [11]


async def test_nothing_is_kept_of_what_is_over() -> None:
    world = World()
    for number in range(5):
        await world.made(1, 2, name=f"cell-{number}")
    assert (world.gathering._forming, world.gathering._last) == ({}, {})


async def until(condition: object) -> None:
    for _ in range(100):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
