"""Work in rounds: how many rounds, and who ends them."""

from __future__ import annotations

import asyncio

import pytest

from scaler.rounds import Rounds
from tests.scaler_parts import a_few_turns


class Worked:
    """Work that waits until it may end."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.rounds = Rounds(self._work)

    async def _work(self) -> None:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.ended += 1

    async def asked(self, times: int = 1) -> list[asyncio.Task[None]]:
        """Callers that wait."""
        callers = [asyncio.create_task(self.rounds.one()) for _ in range(times)]
        await a_few_turns()
        return callers


async def test_all_who_ask_during_a_round_share_one_more() -> None:
    it = Worked()
    callers = await it.asked(1) + await it.asked(7)
    assert it.begun == 1
    it.may_end.set()
    await asyncio.gather(*callers)
    assert (it.ended, it.rounds.under_way) == (2, False)
    await it.rounds.one()
    assert it.ended == 3


@pytest.mark.parametrize("gives_up", [0, 1, 2])
async def test_one_caller_who_gives_up_ends_nothing(gives_up: int) -> None:
    it = Worked()
    callers = await it.asked(3)
    callers.pop(gives_up).cancel()
    await a_few_turns()
    it.may_end.set()
    await asyncio.gather(*callers)
    assert it.cancelled == 0


async def test_a_round_that_nobody_waits_for_ends_and_the_next_caller_begins_anew() -> None:
    it = Worked()
    callers = await it.asked(3)
    for caller in callers:
        caller.cancel()
    await a_few_turns()
    assert (it.cancelled, it.rounds.under_way) == (1, False)
    (caller,) = await it.asked()
    it.may_end.set()
    await caller
    assert it.ended == 1


async def test_a_caller_who_comes_as_the_last_one_leaves_gets_a_round_of_its_own() -> None:
    it = Worked()
    (leaves,) = await it.asked()
    leaves.cancel()
    await asyncio.sleep(0)
    (comes,) = await it.asked()
    it.may_end.set()
    await comes
    assert (it.begun, it.ended) == (2, 1)


async def test_what_the_work_raises_reaches_every_caller() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    rounds = Rounds(fails)
    ended = await asyncio.gather(rounds.one(), rounds.one(), return_exceptions=True)
    assert [str(each) for each in ended] == ["no", "no"]
    assert not rounds.under_way
