"""Which looks wait for which: signals, second looks and sweeps beside each other."""

from __future__ import annotations

import asyncio

import pytest

from github_api.errors import PermissionDenied, Unavailable
from github_api.points import Urgency
from scaler.demand_watch import AGAIN_WITHIN_SECONDS, REPOSITORIES_AT_ONCE
from tests.factories import NOW, REPOSITORY
from tests.scaler_parts import a_few_turns, a_github_job, until
from tests.unit.test_scaler_demand_watch import GADGETS, Watched


class Held(Watched):
    """A watch whose sweep is held at its first list of each repository while `release` is not set; later looks pass."""

    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()
        self._held: set[str] = set()
        self.github.gate = self._gate

    def _gate(self, repository: str) -> asyncio.Event | None:
        if repository in self._held:
            return None
        self._held.add(repository)
        return self.release

    async def held_sweep(self) -> asyncio.Task[None]:
        """A sweep that has begun to read."""
        sweep = asyncio.create_task(self.watch.sweep())
        await until(lambda: bool(self.github.under_way), seen=lambda: self.github.reads)
        return sweep


async def test_each_kind_of_look_says_how_urgent_it_is() -> None:
    it = Watched()
    it.github.visible = {REPOSITORY: True, GADGETS: True, "acme/third": True}
    it.github.holds(a_github_job(1))
    await it.watch.sweep()
    assert {urgency for _, urgency in it.github.urgencies} == {Urgency.SWEEP}
    it.github.urgencies.clear()
    await it.watch.look(REPOSITORY)
    await it.watch.confirm(GADGETS)
    assert it.github.urgencies == {(REPOSITORY, Urgency.NAMED), (GADGETS, Urgency.CONFIRM)}


async def test_a_repository_that_is_named_again_at_once_is_less_urgent_than_a_quiet_one() -> None:
    it = Watched()
    it.github.visible = {REPOSITORY: True, GADGETS: True}
    await it.watch.sweep()
    seen: list[set[Urgency]] = []
    for seconds in (0.0, AGAIN_WITHIN_SECONDS - 0.1, AGAIN_WITHIN_SECONDS - 0.1, AGAIN_WITHIN_SECONDS):
        it.clock.now += seconds
        it.github.urgencies.clear()
        await it.watch.look(REPOSITORY)
        seen.append({urgency for _, urgency in it.github.urgencies})
    assert seen == [{Urgency.NAMED}, {Urgency.AGAIN}, {Urgency.AGAIN}, {Urgency.NAMED}]


async def test_a_look_that_had_to_wait_for_points_does_not_make_the_next_one_urgent() -> None:
    """A busy repository whose looks are slowed down would else have every second one before all others."""
    it = Watched()
    await it.watch.sweep()
    slow = asyncio.Event()
    it.github.gate = lambda _: slow
    first = asyncio.create_task(it.watch.look(REPOSITORY))
    await until(lambda: bool(it.github.under_way), seen=lambda: it.github.reads)
    it.clock.now += 30.0
    slow.set()
    await first
    it.github.urgencies.clear()
    it.clock.now += AGAIN_WITHIN_SECONDS - 0.1
    await it.watch.look(REPOSITORY)
    assert it.github.urgencies == {(REPOSITORY, Urgency.AGAIN)}


async def test_a_named_repository_is_read_although_a_sweep_waits_to_read_it() -> None:
    """The sweep may wait for a minute's points; the signal must not."""
    it = Held()
    sweep = await it.held_sweep()
    it.github.holds(a_github_job(5))
    await it.watch.look(REPOSITORY)
    assert it.queued() == [5]
    it.release.set()
    await sweep


async def test_a_named_repository_is_read_although_every_place_of_the_sweep_is_taken() -> None:
    it = Held()
    it.github.visible = {f"acme/r{number:02}": True for number in range(2 * REPOSITORIES_AT_ONCE)}
    sweep = await it.held_sweep()
    await until(lambda: len(it.github.under_way) == REPOSITORIES_AT_ONCE, seen=lambda: it.github.under_way)
    it.github.gate = lambda _: None
    await it.watch.look("acme/r39")
    assert "acme/r39" in it.watch.seen().repositories
    it.release.set()
    await sweep


async def test_an_older_reading_that_ends_later_does_not_replace_a_newer_one() -> None:
    it = Held()
    sweep = await it.held_sweep()
    it.clock.now += 5.0
    it.github.holds(a_github_job(5))
    await it.watch.look(REPOSITORY)
    it.github.holds()
    it.release.set()
    await sweep
    assert (it.queued(), it.reading().at) == ([5], NOW + 5.0)


async def test_an_older_look_that_fails_later_does_not_spoil_a_newer_reading() -> None:
    it = Held()
    sweep = await it.held_sweep()
    it.clock.now += 5.0
    await it.watch.look(REPOSITORY)
    it.github.fails[REPOSITORY] = PermissionDenied("as it was before")
    it.release.set()
    await sweep
    assert it.watch.faults == {}
    assert it.watch.seen().complete
    assert REPOSITORY in it.watch.seen().repositories


async def test_sweeps_asked_for_during_a_sweep_are_one_more_sweep() -> None:
    """A cron that comes more often than a sweep takes does not pile up."""
    it = Held()
    first = await it.held_sweep()
    others = [asyncio.create_task(it.watch.sweep()) for _ in range(5)]
    await a_few_turns()
    it.github.holds(a_github_job(5))
    it.release.set()
    await asyncio.gather(first, *others)
    assert it.github.reads[f"{REPOSITORY} queued"] == 2
    assert it.queued() == [5]


async def test_a_sweep_that_is_given_up_leaves_no_task_behind_and_the_next_one_works() -> None:
    it = Held()
    it.github.visible = {f"acme/r{number:02}": True for number in range(2 * REPOSITORIES_AT_ONCE)}
    before = asyncio.all_tasks()
    sweep = await it.held_sweep()
    sweep.cancel()
    await asyncio.wait([sweep])
    await a_few_turns()
    assert asyncio.all_tasks() == before
    assert not it.github.under_way
    it.release.set()
    await it.watch.sweep()
    assert it.watch.seen().complete


async def test_a_crowd_of_signals_before_the_first_list_makes_one_list() -> None:
    it = Watched()
    await asyncio.gather(*(it.watch.look(REPOSITORY) for _ in range(50)))
    assert it.github.reads["installation"] == 1
    assert it.queued() == []


async def test_a_second_look_at_a_repository_that_has_left_is_no_defect() -> None:
    it = Watched()
    await it.watch.sweep()
    await it.watch.confirm("acme/gone")
    assert set(it.watch.seen().repositories) == {REPOSITORY}


async def test_an_idle_repository_has_its_turn_in_every_third_sweep() -> None:
    it = Watched(idle_every_sweeps=3)
    it.github.visible = {REPOSITORY: True, GADGETS: True, "acme/third": True}
    await it.watch.sweep()
    it.github.reads.clear()
    for _ in range(3):
        await it.watch.sweep()
    assert {it.github.reads[f"{name} queued"] for name in it.github.visible} == {1}
    assert it.watch.seen().complete


async def test_a_busy_a_failing_and_a_running_repository_are_read_in_each_sweep() -> None:
    it = Watched(idle_every_sweeps=3)
    it.github.visible = {REPOSITORY: True, GADGETS: True, "acme/third": True}
    it.github.holds(a_github_job(1))
    it.github.runs["acme/third", "in_progress"] = (9,)
    it.github.fails[9] = Unavailable("no answer")
    await it.watch.sweep()
    it.github.reads.clear()
    for _ in range(6):
        await it.watch.sweep()
    reads = {name: it.github.reads[f"{name} queued"] for name in it.github.visible}
    assert reads == {REPOSITORY: 6, GADGETS: 2, "acme/third": 6}


async def test_a_signal_puts_an_idle_repository_into_the_next_sweep() -> None:
    it = Watched(idle_every_sweeps=1000)
    await it.watch.sweep()
    await it.watch.sweep()
    assert it.github.reads[f"{REPOSITORY} queued"] == 1
    await it.watch.look(REPOSITORY)
    await it.watch.sweep()
    await it.watch.sweep()
    assert it.github.reads[f"{REPOSITORY} queued"] == 3


async def test_a_defect_in_a_sweep_is_told_as_it_is() -> None:
    it = Watched()
    await it.watch.sweep()
    gates: dict[str, asyncio.Event | None] = {}
    it.github.gate = gates.__getitem__
    with pytest.raises(KeyError):
        await it.watch.sweep()


async def test_a_repository_with_a_run_that_has_no_jobs_yet_is_not_idle() -> None:
    it = Watched(idle_every_sweeps=1000)
    it.github.runs[REPOSITORY, "queued"] = (9,)
    await it.watch.sweep()
    it.github.jobs[9] = (a_github_job(4),)
    await it.watch.sweep()
    assert it.queued() == [4]
