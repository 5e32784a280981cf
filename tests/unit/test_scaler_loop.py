"""When the scaler looks: on a nudge, when a decision asks for it, in intervals; and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from cell_records.errors import RecordError, StoreUnavailable
from cell_records.record import CellState
from scaler.core.model import Close, Decision, Raise, Reason
from scaler.errors import LoopBroken, PromiseBroken
from scaler.lease_ends import LeaseEnded, LeaseOutcome
from scaler.loop import (
    CONFIRM_AFTER_SECONDS,
    IDLE_FACTOR,
    SHORTEST_BETWEEN_TICKS_SECONDS,
    SWEEP_WAITED_FOR_SECONDS,
)
from scaler.reconciler import TickRecord
from tests.factories import NOW, REPOSITORY, a_cell, an_open_cell, demand, seen
from tests.scaler_loop_scene import CELLS, DEMAND, IDLE_PICTURE, LATER, RENEWAL, Scene, idle
from tests.scaler_parts import a_few_turns, a_picture, a_tick


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    if scene.living is not None:
        scene.living.cancel()
        await asyncio.gather(scene.living, return_exceptions=True)


async def test_it_begins_with_a_sweep_a_renewal_and_a_tick_that_reads_the_cells(scene: Scene) -> None:
    await scene.begin()
    assert (scene.sweeps, scene.looks[0]) == (1, True)
    assert scene.renewals == 1


async def test_a_nudge_leads_to_a_tick(scene: Scene) -> None:
    await scene.begin()
    ticks = len(scene.looks)
    await scene.passes(1.0)
    assert len(scene.looks) == ticks
    scene.loop.nudge()
    await a_few_turns()
    assert len(scene.looks) == ticks + 1


async def test_nudges_that_come_together_share_one_tick(scene: Scene) -> None:
    await scene.begin()
    ticks = len(scene.looks)
    for _ in range(50):
        scene.loop.nudge()
    await a_few_turns()
    assert len(scene.looks) == ticks + 1
    for _ in range(50):
        scene.loop.nudge()
    await a_few_turns()
    assert len(scene.looks) == ticks + 1, "the next tick came at once"
    await scene.passes(SHORTEST_BETWEEN_TICKS_SECONDS)
    assert len(scene.looks) == ticks + 2


async def test_a_nudge_during_a_tick_is_not_lost(scene: Scene) -> None:
    """What it is about may have happened after the tick had looked."""
    await scene.begin()
    scene.tick_gate = asyncio.Event()
    scene.loop.nudge()
    await a_few_turns()
    ticks = len(scene.looks)
    scene.loop.nudge()
    scene.tick_gate.set()
    await a_few_turns()
    await scene.passes(SHORTEST_BETWEEN_TICKS_SECONDS)
    assert len(scene.looks) == ticks + 1


async def test_a_decision_may_ask_for_an_earlier_look(scene: Scene) -> None:
    """Nobody nudges; a cell has finished cooling."""
    scene.record = a_tick(Decision(pools=(IDLE_PICTURE,), look_again_at=NOW + 0.06))
    await scene.begin()
    ticks = len(scene.looks)
    scene.clock.now += 1.0
    async with asyncio.timeout(5.0):
        while len(scene.looks) == ticks:
            await asyncio.sleep(0.005)


def a_raise() -> Raise:
    return Raise(cell="a", to=1, reason=Reason.QUEUED_JOBS)


@pytest.mark.parametrize(
    ("record", "moving"),
    [
        (idle(), False),
        (idle(raises=(a_raise(),)), True),
        (idle(closes=(Close(cell="a", reason=Reason.SURPLUS),)), True),
        (idle(picture=a_picture()), True),
        (idle(a_cell(state=CellState.CLOSING)), True),
        (idle(replace(an_open_cell(), writable=False)), True),
        (idle(a_cell(requested=1, observed=0)), True),
        (idle(a_cell(requested=1, observed=None)), True),
        (idle(an_open_cell(), a_cell("b")), False),
    ],
    ids=[
        "idle",
        "raise",
        "close",
        "booting",
        "closing",
        "writing",
        "not there yet",
        "unknown",
        "quiet cells",
    ],
)
async def test_the_cells_are_read_often_only_while_counts_may_change(
    scene: Scene, record: TickRecord, moving: bool
) -> None:
    scene.record = record
    await scene.begin()
    pause = CELLS * (1 if moving else IDLE_FACTOR)
    assert not await scene.nudged(after=pause - 1.0)
    assert await scene.nudged(after=1.0)


async def test_a_reading_that_fails_is_not_repeated_in_a_hurry(scene: Scene) -> None:
    """However many signals come in while Cloud Run does not answer."""
    scene.record = idle(picture=a_picture())
    await scene.begin()
    scene.read_works = False
    assert await scene.nudged(after=CELLS)
    assert [await scene.nudged(after=1.0) for _ in range(5)] == [False] * 5
    assert await scene.nudged(after=CELLS - 5.0)


async def test_a_store_that_fails_is_told_once_and_again_after_it_has_answered(scene: Scene) -> None:
    await scene.begin()
    answers = [scene.loop.store_answers]
    with capture_logs() as logged:
        for works in (False, False, False, True, False):
            scene.fails = {} if works else {"tick": StoreUnavailable("the disk is full")}
            await scene.nudged()
            answers.append(scene.loop.store_answers)
    assert answers == [True, False, False, False, True, False]
    told = [(line["event"], line["what"]) for line in logged if line["log_level"] == "warning"]
    assert told == [("records_unavailable", "the disk is full")] * 2


async def test_a_broken_promise_is_told_and_the_loop_goes_on(scene: Scene) -> None:
    await scene.begin()
    scene.fails["tick"] = PromiseBroken("a would be closed under a lease", remedy="report it")
    with capture_logs() as logged:
        await scene.nudged()
    (line,) = [line for line in logged if line["event"] == "promise_broken"]
    assert (line["what"], line["remedy"]) == ("a would be closed under a lease", "report it")
    del scene.fails["tick"]
    await scene.nudged()


@pytest.mark.parametrize("where", ["tick", "sweep", "renew", "look", "write"])
async def test_a_defect_anywhere_ends_the_loop(scene: Scene, where: str) -> None:
    """A restart is the remedy, since all that matters is in the records."""
    await scene.begin()
    defect = ValueError("this cannot be")
    if where == "write":
        scene.defect = defect
    else:
        scene.fails[where] = defect
    scene.loop.nudge_repository(REPOSITORY)
    scene.loop.nudge()
    await a_few_turns()
    await scene.passes(DEMAND)
    ended = await scene.ends_with()
    assert isinstance(ended, LoopBroken)
    assert "ValueError: this cannot be" in ended.what
    assert ended.__cause__ is defect


async def test_a_process_that_is_told_to_stop_is_not_broken(scene: Scene) -> None:
    await scene.begin()
    assert scene.living is not None
    scene.living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scene.living


async def test_every_repository_is_read_in_intervals(scene: Scene) -> None:
    await scene.begin()
    await scene.passes(DEMAND - 1.0)
    assert scene.sweeps == 1
    await scene.passes(1.0)
    assert scene.sweeps == 2


async def test_a_signal_about_a_repository_looks_at_that_one(scene: Scene) -> None:
    await scene.begin()
    scene.loop.nudge_repository("acme/gadgets")
    await a_few_turns()
    assert scene.looked_at == ["acme/gadgets"]
    assert scene.sweeps == 1


async def test_a_second_look_that_a_decision_waits_for_is_taken_a_second_later(scene: Scene) -> None:
    scene.record = idle(confirm=frozenset({REPOSITORY}))
    await scene.begin()
    await scene.passes(NOW + CONFIRM_AFTER_SECONDS - 0.1 - scene.clock.now)
    assert scene.confirmed == []
    await scene.passes(0.1)
    assert scene.confirmed == [REPOSITORY]


async def test_a_second_look_that_others_have_taken_is_not_taken_again(scene: Scene) -> None:
    scene.record = idle(confirm=frozenset({REPOSITORY}))
    await scene.begin()
    scene.readings = demand(at=NOW + CONFIRM_AFTER_SECONDS)
    await scene.passes(CONFIRM_AFTER_SECONDS)
    assert scene.confirmed == []


async def test_a_second_look_that_waits_for_its_turn_is_not_asked_for_again(scene: Scene) -> None:
    """Each tick names the repository until it has been read; a thousand of them would pile up."""
    scene.record = idle(confirm=frozenset({REPOSITORY}))
    scene.confirm_gate = asyncio.Event()
    await scene.begin()
    await scene.passes(CONFIRM_AFTER_SECONDS)
    for _ in range(5):
        scene.loop.nudge()
        await a_few_turns()
        await scene.passes(CONFIRM_AFTER_SECONDS)
    assert scene.confirmed == [REPOSITORY]
    scene.confirm_gate.set()
    await a_few_turns()
    scene.readings = demand(at=NOW)
    scene.loop.nudge()
    await a_few_turns()
    await scene.passes(CONFIRM_AFTER_SECONDS)
    assert scene.confirmed == [REPOSITORY] * 2


async def test_looking_at_everything_sweeps_first_and_then_ticks_with_a_reading(scene: Scene) -> None:
    scene.fails["sweep"] = ValueError("the sweep comes first")
    with pytest.raises(ValueError, match="comes first"):
        await scene.loop.look_at_everything()
    assert scene.looks == []
    del scene.fails["sweep"]
    assert await scene.loop.look_at_everything() is scene.record
    assert scene.looks == [True]


async def test_cron_is_answered_though_a_sweep_takes_long_and_the_sweep_goes_on(scene: Scene) -> None:
    scene.sweep_gate = asyncio.Event()
    look = asyncio.ensure_future(scene.loop.look_at_everything())
    await a_few_turns()
    await scene.passes(SWEEP_WAITED_FOR_SECONDS - 1.0)
    assert (look.done(), scene.looks) == (False, [])
    await scene.passes(1.0)
    assert await look is scene.record
    assert scene.looks == [True]
    scene.fails["sweep"] = ValueError("it was still under way")
    scene.sweep_gate.set()
    with pytest.raises(LoopBroken, match="still under way"):
        await scene.loop.run()


@pytest.mark.parametrize("failure", [StoreUnavailable("no answer"), PromiseBroken("dropped")])
async def test_looking_at_everything_tells_that_nothing_was_decided(scene: Scene, failure: Exception) -> None:
    scene.fails["tick"] = failure
    with capture_logs():
        assert await scene.loop.look_at_everything() is None


async def test_the_lead_is_renewed_in_intervals_and_told_when_it_begins(scene: Scene) -> None:
    with capture_logs() as logged:
        await scene.begin()
        for _ in range(3):
            await scene.passes(RENEWAL)
        scene.held = False
        await scene.passes(RENEWAL)
    assert scene.renewals == 5
    assert [line["who"] for line in logged if line["event"] == "leading"] == ["me", "me"]


async def test_a_renewal_that_fails_is_told_once_and_tried_again(scene: Scene) -> None:
    scene.fails["renew"] = RecordError("no answer")
    with capture_logs() as logged:
        await scene.begin()
        await scene.passes(RENEWAL)
        del scene.fails["renew"]
        await scene.passes(RENEWAL)
    assert scene.held
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == ["records_unavailable"]


@pytest.mark.parametrize(
    ("record", "closes"),
    [
        (None, False),
        (idle(surplus=frozenset({"a"})), True),
        (idle(surplus=frozenset({"b"})), False),
        (replace(idle(surplus=frozenset({"a"})), leads=False), False),
    ],
    ids=["no tick yet", "surplus", "another is", "not the leader"],
)
def test_the_end_of_a_lease_closes_a_cell_only_by_the_leaders_last_decision(
    record: TickRecord | None, closes: bool
) -> None:
    scene = Scene()
    if record is not None:
        with capture_logs():
            scene.journal.ticked(record)
    assert scene.loop.closes_when_empty("a") is closes


def test_an_instance_hears_how_many_jobs_are_queued_only_when_that_is_known() -> None:
    scene = Scene()
    counts = [scene.loop.queued_for("linux")]
    pictures = Decision(pools=(a_picture(queued=7),), look_again_at=LATER)
    for complete in (False, True):
        with capture_logs():
            scene.journal.ticked(a_tick(pictures, observed=seen(demand=demand(complete=complete))))
        counts.append(scene.loop.queued_for("linux"))
    assert counts == [None, None, 7]
    assert scene.loop.queued_for("gpu") is None


def test_the_end_of_a_lease_is_counted() -> None:
    scene = Scene()
    with capture_logs():
        scene.loop.ended(LeaseEnded(pool="linux", cell="a", lease="l", outcome=LeaseOutcome.FINISHED, why=""))
    assert scene.journal.pool_numbers(a_picture())["ended"] == {"finished": 1}


async def test_two_ticks_are_never_under_way_at_once(scene: Scene) -> None:
    """Both would spend the same room."""
    scene.tick_gate = asyncio.Event()
    both = [asyncio.ensure_future(scene.loop.look_at_everything()) for _ in range(2)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert scene.looks == [True]
    scene.tick_gate.set()
    await asyncio.gather(*both)
    assert scene.looks == [True, True]
