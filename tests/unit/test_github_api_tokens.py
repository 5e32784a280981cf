"""Tokens of the App's installation: shared, renewed in time, replaced when refused, and how the App proves itself."""

import asyncio

import httpx
import jwt
import pytest

from github_api.errors import BadCredentials, InstallationMissing
from tests.github_replies import API, github_world, job, private_key

ONE_JOB = f"{API}/repos/acme/widgets/actions/jobs/1"


async def test_a_token_is_used_until_five_minutes_before_its_end() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).respond(200, json=job(1))
        await world.github.job("acme/widgets", 1)
        world.clock.now += 3600 - 301
        await world.github.job("acme/widgets", 1)
        assert len(world.tokens) == 1
        world.clock.now += 2
        await world.github.job("acme/widgets", 1)
        assert [request.headers["authorization"] for request in world.calls("/jobs/1")] == [
            "Bearer ghs_1",
            "Bearer ghs_1",
            "Bearer ghs_2",
        ]


async def test_callers_at_once_share_one_token_request() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).respond(200, json=job(1))
        await asyncio.gather(*(world.github.job("acme/widgets", 1) for _ in range(12)))
        assert len(world.tokens) == 1
        assert len(world.calls("/installation")) == 2  # the look-up and the token


async def test_a_refused_token_is_replaced_once_for_all_callers() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).mock(
            side_effect=lambda request: httpx.Response(
                401 if request.headers["authorization"] == "Bearer ghs_1" else 200, json=job(1)
            )
        )
        found = await asyncio.gather(*(world.github.job("acme/widgets", 1) for _ in range(5)))
        assert [one.id for one in found] == [1] * 5
        assert world.tokens == ["ghs_1", "ghs_2"]


async def test_a_token_refused_twice_is_an_error() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).respond(401, json={"message": "Bad credentials"})
        with pytest.raises(BadCredentials, match="Bad credentials"):
            await world.github.job("acme/widgets", 1)
        assert len(world.tokens) == 2


async def test_the_app_proves_itself_with_a_short_lived_signed_token() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).respond(200, json=job(1))
        await world.github.job("acme/widgets", 1)
        shown = world.calls("/orgs/acme/installation")[0].headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(
            shown,
            private_key().public_key(),
            algorithms=["RS256"],
            options={"verify_exp": False, "verify_iat": False},
        )
        now = int(world.clock.now)
    assert claims == {"iat": now - 60, "exp": now - 60 + 9 * 60, "iss": "Iv23abc"}


async def test_a_reinstalled_app_is_found_again() -> None:
    """A 404 for the installation's token means a new installation, not the end."""
    with github_world() as world:
        world.router.get(ONE_JOB).respond(200, json=job(1))
        await world.github.job("acme/widgets", 1)
        world.clock.now += 3600
        world.router["token"].mock(return_value=httpx.Response(404, json={"message": "Not Found"}))
        world.router["installation"].mock(return_value=httpx.Response(200, json={"id": 56}))
        world.router.post(f"{API}/app/installations/56/access_tokens").respond(
            201, json={"token": "ghs_new", "expires_at": "2027-02-15T08:00:00Z"}
        )
        await world.github.job("acme/widgets", 1)
        assert world.calls("/jobs/1")[-1].headers["authorization"] == "Bearer ghs_new"


async def test_an_app_that_is_not_installed_is_told_so() -> None:
    with github_world() as world:
        world.router["installation"].mock(return_value=httpx.Response(404, json={"message": "Not Found"}))
        with pytest.raises(InstallationMissing, match=r"not installed in organization acme.*Install the App"):
            await world.github.job("acme/widgets", 1)
