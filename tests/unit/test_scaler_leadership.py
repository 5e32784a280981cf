"""Who decides, when several scalers run: one at a time by the record, and never longer than the hold lasts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cell_records.errors import StoreUnavailable
from scaler.leadership import Leadership
from tests.scaler_parts import Clock, records_over
from tests.simulation.forgetful_store import ForgetfulStore, Spoil

TTL = 15.0


class Candidates:
    """Scalers on one store with one clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = ForgetfulStore()
        self.first, self.second = self.named("first"), self.named("second")

    def named(self, who: str) -> Leadership:
        return Leadership(records_over(self.store), who=who, ttl_seconds=TTL, clock=self.clock)

    def moves_the_clock(self, seconds: float) -> Callable[[], None]:
        """A slow write: the clock goes on while the store is asked."""

        def move() -> None:
            self.clock.now += seconds

        return move


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


async def test_the_first_to_ask_leads_and_the_other_does_not(candidates: Candidates) -> None:
    assert not candidates.first.held
    assert await candidates.first.renew()
    assert not await candidates.second.renew()
    assert (candidates.first.held, candidates.second.held) == (True, False)


async def test_a_hold_that_is_renewed_goes_on(candidates: Candidates) -> None:
    for _ in range(5):
        assert await candidates.first.renew()
        candidates.clock.now += TTL - 1.0
        assert not await candidates.second.renew()
    assert candidates.first.held


async def test_a_hold_that_is_not_renewed_runs_out_and_goes_to_another(candidates: Candidates) -> None:
    await candidates.first.renew()
    candidates.clock.now += TTL
    assert not candidates.first.held
    assert not await candidates.second.renew()
    candidates.clock.now += 0.1
    assert await candidates.second.renew()
    assert not await candidates.first.renew()


async def test_nobody_believes_to_lead_when_another_may_take_over(candidates: Candidates) -> None:
    """A slow store shortens the hold, since it counts from before the store was asked."""
    candidates.store.before_write.append(candidates.moves_the_clock(10.0))
    assert await candidates.first.renew()
    candidates.clock.now += 5.0
    assert not candidates.first.held
    assert not await candidates.second.renew()


async def test_a_renewal_slower_than_the_hold_gives_no_lead(candidates: Candidates) -> None:
    candidates.store.before_write.append(candidates.moves_the_clock(TTL))
    assert not await candidates.first.renew()


async def test_a_store_that_fails_lets_the_hold_run_out_by_itself(candidates: Candidates) -> None:
    await candidates.first.renew()
    candidates.clock.now += 5.0
    candidates.store.reads_fail = 1
    with pytest.raises(StoreUnavailable):
        await candidates.first.renew()
    assert candidates.first.held
    candidates.clock.now += TTL - 5.0
    assert not candidates.first.held


async def test_a_renewal_whose_reply_was_lost_has_been_made(candidates: Candidates) -> None:
    candidates.store.spoils.append(Spoil.LOSE_REPLY)
    assert await candidates.first.renew()
    assert candidates.first.held


async def test_a_leader_that_gives_up_makes_room_at_once(candidates: Candidates) -> None:
    await candidates.first.renew()
    await candidates.first.give_up()
    assert not candidates.first.held
    assert await candidates.second.renew()


class Called(Candidates):
    """The same, where callers reach the second or the first."""

    def __init__(self) -> None:
        self.reached = "first"
        super().__init__()

    def named(self, who: str) -> Leadership:
        return Leadership(
            records_over(self.store),
            who=who,
            ttl_seconds=TTL,
            clock=self.clock,
            heard=lambda: self.reached in (who, "both"),
        )

    async def after_a_renewal_each(self) -> tuple[bool, bool]:
        """Who leads."""
        self.clock.now += 5.0
        for each in (self.first, self.second):
            await each.renew()
        return self.first.held, self.second.held


async def test_the_lead_follows_the_callers() -> None:
    """Instances wait at the process that they reach, and only the leader has offers: an old revision must not keep the lead."""
    both = Called()
    for reached, expected in (
        ("first", [(True, False)] * 3),
        ("both", [(True, False)] * 3),
        ("second", [(False, True)] * 3),
        ("nobody", [(False, True)] * 3),
        # The word that was left while it was not yet so is used at the next renewal, or one later.
        ("first", [(False, False), (True, False)]),
    ):
        both.reached = reached
        assert [await both.after_a_renewal_each() for _ in expected] == expected, reached


async def test_a_successor_that_was_reached_long_ago_gets_nothing() -> None:
    """It may have died since."""
    both = Called()
    both.reached = "both"
    assert await both.after_a_renewal_each() == (True, False)
    both.reached = "nobody"
    both.clock.now += TTL + 1.0
    assert await both.first.renew()


async def test_a_scaler_that_nobody_calls_neither_asks_for_the_lead_nor_yields_it(
    candidates: Candidates,
) -> None:
    """Run by cron, silence says nothing."""
    await candidates.first.renew()
    await candidates.second.renew()
    assert (await records_over(candidates.store).deployment()).successor == ""
    called = Called()
    called.store = candidates.store
    called.reached = "second"
    await called.named("second").renew()
    assert await candidates.first.renew()


async def test_giving_up_takes_nothing_from_another(candidates: Candidates) -> None:
    await candidates.first.renew()
    await candidates.second.give_up()
    assert candidates.first.held
    assert not await candidates.second.renew()
