"""The four calls of the lease protocol without HTTP: what stands in the record and at GitHub after each of them.

One file of more than 350 lines, because a reader of the protocol looks for all four in one place.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from cell_records.errors import StoreUnavailable
from cell_records.record import CellRecord, CellState, Gate, Lease, timed_out
from github_api.errors import Unavailable
from github_api.values import JitConfiguration
from scaler.core.model import LeaseState
from scaler.lease_desk import EndReply
from scaler.lease_ends import LeaseOutcome
from scaler.refusals import BootRetired, LeaseRefused, RecordMissing, RegistrationsPaused, UnknownLease
from tests.desk_world import HERE, TERMS, TIMES, DeskWorld, an_ask
from tests.factories import NOW, a_lease, a_record
from tests.scaler_parts import RegistrationsOfGitHub, until
from tests.simulation.forgetful_store import Spoil


@dataclass(slots=True)
class SlowGitHub(RegistrationsOfGitHub):
    """Something happens before a registration is made."""

    meanwhile: Callable[[], None] = field(default=lambda: None)

    async def generate_jit_configuration(
        self, *, name: str, labels: Collection[str], runner_group_id: int, timeout_seconds: float
    ) -> JitConfiguration:
        """See Registrations."""
        self.meanwhile()
        return await RegistrationsOfGitHub.generate_jit_configuration(
            self, name=name, labels=labels, runner_group_id=runner_group_id, timeout_seconds=timeout_seconds
        )


async def end(
    world: DeskWorld, *, boot: str = "boot-1", outcome: LeaseOutcome = LeaseOutcome.FINISHED
) -> EndReply:
    """Give lease-1 back."""
    return await world.desk.end(HERE, "lease-1", boot=boot, outcome=outcome, cause="done", job="build")


async def say(world: DeskWorld, state: LeaseState, *, seq: int, boot: str = "boot-1") -> int | None:
    """Report on lease-1."""
    return await world.desk.event(HERE, "lease-1", boot=boot, seq=seq, state=state, job=None)


async def test_a_start_puts_the_lease_into_the_record_and_then_registers_its_runner() -> None:
    """The agent gets everything that it needs and nothing else."""
    world = DeskWorld()
    granted = await world.desk.start(HERE, an_ask())
    [lease] = world.record.leases
    lasts = TIMES.reply_within + 2 * TERMS.listen_max_seconds + TERMS.job_timeout_seconds
    lasts += TIMES.stop_ladder + TIMES.hard_end_margin
    assert lease == Lease(
        id=granted.lease,
        boot="boot-1",
        ask=1,
        runner_name=granted.runner_name,
        started_at=NOW,
        hard_end=NOW + lasts,
        runner_id=granted.runner_id,
    )
    assert world.github.registered == {granted.runner_id: granted.runner_name}
    assert granted.hard_end_in_seconds == lasts
    assert granted.configuration.reveal() not in repr(granted)


async def test_a_doubled_start_gives_one_lease_and_one_registration() -> None:
    """The late copy of a request is a stale ask."""
    world = DeskWorld()
    await world.desk.start(HERE, an_ask())
    with pytest.raises(LeaseRefused) as refused:
        await world.desk.start(HERE, an_ask())
    assert refused.value.code == "stale_ask"
    assert len(world.record.leases) == len(world.github.made) == 1


async def test_a_higher_ask_voids_the_older_lease_whose_registration_is_then_cleared() -> None:
    """The boot says by it that it will never use that one."""
    world = DeskWorld()
    first = await world.desk.start(HERE, an_ask(1))
    second = await world.desk.start(HERE, an_ask(2))
    assert [lease.id for lease in world.record.leases] == [second.lease]
    assert [(ghost.runner_name, ghost.runner_id) for ghost in world.record.ghosts] == [
        (first.runner_name, first.runner_id)
    ]


async def test_parking_with_a_higher_ask_voids_the_older_lease_too() -> None:
    """So the cell may close while the boot waits for another offer."""
    world = DeskWorld()
    await world.desk.start(HERE, an_ask(1))
    assert await world.desk.park(HERE, an_ask(2)) is False
    assert not world.record.leases


@pytest.mark.parametrize("ask", [1, 0])
async def test_a_late_or_doubled_park_voids_nothing(ask: int) -> None:
    """Only a higher ask does."""
    world = DeskWorld(a_record(leases=[a_lease(ask=1)]))
    await world.desk.park(HERE, an_ask(ask))
    assert [lease.id for lease in world.record.leases] == ["lease-1"]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (a_record(state=CellState.CLOSING), "gate_closed"),
        (a_record(state=CellState.ZERO), "gate_closed"),
        (a_record(hold="rollout"), "held"),
        (
            a_record(
                leases=[a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}") for number in (8, 9)]
            ),
            "no_room",
        ),
    ],
)
async def test_a_refused_start_registers_nothing(record: CellRecord, code: str) -> None:
    """A registration is made only for a lease that stands."""
    world = DeskWorld(record)
    with pytest.raises(LeaseRefused) as refused:
        await world.desk.start(HERE, an_ask())
    assert refused.value.code == code
    assert world.github.made == []


@pytest.mark.parametrize(
    ("record", "uptime"),
    [
        (a_record(ended_boots=["boot-1"]), 5.0),
        (a_record(zeroed_at=NOW - 100.0), 100.0),
        (a_record(zeroed_at=NOW - 100.0), 5_000.0),
    ],
    ids=["had its lease", "as old as the zero", "older than the zero"],
)
async def test_a_retired_boot_is_told_to_leave(record: CellRecord, uptime: float) -> None:
    """Both when it parks and when it starts."""
    world = DeskWorld(record)
    for call in (world.desk.park, world.desk.start):
        with pytest.raises(BootRetired):
            await call(HERE, an_ask(uptime=uptime))
    assert world.github.made == []


@pytest.mark.parametrize(("uptime", "leases"), [(71.0, 0), (69.0, 1)])
async def test_an_ask_may_be_as_old_as_its_boot_waits_for_the_answer(uptime: float, leases: int) -> None:
    """What it says of its age was true when it was sent: one that came late makes no boot from before the zero younger."""
    world = DeskWorld(a_record(zeroed_at=NOW - 100.0))
    with contextlib.suppress(BootRetired):
        await world.desk.start(HERE, an_ask(uptime=uptime))
    assert len(world.record.leases) == leases


async def test_a_lost_registration_leaves_a_lease_that_the_next_ask_voids() -> None:
    """The name of the lost one is kept until GitHub has surely forgotten it."""
    world = DeskWorld()
    world.github.fails["register"] = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await world.desk.start(HERE, an_ask(1))
    [lost] = world.record.leases
    world.github.fails.clear()
    await world.desk.start(HERE, an_ask(2))
    assert [ghost.runner_name for ghost in world.record.ghosts] == [lost.runner_name]


async def test_a_used_up_registration_budget_is_told_before_github_is_asked() -> None:
    """The caller hears when to come again."""
    world = DeskWorld(registrations=1)
    await world.desk.start(HERE, an_ask(boot="boot-1"))
    with pytest.raises(RegistrationsPaused):
        await world.desk.start(HERE, an_ask(boot="boot-2"))
    assert len(world.github.made) == 1


async def test_a_registration_made_for_a_lease_that_is_gone_is_noted_to_be_cleared() -> None:
    """A process that stood still for minutes between lease and registration leaves nothing at GitHub."""
    github = SlowGitHub()
    world = DeskWorld(github=github)
    # Meanwhile the boot has asked again, and its older name was looked for and not found.
    github.meanwhile = lambda: world.put(a_record())
    with pytest.raises(UnknownLease):
        await world.desk.start(HERE, an_ask())
    [ghost] = world.record.ghosts
    assert world.github.registered == {ghost.runner_id: ghost.runner_name}


async def test_a_store_that_is_down_starts_nothing() -> None:
    """Unknown is not empty."""
    world = DeskWorld()
    world.store.reads_fail = 1
    with pytest.raises(StoreUnavailable):
        await world.desk.start(HERE, an_ask())
    assert world.github.made == []


@pytest.mark.parametrize("record", [a_record(uid="another"), a_record(owner="another")])
async def test_a_record_of_another_worker_pool_or_deployment_serves_nobody(record: CellRecord) -> None:
    """A recreated worker pool is a new cell."""
    world = DeskWorld(record)
    with pytest.raises(RecordMissing):
        await world.desk.start(HERE, an_ask())
    assert world.github.made == []


async def test_a_parked_instance_wakes_up_on_an_offer() -> None:
    """And counts as parked with an open offer until it starts."""
    world = DeskWorld()
    poll = asyncio.ensure_future(world.desk.park(HERE, an_ask()))
    await until(
        lambda: world.instances.parked(HERE.name) == 1,
        seen=lambda: world.instances.present().get(HERE.name, {}),
    )
    assert world.instances.offer(HERE.name, 1) == 1
    assert await poll is True
    assert world.instances.present().get(HERE.name, {}) == {"boot-1": True}
    await world.desk.start(HERE, an_ask())
    assert world.instances.present().get(HERE.name, {}) == {}


async def test_an_instance_that_goes_on_waiting_asks_for_no_tick() -> None:
    """A thousand of them would have the scaler tick all the time."""
    world = DeskWorld()
    nudges = []
    for _ in range(3):
        await world.desk.park(HERE, an_ask())
        nudges.append(world.mind.nudges)
    assert nudges == [1, 1, 1]


async def test_while_jobs_are_left_uncovered_every_poll_asks_for_a_tick() -> None:
    """Whatever kept the last decision from an offer may be over."""
    world = DeskWorld()
    await world.desk.park(HERE, an_ask())
    world.mind.short = True
    await world.desk.park(HERE, an_ask())
    assert world.mind.nudges == 2


async def test_an_instance_that_is_between_two_polls_when_it_is_offered_a_lease_asks_for_a_tick() -> None:
    """So it has its offer with the next poll, as fast as if it had waited."""
    world = DeskWorld()
    await world.desk.park(HERE, an_ask())
    assert world.instances.offer(HERE.name, 1) == 0
    await world.desk.park(HERE, an_ask())
    assert world.mind.nudges == 2


async def test_a_poll_that_voids_a_lease_asks_for_a_tick() -> None:
    """The room is free for another."""
    world = DeskWorld()
    await world.desk.park(HERE, an_ask(1))
    await world.desk.start(HERE, an_ask(2))
    nudges = world.mind.nudges
    await world.desk.park(HERE, an_ask(3))
    assert world.mind.nudges == nudges + 1


async def test_a_heartbeat_asks_for_a_tick_only_when_it_says_something_new_or_ends_a_silence() -> None:
    """A silent lease is decided about as one whose instance may be gone."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    nudges = []
    for seq, state, after in (
        (1, LeaseState.LISTENING, 0.0),
        (2, LeaseState.LISTENING, TIMES.heartbeat),
        (3, LeaseState.RUNNING, TIMES.heartbeat),
        (4, LeaseState.RUNNING, TIMES.suspect),
        (5, LeaseState.RUNNING, TIMES.suspect + 0.1),
    ):
        world.clock.now += after
        await say(world, state, seq=seq)
        nudges.append(world.mind.nudges)
    assert nudges == [1, 1, 2, 2, 3]


async def test_an_event_is_heard_once_and_answered_with_the_queue() -> None:
    """A stale one changes nothing."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    assert await say(world, LeaseState.RUNNING, seq=2) == 3
    assert await say(world, LeaseState.LISTENING, seq=1) == 3
    heard = world.instances.heard("lease-1")
    assert heard is not None
    assert heard.state is LeaseState.RUNNING


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
async def test_an_event_of_an_unknown_lease_or_another_boot_is_refused(boot: str) -> None:
    """The agent carries on all the same."""
    world = DeskWorld(a_record(leases=[a_lease()] if boot == "boot-2" else []))
    with pytest.raises(UnknownLease):
        await say(world, LeaseState.RUNNING, seq=1, boot=boot)


async def test_a_preempted_lease_leaves_the_record_fifteen_seconds_later() -> None:
    """The stop ladder has ended by then."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    await say(world, LeaseState.DYING, seq=1)
    assert timed_out(world.record, now=NOW + 15.0).leases
    assert not timed_out(world.record, now=NOW + 15.1).leases


async def test_a_preemption_that_did_not_reach_the_record_does_so_when_it_is_repeated() -> None:
    """The repeated event is stale only for this process's memory."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    # The first reading succeeds and finds the lease; the change of the record then does not get through.
    world.store.spoils.append(Spoil.LOSE_REQUEST)
    world.store.before_write.append(lambda: setattr(world.store, "reads_fail", 1))
    with pytest.raises(StoreUnavailable):
        await say(world, LeaseState.DYING, seq=1)
    assert world.record.leases[0].dying_until is None
    await say(world, LeaseState.DYING, seq=1)
    assert world.record.leases[0].dying_until == NOW + 15.0


async def test_an_end_removes_the_lease_and_is_answered_alike_however_often_it_comes() -> None:
    """It is counted once."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    assert [await end(world) for _ in range(3)] == [EndReply.EXIT] * 3
    assert not world.record.leases
    assert [event.lease for event in world.mind.told] == ["lease-1"]


async def test_the_last_end_of_a_surplus_cell_closes_it_and_the_instance_holds() -> None:
    """A fresh container in its place would only be stopped."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    world.mind.closes = True
    assert await end(world) is EndReply.HOLD
    assert world.record.state is CellState.CLOSING
    assert await end(world) is EndReply.HOLD


async def test_an_end_beside_another_lease_never_closes() -> None:
    """Whatever the deciding side would like."""
    world = DeskWorld(a_record(leases=[a_lease(), a_lease(lease_id="lease-2", boot="boot-2")]))
    world.mind.closes = True
    assert await end(world) is EndReply.EXIT
    assert world.record.gate is Gate.OPEN


async def test_another_boot_s_end_and_an_end_of_nothing_are_refused() -> None:
    """Only its own boot is a witness."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    with pytest.raises(UnknownLease):
        await end(world, boot="boot-2")
    assert world.record.leases
    with pytest.raises(UnknownLease):
        await end(DeskWorld())


@pytest.mark.parametrize("outcome", list(LeaseOutcome))
async def test_only_a_served_job_has_consumed_the_registration(outcome: LeaseOutcome) -> None:
    """Everything else leaves one to clear."""
    world = DeskWorld(a_record(leases=[a_lease(runner_id=7)]))
    await end(world, outcome=outcome)
    assert bool(world.record.ghosts) is (outcome is not LeaseOutcome.FINISHED)
