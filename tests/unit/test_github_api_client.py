"""How our client sends: reads tried again, pauses kept while limited, and so many requests under way at once."""

import asyncio

import httpx
import pytest

from github_api.errors import RateLimited, Unavailable
from github_api.points import Urgency
from github_api.secret import Secret
from github_api.transport import AT_ONCE, read
from tests.github_replies import API, github_world, in_turn, job, runner

ONE_JOB = f"{API}/repos/acme/widgets/actions/jobs/1"
JIT = f"{API}/orgs/acme/actions/runners/generate-jitconfig"


async def test_a_failed_read_is_tried_three_times_with_growing_delays() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).mock(
            side_effect=in_turn(
                httpx.Response(502), httpx.ConnectError("refused"), httpx.Response(200, json=job(1))
            )
        )
        assert (await world.github.job("acme/widgets", 1)).id == 1
        first, second = world.clock.slept
        assert 0.25 <= first <= 0.75
        assert 0.5 <= second <= 1.5


async def test_a_read_that_keeps_failing_is_unavailable() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).mock(side_effect=httpx.ReadTimeout("slow"))
        with pytest.raises(Unavailable, match="read job 1"):
            await world.github.job("acme/widgets", 1)
        assert len(world.calls("/jobs/1")) == 3


async def test_while_limited_no_request_leaves() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).mock(
            side_effect=in_turn(
                httpx.Response(429, headers={"retry-after": "30"}), httpx.Response(200, json=job(1))
            )
        )
        with pytest.raises(RateLimited) as limited:
            await world.github.job("acme/widgets", 1)
        assert limited.value.until == world.clock.now + 30
        with pytest.raises(RateLimited):
            await world.github.job("acme/widgets", 1)
        assert len(world.calls("/jobs/1")) == 1
        assert world.clock.slept == []
        world.clock.now += 30
        assert (await world.github.job("acme/widgets", 1)).id == 1


async def test_registrations_have_their_own_share_of_what_is_under_way() -> None:
    """A crowd of slow reads does not hold up a registration."""
    under_way = peak = 0
    release = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await release.wait()
        under_way -= 1
        return httpx.Response(200, json=job(1))

    with github_world() as world:
        world.router.get(ONE_JOB).mock(side_effect=slow)
        world.router.post(JIT).respond(201, json={"runner": runner(41), "encoded_jit_config": "x"})
        reads = [
            asyncio.create_task(world.github.job("acme/widgets", 1))
            for _ in range(2 * AT_ONCE[Urgency.NAMED])
        ]
        async with asyncio.timeout(5):
            while under_way < AT_ONCE[Urgency.NAMED]:
                await asyncio.sleep(0)
            await world.github.generate_jit_configuration(name="linux-a1", labels=["linux"])
            release.set()
            await asyncio.gather(*reads)
    assert peak == AT_ONCE[Urgency.NAMED]


@pytest.mark.parametrize("urgency", [Urgency.NAMED, Urgency.CONFIRM, Urgency.SWEEP])
async def test_a_read_may_wait_long_for_its_turn(urgency: Urgency) -> None:
    """Only the answer itself has a time-out; a sweep of hundreds of pages is not a failure."""
    held = asyncio.Event()
    begun = 0

    async def first_ones_are_slow(_: httpx.Request) -> httpx.Response:
        nonlocal begun
        begun += 1
        await held.wait()
        return httpx.Response(200, json=job(1))

    with github_world() as world:
        world.router.get(ONE_JOB).mock(side_effect=first_ones_are_slow)
        transport = world.github._transport
        token = Secret("t")
        slow = [
            asyncio.create_task(transport.send(read("wait", ONE_JOB, urgency=urgency), bearer=token))
            for _ in range(AT_ONCE[urgency])
        ]
        async with asyncio.timeout(5):
            while begun < len(slow):
                await asyncio.sleep(0)
        hurried = asyncio.create_task(
            transport.send(read("hurry", ONE_JOB, timeout_seconds=0.05, urgency=urgency), bearer=token)
        )
        done, _ = await asyncio.wait([hurried], timeout=0.2)
        assert not done
        held.set()
        assert (await hurried).status == 200
        await asyncio.gather(*slow)
