"""Registering and removing runners: sent once, hidden, ended in time, and an error for each refusal."""

import asyncio

import httpx
import pytest

from github_api.errors import (
    BadCredentials,
    GitHubError,
    Moved,
    NameTaken,
    NotFound,
    PermissionDenied,
    Rejected,
    RunnerBusy,
    Unavailable,
)
from tests.github_replies import API, World, github_world, in_turn, runner

RUNNERS = f"{API}/orgs/acme/actions/runners"
JIT = f"{RUNNERS}/generate-jitconfig"


async def register(world: World) -> object:
    return await world.github.generate_jit_configuration(name="linux-a1", labels=["linux"])


@pytest.mark.parametrize(
    "failure", [httpx.Response(500), httpx.Response(502), httpx.ReadTimeout("slow"), httpx.Response(401)]
)
async def test_a_registration_is_sent_once_whatever_happens(failure: httpx.Response | Exception) -> None:
    """The first call may have registered the runner although no answer came."""
    with github_world() as world:
        world.router.post(JIT).mock(side_effect=in_turn(failure))
        with pytest.raises((Unavailable, BadCredentials)):
            await register(world)
        assert len(world.calls("generate-jitconfig")) == 1


async def test_a_registration_gives_a_hidden_configuration() -> None:
    with github_world() as world:
        world.router.post(JIT).respond(201, json={"runner": runner(41), "encoded_jit_config": "c2VjcmV0"})
        made = await world.github.generate_jit_configuration(
            name="linux-a1", labels=["linux"], runner_group_id=4
        )
        sent = world.calls("generate-jitconfig")[0].content
    assert (made.runner_id, made.runner_name, made.encoded.reveal()) == (41, "linux-a1", "c2VjcmV0")
    assert "c2VjcmV0" not in repr(made)
    assert b'"runner_group_id":4' in sent


async def test_a_repositorys_runners_are_registered_in_the_repository() -> None:
    with github_world(scope="acme/widgets") as world:
        route = world.router.post(f"{API}/repos/acme/widgets/actions/runners/generate-jitconfig")
        route.respond(201, json={"runner": runner(41), "encoded_jit_config": "x"})
        await register(world)
        assert route.called
        assert await world.github.runner_groups() == ()


async def test_a_slow_registration_ends_in_time() -> None:
    """Waiting for a turn counts too: the instance waits for the reply."""

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with github_world() as world:
        world.router.post(JIT).mock(side_effect=never)
        with pytest.raises(Unavailable, match=r"within 0.05 s"):
            await world.github.generate_jit_configuration(name="a", labels=["x"], timeout_seconds=0.05)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, PermissionDenied),
        (404, NotFound),
        (409, NameTaken),
        (422, Rejected),
        (301, Moved),
        (418, Rejected),
    ],
)
async def test_each_refusal_of_a_registration_has_its_error(status: int, error: type[GitHubError]) -> None:
    with github_world() as world:
        world.router.post(JIT).respond(
            status, json={"message": "Already\nexists"}, headers={"x-github-request-id": "AB:12"}
        )
        with pytest.raises(error, match=rf"Already exists \(HTTP {status}, request AB:12\)\. \w"):
            await register(world)


async def test_the_removal_of_a_busy_runner_is_refused_as_such() -> None:
    with github_world() as world:
        world.router.delete(f"{RUNNERS}/3").mock(
            side_effect=in_turn(
                httpx.Response(422, json={"message": "Runner is currently running a job"}),
                httpx.Response(204),
            )
        )
        with pytest.raises(RunnerBusy):
            await world.github.delete_runner(3)
        await world.github.delete_runner(3)
