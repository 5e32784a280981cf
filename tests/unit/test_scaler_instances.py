"""Parked instances, offers and what leases last said, as one process remembers them."""

from __future__ import annotations

import asyncio

import pytest

from scaler.core.model import LeaseState
from scaler.instances import BETWEEN_POLLS_SECONDS, OFFER_SECONDS, Instances
from tests.factories import NOW
from tests.scaler_parts import Clock, a_few_turns

CELL = "linux-a"
# Longer than any test may take, so that only what the test does ends a poll.
LONG_SECONDS = 600.0


class House:
    """Instances with polls in the background."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.instances = Instances(self.clock)
        self.polls: list[asyncio.Task[bool]] = []

    async def parks(
        self, boot: str, *, cell: str = CELL, seconds: float = LONG_SECONDS
    ) -> asyncio.Task[bool]:
        """A poll that has begun to wait."""
        poll = asyncio.create_task(self.instances.poll(cell=cell, boot=boot, seconds=seconds))
        self.polls.append(poll)
        await a_few_turns()
        return poll

    async def done(self, poll: asyncio.Task[bool]) -> bool:
        """What a poll was answered; fails if it still waits."""
        await a_few_turns()
        assert poll.done(), "the poll still waits"
        return poll.result()


@pytest.fixture
def house() -> House:
    return House()


async def test_an_offer_ends_the_poll_of_an_instance_that_waits(house: House) -> None:
    poll = await house.parks("boot-1")
    assert (house.instances.parked(CELL), house.instances.offered(CELL)) == (1, 0)
    assert house.instances.offer(CELL, 1) == 1
    assert await house.done(poll) is True
    assert (house.instances.parked(CELL), house.instances.offered(CELL)) == (1, 1)


async def test_a_poll_without_an_offer_ends_with_its_time(house: House) -> None:
    poll = await house.parks("boot-1", seconds=0.001)
    assert await poll is False


async def test_offers_go_to_the_cell_and_the_longest_parked_first(house: House) -> None:
    polls = {}
    for boot, cell in (("old", CELL), ("elsewhere", "linux-b"), ("young", CELL), ("youngest", CELL)):
        polls[boot] = await house.parks(boot, cell=cell)
        house.clock.now += 1.0
    assert house.instances.offer(CELL, 2) == 2
    await a_few_turns()
    assert [boot for boot, poll in polls.items() if poll.done()] == ["old", "young"]
    house.instances.release()


async def test_age_counts_from_the_first_poll(house: House) -> None:
    """Asking again must not cost an instance its place."""
    await house.parks("first")
    house.clock.now += 1.0
    second = await house.parks("second")
    house.clock.now += 1.0
    again = await house.parks("first")
    house.instances.offer(CELL, 1)
    assert await house.done(again) is True
    assert not second.done()
    house.instances.release()


async def test_no_more_offers_are_made_than_instances_wait(house: House) -> None:
    await house.parks("boot-1")
    assert house.instances.offer(CELL, 5) == 1
    assert house.instances.offer(CELL, 5) == 0


async def test_a_newer_poll_of_a_boot_ends_the_older_one_without_an_offer(house: House) -> None:
    """The instance has given the older one up; an offer to it would be lost."""
    older = await house.parks("boot-1")
    newer = await house.parks("boot-1")
    assert await house.done(older) is False
    assert house.instances.parked(CELL) == 1
    assert house.instances.offer(CELL, 2) == 1
    assert await house.done(newer) is True


async def test_a_poll_after_an_offer_says_that_the_offer_was_lost(house: House) -> None:
    await house.parks("boot-1")
    house.instances.offer(CELL, 1)
    await a_few_turns()
    await house.parks("boot-1")
    assert (house.instances.parked(CELL), house.instances.offered(CELL)) == (1, 0)
    house.instances.release()


async def test_an_instance_between_two_polls_is_still_parked_and_then_forgotten(house: House) -> None:
    poll = await house.parks("boot-1")
    house.instances.release()
    assert await house.done(poll) is False
    house.clock.now += BETWEEN_POLLS_SECONDS
    assert house.instances.parked(CELL) == 1
    house.clock.now += 0.1
    assert house.instances.parked(CELL) == 0


async def test_an_instance_that_waits_is_never_forgotten(house: House) -> None:
    await house.parks("boot-1")
    house.clock.now += 10_000.0
    assert house.instances.parked(CELL) == 1
    house.instances.release()


async def test_an_offer_that_is_not_taken_up_is_forgotten(house: House) -> None:
    """Its reply was lost, or the instance is gone: the job must not wait for it."""
    await house.parks("boot-1")
    house.instances.offer(CELL, 1)
    await a_few_turns()
    house.clock.now += OFFER_SECONDS - 0.1
    assert house.instances.offered(CELL) == 1
    house.clock.now += 0.1
    assert (house.instances.offered(CELL), house.instances.parked(CELL)) == (0, 0)


async def test_a_boot_that_got_its_lease_is_no_longer_parked(house: House) -> None:
    await house.parks("boot-1")
    house.instances.offer(CELL, 1)
    house.instances.left(CELL, "boot-1")
    await a_few_turns()
    assert (house.instances.parked(CELL), house.instances.offered(CELL)) == (0, 0)


async def test_a_process_that_ends_answers_every_poll(house: House) -> None:
    """The instances ask its successor at once, and its own end need not wait for them."""
    polls = [await house.parks(f"boot-{number}") for number in range(3)]
    house.instances.release()
    assert [await house.done(poll) for poll in polls] == [False, False, False]


async def test_a_caller_that_hangs_up_leaves_nothing_waiting(house: House) -> None:
    poll = await house.parks("boot-1")
    poll.cancel()
    await a_few_turns()
    assert house.instances.offer(CELL, 1) == 0


async def test_a_boot_is_parked_in_its_own_cell_only(house: House) -> None:
    """A boot of the same name elsewhere neither ends its poll nor takes its place."""
    here = await house.parks("boot-1")
    elsewhere = await house.parks("boot-1", cell="linux-b")
    house.instances.left("linux-b", "boot-1")
    assert not here.done()
    assert (house.instances.parked(CELL), house.instances.parked("linux-b")) == (1, 0)
    assert house.instances.offer(CELL, 1) == 1
    assert await house.done(here) is True
    assert not elsewhere.done()
    elsewhere.cancel()


async def test_a_cell_whose_instances_have_all_gone_silent_leaves_nothing_behind(house: House) -> None:
    """Worker pools come and go; memory follows."""
    poll = await house.parks("boot-1", cell="linux-gone")
    poll.cancel()
    await a_few_turns()
    house.clock.now += BETWEEN_POLLS_SECONDS + 0.1
    assert dict(house.instances.present()) == {}


def is_news(house: House, boot: str, *, cell: str = CELL) -> bool:
    return house.instances.poll_is_news(cell=cell, boot=boot)


async def test_the_first_poll_of_a_boot_is_news_and_that_it_goes_on_waiting_is_none(house: House) -> None:
    """A thousand instances poll again every few seconds; nothing about them changes by it."""
    assert is_news(house, "boot-1")
    await house.parks("boot-1")
    assert not is_news(house, "boot-1")
    assert is_news(house, "boot-2")
    assert is_news(house, "boot-1", cell="linux-b")
    house.instances.release()
    await a_few_turns()
    house.clock.now += BETWEEN_POLLS_SECONDS
    house.instances.present()
    assert not is_news(house, "boot-1")


async def test_the_poll_of_an_instance_that_was_thought_gone_is_news(house: House) -> None:
    """The last decision did not count on it."""
    await house.parks("boot-1")
    house.instances.release()
    await a_few_turns()
    house.clock.now += BETWEEN_POLLS_SECONDS + 0.1
    house.instances.present()
    assert is_news(house, "boot-1")


async def test_the_poll_of_an_instance_that_has_lost_its_offer_is_news(house: House) -> None:
    """A job counts on that offer."""
    await house.parks("boot-1")
    house.instances.offer(CELL, 1)
    await a_few_turns()
    assert is_news(house, "boot-1")
    await house.parks("boot-1")
    assert not is_news(house, "boot-1")
    house.instances.release()


async def test_after_an_offer_that_nobody_waited_for_the_next_poll_of_the_cell_is_news(house: House) -> None:
    """Its instances were between two polls just then; the job must not wait for a later tick."""
    await house.parks("boot-1")
    house.instances.release()
    await a_few_turns()
    assert not is_news(house, "boot-1")
    assert house.instances.offer(CELL, 1) == 0
    assert is_news(house, "boot-1")
    assert is_news(house, "boot-2", cell="linux-b"), "it is new there"
    await house.parks("boot-1")
    assert not is_news(house, "boot-1")
    house.instances.release()


def hear(instances: Instances, state: LeaseState, seq: int, job: str | None = None) -> bool:
    return instances.hear(lease="lease-1", cell=CELL, state=state, seq=seq, job=job)


def test_a_state_counts_from_when_it_was_first_heard() -> None:
    clock = Clock()
    instances = Instances(clock)
    assert hear(instances, LeaseState.LISTENING, 1)
    clock.now += 20.0
    assert hear(instances, LeaseState.RUNNING, 2, job="build")
    clock.now += 20.0
    assert not hear(instances, LeaseState.RUNNING, 3), "a heartbeat that says nothing new was taken for news"
    heard = instances.heard("lease-1")
    assert heard is not None
    assert (heard.state, heard.since, heard.heard_at) == (LeaseState.RUNNING, NOW + 20.0, NOW + 40.0)
    assert (heard.seq, heard.job) == (3, "build")


@pytest.mark.parametrize("seq", [1, 2])
def test_what_is_older_than_the_last_word_is_ignored(seq: int) -> None:
    """Late and doubled reports must not turn a running lease back into a listening one."""
    instances = Instances(Clock())
    hear(instances, LeaseState.RUNNING, 2)
    assert not hear(instances, LeaseState.LISTENING, seq)
    heard = instances.heard("lease-1")
    assert heard is not None
    assert heard.state is LeaseState.RUNNING


def test_leases_that_have_left_the_record_are_forgotten() -> None:
    instances = Instances(Clock())
    for lease in ("a", "b", "c"):
        instances.hear(lease=lease, cell=CELL, state=LeaseState.RUNNING, seq=1, job=None)
    instances.forget("a")
    instances.forget("never heard of")
    instances.keep_only({"b"})
    assert [lease for lease in ("a", "b", "c") if instances.heard(lease)] == ["b"]


async def test_a_cell_is_silent_since_its_last_poll_or_report() -> None:
    clock = Clock()
    instances = Instances(clock)
    clock.now += 50.0
    assert instances.silent_for(CELL, since=NOW) == 50.0
    await instances.poll(cell=CELL, boot="boot-1", seconds=0.0)
    clock.now += 5.0
    assert instances.silent_for(CELL, since=NOW) == 5.0
    hear(instances, LeaseState.RUNNING, 1)
    clock.now += 2.0
    assert instances.silent_for(CELL, since=NOW) == 2.0
    assert instances.silent_for("linux-b", since=NOW) == 57.0


def test_the_silence_of_a_lease_is_measured_by_a_clock_that_nobody_sets() -> None:
    """A machine's clock that jumps forward silences no lease; an old or doubled report is a sign of life too."""
    wall, monotonic = Clock(), Clock(now=100.0)
    instances = Instances(wall, monotonic=monotonic)
    monotonic.now += 30.0
    assert instances.silence("lease-1") == 30.0
    hear(instances, LeaseState.RUNNING, 2)
    wall.now += 5_000.0
    monotonic.now += 10.0
    assert instances.silence("lease-1") == 10.0
    hear(instances, LeaseState.RUNNING, 1)
    assert instances.silence("lease-1") == 0.0


def test_a_lease_that_was_forgotten_is_as_silent_as_one_never_heard_of() -> None:
    clock = Clock()
    instances = Instances(clock)
    clock.now += 40.0
    hear(instances, LeaseState.RUNNING, 1)
    instances.keep_only(set())
    assert instances.silence("lease-1") == 40.0
