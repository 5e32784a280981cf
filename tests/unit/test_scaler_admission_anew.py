"""A secret that is not known may be newer than the last reading of the cells: they are read again, within bounds."""

from __future__ import annotations

import asyncio

import pytest

from github_api.secret import Secret
from scaler.loop import CELLS_AGAIN_SECONDS
from tests.scaler_loop_scene import Scene
from tests.scaler_parts import a_few_turns
from tests.scaler_service_world import AS_CELL, CALLS, World, problem


@pytest.mark.parametrize("path", CALLS)
async def test_an_instance_on_a_newer_template_is_let_in_after_one_look(path: str) -> None:
    world = World()

    def look() -> bool:
        world.secrets = (Secret("newer"), Secret("new"))
        return True

    world.on_look = look
    headers = {**AS_CELL, "X-Cell-Secret": "newer"}
    assert (await world.call(path, headers=headers)).status_code == 200
    assert (await world.call(path)).status_code == 200, "the one before it is good too"
    assert world.looks_at_cells == 1


async def test_a_wrong_secret_stays_wrong_after_the_look() -> None:
    world = World()
    world.on_look = lambda: True
    answer = await world.call("/v1/leases", headers={**AS_CELL, "X-Cell-Secret": "guess"})
    assert problem(answer) == (403, "bad_secret")
    assert world.looks_at_cells == 1


async def test_a_look_that_finds_the_cell_gone_or_of_another_account_lets_nobody_in() -> None:
    """What was read again counts, not what was known before."""
    world = World()

    def account_changes() -> bool:
        world.secrets = (Secret("newer"),)
        world.accounts["linux-a"] = "another@p.iam.gserviceaccount.com"
        return True

    world.on_look = account_changes
    headers = {**AS_CELL, "X-Cell-Secret": "newer"}
    assert problem(await world.call("/v1/leases", headers=headers)) == (401, "bad_identity")

    def cell_goes() -> bool:
        del world.accounts["linux-a"]
        return True

    world = World()
    world.on_look = cell_goes
    assert problem(await world.call("/v1/leases", headers=headers)) == (404, "unknown_cell")


async def test_who_is_not_of_the_cells_account_makes_nobody_look() -> None:
    """Any account of anybody's project can get a token for our audience."""
    world = World()
    world.on_look = lambda: True
    headers = {"Authorization": "Bearer stranger@example.com", "X-Cell-Secret": "guess"}
    assert problem(await world.call("/v1/leases", headers=headers)) == (401, "bad_identity")
    assert world.looks_at_cells == 0


async def test_callers_wait_for_a_look_that_is_theirs_and_share_it() -> None:
    """One that began before they came may have shown the older template."""
    scene = Scene()
    scene.clock.now += 100.0
    assert await scene.loop.look_at_cells()
    asked = [asyncio.ensure_future(scene.loop.look_at_cells()) for _ in range(20)]
    await a_few_turns()
    assert scene.looks == [True]
    await scene.passes(CELLS_AGAIN_SECONDS - 0.1)
    assert scene.looks == [True]
    await scene.passes(0.2)
    assert await asyncio.gather(*asked) == [True] * 20
    assert scene.looks == [True, True]


async def test_a_storm_of_wrong_secrets_reads_the_cells_every_two_seconds_at_the_most() -> None:
    scene = Scene()
    asked = []
    for _ in range(100):
        asked.append(asyncio.ensure_future(scene.loop.look_at_cells()))
        await scene.passes(0.1)
    assert 5 <= len(scene.looks) <= 6, scene.looks
    await scene.passes(CELLS_AGAIN_SECONDS)
    async with asyncio.timeout(5):
        assert all(await asyncio.gather(*asked))


async def test_a_look_that_comes_to_nothing_is_told_so_and_is_one_for_all_who_wait() -> None:
    """Then the secret stays unknown, and the instance asks again later."""
    scene = Scene()
    scene.read_works = False
    assert not await scene.loop.look_at_cells()
    asked = [asyncio.ensure_future(scene.loop.look_at_cells()) for _ in range(20)]
    await a_few_turns()
    await scene.passes(CELLS_AGAIN_SECONDS + 0.1)
    async with asyncio.timeout(5):
        assert await asyncio.gather(*asked) == [False] * 20
    assert scene.looks == [True, True]
