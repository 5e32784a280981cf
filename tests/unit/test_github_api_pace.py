"""How calls wait for GitHub's points: in their own lane, within their time, and never as a crowd after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from github_api.connections import Connections
from github_api.errors import RateLimited, Unavailable
from github_api.points import POINTS_A_MINUTE, WINDOW_SECONDS, Urgency
from github_api.secret import Secret
from github_api.transport import Call, Transport, read
from tests.scaler_parts import Clock, PacedSleep, a_few_turns, until

URL = "https://github.test/x"
SHARE = 710  # of a sweep, a minute


def change() -> Call:
    """A registration."""
    return Call(name="register", method="POST", url=URL, timeout_seconds=15.0, resource="registration")


class Paced:
    """A transport whose time stands still unless a test moves it; `sent`: the urgency of each call that left."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sleep = PacedSleep(self.clock)
        self.sent: list[str] = []
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={})
        self.gate: asyncio.Event | None = None
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.transport = Transport(
            Connections(http), clock=self.clock, sleep=self.sleep, monotonic=self.clock
        )

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.url.path)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer()

    def asks(self, urgency: Urgency, *, timeout_seconds: float = 10.0) -> asyncio.Task[object]:
        """A read under way."""
        call = read("read", f"{URL}/{urgency.name}", urgency=urgency, timeout_seconds=timeout_seconds)
        return asyncio.create_task(self.send(call))

    async def send(self, call: Call) -> object:
        """Send one call."""
        return await self.transport.send(call, bearer=Secret("t"))

    def sent_by(self, urgency: Urgency) -> int:
        """How many of that urgency have left."""
        return sum(path.endswith(urgency.name) for path in self.sent)

    async def sweep_uses_its_share(self, *, more: int = 0) -> list[asyncio.Task[object]]:
        """Ask for its whole share and `more`; gives those that wait."""
        asked = [self.asks(Urgency.SWEEP) for _ in range(SHARE + more)]
        await until(lambda: self.sent_by(Urgency.SWEEP) == SHARE, seen=lambda: len(self.sent))
        await until(
            lambda: sum(each.done() for each in asked) == SHARE, seen=lambda: "answers are still coming"
        )
        return [each for each in asked if not each.done()]

    async def everything_is_used_up(self) -> None:
        """900 points are gone."""
        for _ in range(POINTS_A_MINUTE // 5):
            await self.send(change())


async def test_a_sweep_beyond_its_share_waits_for_the_next_minute() -> None:
    it = Paced()
    waiting = await it.sweep_uses_its_share(more=30)
    await it.sleep.advance(WINDOW_SECONDS - 0.1)
    assert it.sent_by(Urgency.SWEEP) == SHARE
    await it.sleep.advance(0.1)
    await asyncio.gather(*waiting)
    assert it.sent_by(Urgency.SWEEP) == SHARE + 30


@pytest.mark.parametrize("urgency", [Urgency.CONFIRM, Urgency.NAMED])
async def test_a_more_urgent_look_goes_at_once_beside_a_sweep_that_waits(urgency: Urgency) -> None:
    """Time does not pass here, so it cannot have waited."""
    it = Paced()
    waiting = await it.sweep_uses_its_share(more=30)
    await it.asks(urgency)
    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()


async def test_a_registration_goes_at_once_beside_sweeps_and_looks_that_wait() -> None:
    it = Paced()
    waiting = await it.sweep_uses_its_share(more=30)
    looks = [it.asks(Urgency.NAMED) for _ in range(200)]
    await until(lambda: it.sent_by(Urgency.NAMED) == 140, seen=lambda: len(it.sent))
    await it.send(change())
    for each in (*waiting, *looks):
        each.cancel()


async def test_a_registration_without_points_says_until_when_instead_of_hanging() -> None:
    it = Paced()
    await it.everything_is_used_up()
    with pytest.raises(RateLimited, match="points") as limited:
        await it.send(change())
    assert limited.value.until == it.clock.now + WINDOW_SECONDS
    assert it.sleep.asked == []


async def test_a_registration_waits_for_points_that_come_soon() -> None:
    """A third of its time; the rest is for GitHub."""
    it = Paced()
    await it.everything_is_used_up()
    await it.sleep.advance(WINDOW_SECONDS - 4.0)
    registration = asyncio.create_task(it.send(change()))
    await a_few_turns()
    assert not registration.done()
    await it.sleep.advance(4.0)
    await registration


async def test_the_time_of_a_read_runs_from_the_moment_it_is_sent() -> None:
    """It may wait for points for longer than GitHub may take to answer."""
    it = Paced()
    await it.sweep_uses_its_share()
    late = it.asks(Urgency.SWEEP, timeout_seconds=0.1)
    done, _ = await asyncio.wait([late], timeout=0.3)
    assert not done
    it.gate = asyncio.Event()
    await it.sleep.advance(WINDOW_SECONDS)
    await until(lambda: it.sent_by(Urgency.SWEEP) == SHARE + 1, seen=lambda: len(it.sent))
    await until(
        lambda: bool(it.sleep.asked[1:]), seen=lambda: "it has not timed out"
    )  # it sleeps before the next try
    late.cancel()


async def test_a_wait_for_points_ends_with_its_caller_and_leaves_the_turn_to_the_next() -> None:
    it = Paced()
    first, second = await it.sweep_uses_its_share(more=2)
    await a_few_turns()
    first.cancel()
    await asyncio.wait([first])
    await it.sleep.advance(WINDOW_SECONDS)
    await second
    assert it.sent_by(Urgency.SWEEP) == SHARE + 1


async def test_a_pause_that_begins_while_a_call_waits_for_points_stops_it_too() -> None:
    it = Paced()
    (waiting,) = await it.sweep_uses_its_share(more=1)
    it.answer = lambda: httpx.Response(429, headers={"retry-after": "300"})
    with pytest.raises(RateLimited):
        await it.asks(Urgency.NAMED)
    await it.sleep.advance(WINDOW_SECONDS)
    with pytest.raises(RateLimited, match="pause"):
        await waiting
    assert it.sent_by(Urgency.SWEEP) == SHARE


async def test_after_a_pause_sweeps_begin_one_by_one_and_named_looks_at_once() -> None:
    it = Paced()
    it.answer = lambda: httpx.Response(429, headers={"retry-after": "30"})
    with pytest.raises(RateLimited):
        await it.asks(Urgency.SWEEP)
    it.answer = lambda: httpx.Response(200, json={})
    await it.sleep.advance(30.0)
    waiting = [it.asks(Urgency.SWEEP) for _ in range(50)]
    await until(lambda: it.sent_by(Urgency.SWEEP) == 2, seen=lambda: len(it.sent))
    await it.asks(Urgency.NAMED)
    for _ in range(10):
        await it.sleep.advance(0.1)
        await a_few_turns()
    assert it.sent_by(Urgency.SWEEP) <= 2 + 12
    for each in waiting:
        each.cancel()


async def test_each_try_of_a_read_costs_its_point() -> None:
    it = Paced()
    it.answer = lambda: httpx.Response(502)
    failing = it.asks(Urgency.SWEEP)
    await until(lambda: len(it.sleep.asked) == 1, seen=lambda: it.sent)
    await it.sleep.advance(2.0)
    await until(lambda: len(it.sleep.asked) == 2, seen=lambda: it.sent)
    await it.sleep.advance(3.0)
    with pytest.raises(Unavailable):
        await failing
    it.answer = lambda: httpx.Response(200, json={})
    waiting = [it.asks(Urgency.SWEEP) for _ in range(SHARE)]
    await until(lambda: it.sent_by(Urgency.SWEEP) == SHARE, seen=lambda: len(it.sent))
    await a_few_turns()
    assert sum(not each.done() for each in waiting) == 3
    for each in waiting:
        each.cancel()
