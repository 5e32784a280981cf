"""Registrations within GitHub's budget, names no runner had before, and ghosts that are cleared by id."""

from __future__ import annotations

import re

import pytest

from cell_records.record import CellRecord, Ghost
from github_api.errors import NotFound, PermissionDenied, RunnerBusy, Unavailable
from github_api.values import JobStatus
from scaler.budget import WINDOW_SECONDS, MinuteBudget
from scaler.records import Records
from scaler.refusals import RegistrationsPaused
from scaler.registrar import (
    NAME_SETTLES_SECONDS,
    RUNNER_NAME_MAX,
    CompletedJob,
    Registrar,
    RunnerShape,
    new_runner_name,
)
from tests.factories import NOW, REPOSITORY, a_record
from tests.scaler_parts import Clock, RegistrationsOfGitHub, a_github_job, records_of

CELL = "linux-a"
SHAPE = RunnerShape(labels=("self-hosted", "linux"), runner_group_id=4)


class Office:
    """A registrar over one cell whose record holds some ghosts."""

    def __init__(self, *ghosts: Ghost, per_minute: int = 150) -> None:
        self.clock = Clock()
        self.github = RegistrationsOfGitHub()
        self.records: Records = records_of(linux_a=a_record(ghosts=ghosts))
        self.registrar = Registrar(
            self.github,
            self.records,
            budget=MinuteBudget(per_minute),
            jit_call_seconds=15.0,
            clock=self.clock,
        )

    async def record(self) -> CellRecord:
        record = await self.records.cell(CELL)
        assert record is not None
        return record

    async def cleared(self) -> list[str]:
        """Clear the ghosts once; gives what went wrong."""
        return await self.registrar.clear_ghosts(CELL, await self.record())

    async def ghosts(self) -> list[str]:
        return [ghost.runner_name for ghost in (await self.record()).ghosts]


def a_ghost(name: str = "ghost", *, runner_id: int | None = None, since: float = NOW) -> Ghost:
    return Ghost(runner_name=name, runner_id=runner_id, since=since)


@pytest.mark.parametrize(
    ("pool", "cell"), [("linux", "linux-a1"), ("p" * 40, "c" * 63), ("p", "c"), ("p" * 100, "c" * 100)]
)
def test_a_runner_name_is_short_enough_and_new_each_time(pool: str, cell: str) -> None:
    """However long pool and cell are called, the drawn part stays whole."""
    names = {new_runner_name(pool, cell) for _ in range(200)}
    assert len(names) == 200
    for name in names:
        assert len(name) <= RUNNER_NAME_MAX
        front, drawn = name[:-13], name[-13:]
        assert re.fullmatch(r"-[0-9a-f]{12}", drawn)
        assert f"{pool}-{cell}".startswith(front)


def test_a_short_runner_name_says_whose_it_is() -> None:
    assert new_runner_name("linux", "linux-a1").startswith("linux-linux-a1-")


async def test_a_registration_is_asked_for_as_the_pool_is() -> None:
    office = Office()
    runner_id, configuration = await office.registrar.register(SHAPE, name="linux-a-1")
    assert (runner_id, configuration.reveal()) == (101, "jit-of-linux-a-1")
    assert office.github.made == [("linux-a-1", ("self-hosted", "linux"), 4, 15.0)]


async def test_the_budget_stops_registrations_before_github_does() -> None:
    office = Office(per_minute=2)
    assert office.registrar.left() == 2
    for number in range(2):
        await office.registrar.register(SHAPE, name=f"n{number}")
    assert office.registrar.left() == 0
    with pytest.raises(RegistrationsPaused, match="2 registrations"):
        await office.registrar.register(SHAPE, name="n2")
    assert len(office.github.made) == 2
    office.clock.now += WINDOW_SECONDS
    await office.registrar.register(SHAPE, name="n3")


async def test_a_registration_without_an_answer_has_used_the_budget() -> None:
    """It may have been made."""
    office = Office(per_minute=1)
    office.github.fails["register"] = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await office.registrar.register(SHAPE, name="n")
    assert office.registrar.left() == 0


@pytest.mark.parametrize(
    ("completed_at", "completed"),
    [(None, None), (NOW, CompletedJob(runner_id=41, conclusion=None))],
    ids=["still running", "completed"],
)
async def test_a_job_is_completed_by_a_runner_only_once_github_says_when(
    completed_at: float | None, completed: CompletedJob | None
) -> None:
    """Witness 2 needs the end, not only the runner."""
    office = Office()
    office.github.jobs[7] = a_github_job(
        7,
        JobStatus.IN_PROGRESS,
        runner_id=41,
        runner_name="linux-a-1",
        started_at=NOW - 9,
        completed_at=completed_at,
    )
    assert await office.registrar.completed_by(REPOSITORY, 7, runner_name="linux-a-1") == completed


async def test_a_job_that_a_runner_of_another_name_has_completed_is_no_witness() -> None:
    """An id may mean another runner in another scope; the name was drawn for one lease."""
    office = Office()
    office.github.jobs[7] = a_github_job(
        7, JobStatus.COMPLETED, runner_id=41, started_at=NOW - 9, completed_at=NOW
    )
    assert await office.registrar.completed_by(REPOSITORY, 7, runner_name="linux-linux-a-another") is None


async def test_a_ghost_with_an_id_is_removed_by_that_id_alone() -> None:
    """Another runner may have the name by now."""
    office = Office(a_ghost("shared", runner_id=41))
    office.github.registered = {41: "shared", 42: "shared"}
    assert await office.cleared() == []
    assert office.github.deleted == [41]
    assert await office.ghosts() == []


async def test_a_ghost_that_github_has_removed_itself_is_cleared() -> None:
    office = Office(a_ghost(runner_id=41))
    office.github.fails[41] = NotFound("gone")
    assert await office.cleared() == []
    assert await office.ghosts() == []


async def test_a_ghost_without_an_id_is_found_by_its_name() -> None:
    """The reply that would have told its id was lost."""
    office = Office(a_ghost("lost"))
    office.github.registered = {43: "lost", 44: "lost-not"}
    assert await office.cleared() == []
    assert office.github.deleted == [43]
    assert await office.ghosts() == []


async def test_a_name_that_is_not_listed_yet_is_waited_for() -> None:
    """Lists lag: the registration may show up late."""
    office = Office(a_ghost("lost"))
    office.clock.now += NAME_SETTLES_SECONDS
    await office.cleared()
    assert await office.ghosts() == ["lost"]
    office.github.registered = {43: "lost"}
    await office.cleared()
    assert office.github.deleted == [43]
    assert await office.ghosts() == []


async def test_a_name_that_was_never_listed_is_known_to_be_free_after_a_while() -> None:
    office = Office(a_ghost("never-made"))
    office.clock.now += NAME_SETTLES_SECONDS + 0.1
    await office.cleared()
    assert await office.ghosts() == []
    assert office.github.deleted == []


async def test_a_ghost_that_github_calls_busy_stays_for_the_next_time() -> None:
    """GitHub still counts its lost job; that is no fault to tell anybody."""
    office = Office(a_ghost(runner_id=41))
    office.github.fails[41] = RunnerBusy("currently running a job")
    assert await office.cleared() == []
    assert await office.ghosts() == ["ghost"]
    del office.github.fails[41]
    await office.cleared()
    assert await office.ghosts() == []


async def test_one_ghost_that_cannot_be_cleared_does_not_keep_the_others() -> None:
    office = Office(a_ghost("a", runner_id=41), a_ghost("b", runner_id=42), a_ghost("c"))
    office.github.fails = {41: PermissionDenied("not yours")}
    faults = await office.cleared()
    assert [fault.partition(".")[0] for fault in faults] == ["not yours"]
    assert await office.ghosts() == ["a", "c"]


async def test_a_github_that_does_not_answer_is_asked_once_and_not_for_each_ghost() -> None:
    office = Office(a_ghost("a", runner_id=41), a_ghost("b", runner_id=42))
    office.github.fails = {41: Unavailable("no answer"), 42: Unavailable("no answer")}
    assert len(await office.cleared()) == 1
    assert await office.ghosts() == ["a", "b"]
