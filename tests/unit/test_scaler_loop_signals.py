"""How soon a signal is followed by a tick or a look, and that however many of them share one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from cell_records.errors import StoreUnavailable
from scaler.core.model import Grant, Reason
from scaler.errors import PromiseBroken
from scaler.instances import OFFER_SECONDS
from scaler.loop import SHORTEST_BETWEEN_TICKS_SECONDS
from scaler.reconciler import TickRecord
from tests.factories import REPOSITORY, an_open_cell
from tests.scaler_loop_scene import IDLE_PICTURE, Scene, idle
from tests.scaler_parts import a_few_turns


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    if scene.living is not None:
        scene.living.cancel()
        await asyncio.gather(scene.living, return_exceptions=True)


async def test_a_nudge_after_a_quiet_moment_waits_for_nothing(scene: Scene) -> None:
    """Only signals that follow upon a tick wait for those behind them, and no longer than that."""
    await scene.begin()
    ticks, slept = len(scene.looks), len(scene.sleep.asked)
    await scene.passes(SHORTEST_BETWEEN_TICKS_SECONDS)
    scene.loop.nudge()
    await a_few_turns()
    assert len(scene.looks) == ticks + 1
    assert scene.sleep.asked[slept:] == []
    scene.clock.now += SHORTEST_BETWEEN_TICKS_SECONDS / 4
    scene.loop.nudge()
    await a_few_turns()
    assert scene.sleep.asked[slept:] == [pytest.approx(SHORTEST_BETWEEN_TICKS_SECONDS * 3 / 4)]
    assert len(scene.looks) == ticks + 1


async def test_a_clock_that_is_set_back_delays_no_tick_by_more_than_the_shortest_pause(scene: Scene) -> None:
    """Times are told by the machine's clock, which others may set."""
    await scene.begin()
    slept = len(scene.sleep.asked)
    scene.clock.now -= 3_600.0
    scene.loop.nudge()
    await a_few_turns()
    assert scene.sleep.asked[slept:] == [SHORTEST_BETWEEN_TICKS_SECONDS]


@pytest.mark.parametrize(
    "record",
    [
        idle(grants=(Grant(cell="a", leases=1, reason=Reason.PARKED_CAN_TAKE),)),
        idle(replace(an_open_cell(), parked=1, offered=1)),
    ],
    ids=["offered now", "offered before"],
)
async def test_while_an_offer_is_open_a_look_is_taken_when_it_may_have_ended(
    scene: Scene, record: TickRecord
) -> None:
    """An offer that was lost covers its job until then, and nobody tells of it."""
    scene.record = record
    await scene.begin()
    assert scene.loop._next_look(record) == record.at + OFFER_SECONDS
    assert scene.loop._next_look(idle()) > record.at + OFFER_SECONDS


@pytest.mark.parametrize(("uncovered", "short"), [(0, False), (2, True)])
async def test_a_pool_is_short_while_the_last_decision_left_jobs_uncovered(
    scene: Scene, uncovered: int, short: bool
) -> None:
    scene.record = idle(picture=replace(IDLE_PICTURE, uncovered=uncovered))
    await scene.begin()
    assert scene.loop.is_short("linux") is short
    assert not scene.loop.is_short("gpu")


@pytest.mark.parametrize(
    "failure", [StoreUnavailable("no answer"), PromiseBroken("dropped", remedy="report it")], ids=str
)
async def test_while_nothing_was_decided_every_pool_is_short(scene: Scene, failure: Exception) -> None:
    """The next poll then asks for another tick: jobs may wait that no decision has seen."""
    assert scene.loop.is_short("linux")
    await scene.begin()
    assert not scene.loop.is_short("linux")
    with capture_logs():
        scene.fails["tick"] = failure
        await scene.nudged()
        assert scene.loop.is_short("linux")
        del scene.fails["tick"]
        await scene.nudged()
    assert not scene.loop.is_short("linux")


async def test_signals_during_a_look_lead_to_one_more_look_however_many_they_are(scene: Scene) -> None:
    """What the last of them is about may have happened after the look had begun; none of them is a count."""
    await scene.begin()
    scene.look_gate = asyncio.Event()
    scene.loop.nudge_repository("acme/gadgets")
    for _ in range(2):
        for _ in range(1_000):
            scene.loop.nudge_repository(REPOSITORY)
        await a_few_turns()
    assert scene.looked_at == ["acme/gadgets", REPOSITORY]
    assert len(scene.loop._looks) == 2, "more than one task waits for one look"
    scene.look_gate.set()
    await a_few_turns()
    assert scene.looked_at == ["acme/gadgets", REPOSITORY, REPOSITORY]
    scene.loop.nudge_repository(REPOSITORY)
    await a_few_turns()
    assert scene.looked_at[3:] == [REPOSITORY]
    assert (scene.loop._signalled, scene.loop._looks) == ({}, set())
