"""What the end of a lease, or of its registration, tells: the cause of a stopped job, or what kept the lease from one."""

from __future__ import annotations

import pytest

from cell_records.obstacles import Obstacle, obstacle_met
from cell_records.record import CellRecord, CellState
from github_api.errors import (
    GitHubError,
    NameTaken,
    NotFound,
    PermissionDenied,
    Rejected,
    Unavailable,
)
from scaler.lease_desk import EndReply
from scaler.lease_ends import LeaseOutcome, StopCause
from tests.desk_world import HERE, DeskWorld, an_ask
from tests.factories import NOW, a_lease, a_record


async def test_an_end_without_a_job_is_told_and_stands_in_the_record_with_what_kept_it() -> None:
    """By the instance's one word."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    await world.desk.end(
        HERE,
        "lease-1",
        boot="boot-1",
        outcome=LeaseOutcome.UNUSED,
        cause="build a new image",
        job=None,
        word="runner_deprecated",
    )
    met = obstacle_met("lease-1", Obstacle.RUNNER_DEPRECATED, at=world.clock(), words="build a new image")
    assert world.record.obstacles == (met,)
    assert [told.cause for told in world.mind.told] == [None]


@pytest.mark.parametrize(
    ("outcome", "word", "cause"),
    [
        (LeaseOutcome.FINISHED, None, None),
        (LeaseOutcome.FINISHED, "user", StopCause.USER),
        (LeaseOutcome.TIMED_OUT, "policy", StopCause.POLICY),
        (LeaseOutcome.PREEMPTED, "preempted", StopCause.PREEMPTED),
        (LeaseOutcome.LOST, "external", StopCause.EXTERNAL),
        (LeaseOutcome.LOST, "idle-race", StopCause.IDLE_RACE),
        (LeaseOutcome.TIMED_OUT, None, StopCause.POLICY),
        (LeaseOutcome.PREEMPTED, None, StopCause.PREEMPTED),
        (LeaseOutcome.LOST, None, StopCause.EXTERNAL),
    ],
)
async def test_a_stopped_job_is_told_with_its_cause_and_where_it_is_to_be_found(
    outcome: LeaseOutcome, word: str | None, cause: StopCause | None
) -> None:
    """An image that is older than the words leaves it to the outcome."""
    lease = a_lease(runner_id=7, job_id=70, repository="acme/widgets")
    world = DeskWorld(a_record(leases=[lease]))
    await world.desk.end(
        HERE,
        "lease-1",
        boot="boot-1",
        outcome=outcome,
        cause="so it was",
        job="build",
        result="Failed",
        word=word,
    )
    (told,) = world.mind.told
    assert (told.outcome, told.cause, told.why, told.result) == (outcome, cause, "so it was", "Failed")
    assert (told.job, told.job_id, told.repository) == ("build", 70, "acme/widgets")
    assert told.runner == lease.runner_name


@pytest.mark.parametrize(
    ("error", "noted"),
    [
        (PermissionDenied("not allowed"), True),
        (NotFound("no such organization"), True),
        (Rejected("no such runner group"), True),
        (NameTaken("a ghost has the name"), False),
        (Unavailable("no answer"), False),
    ],
)
async def test_a_registration_that_github_refuses_is_noted_in_the_record(
    error: GitHubError, noted: bool
) -> None:
    """The next would be refused too, so that the pool is held back; what may be made the next time is no obstacle."""
    world = DeskWorld()
    world.github.fails["register"] = error
    with pytest.raises(type(error)):
        await world.desk.start(HERE, an_ask())
    assert [each.obstacle for each in world.record.obstacles] == [Obstacle.REGISTRATION_REFUSED] * noted
    assert len(world.record.leases) == 1, "only its own boot voids it"


TWO = (a_lease(), a_lease(lease_id="lease-2", boot="boot-2"))


@pytest.mark.parametrize(
    ("record", "state", "reply"),
    [
        (a_record(leases=TWO, hold="rollout"), CellState.OPEN, EndReply.HOLD),
        (a_record(leases=TWO[:1], hold="rollout"), CellState.CLOSING, EndReply.HOLD),
        (a_record(leases=TWO), CellState.OPEN, EndReply.EXIT),
    ],
    ids=["held, others run", "held, the last", "not held"],
)
async def test_an_instance_of_a_held_cell_waits_instead_of_making_room_for_a_fresh_one(
    record: CellRecord, state: CellState, reply: EndReply
) -> None:
    """A fresh container would get no lease; the end of the last one closes the cell."""
    world = DeskWorld(record)
    said = await world.desk.end(
        HERE, "lease-1", boot="boot-1", outcome=LeaseOutcome.FINISHED, cause="done", job="build"
    )
    assert (said, world.record.state) == (reply, state)


@pytest.mark.parametrize(
    ("outcome", "word", "lost"),
    [
        (LeaseOutcome.LOST, "external", True),
        (LeaseOutcome.LOST, None, True),
        (LeaseOutcome.LOST, "idle-race", False),
        (LeaseOutcome.TIMED_OUT, "policy", False),
        (LeaseOutcome.PREEMPTED, "preempted", False),
        (LeaseOutcome.FINISHED, "user", False),
        (LeaseOutcome.FINISHED, None, False),
    ],
)
async def test_a_job_that_was_lost_stands_in_the_record_for_a_canary(
    outcome: LeaseOutcome, word: str | None, lost: bool
) -> None:
    """Neither a rule of the admin nor a person's wish speaks against an image."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    await world.desk.end(HERE, "lease-1", boot="boot-1", outcome=outcome, cause="so", job="build", word=word)
    assert world.record.lost_at == (NOW if lost else 0.0)
