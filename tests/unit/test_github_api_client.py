"""Our client against a mocked GitHub: pages, conditional requests, tokens, limits, retries, and what each refusal becomes."""

import asyncio

import httpx
import jwt
import pytest

from github_api.errors import (
    BadCredentials,
    GitHubBroken,
    GitHubError,
    InstallationMissing,
    Moved,
    NameTaken,
    NotFound,
    PermissionDenied,
    RateLimited,
    Rejected,
    RunnerBusy,
    Unavailable,
)
from github_api.secret import Secret
from github_api.transport import read
from github_api.values import JobStatus
from tests.github_replies import API, World, github_world, in_turn, job, page, private_key, run, runner

JOBS = f"{API}/repos/acme/widgets/actions/runs/7/jobs"
ONE_JOB = f"{API}/repos/acme/widgets/actions/jobs/1"
RUNNERS = f"{API}/orgs/acme/actions/runners"
JIT = f"{RUNNERS}/generate-jitconfig"


async def register(world: World) -> object:
    return await world.github.generate_jit_configuration(name="linux-a1", labels=["linux"])


async def test_the_jobs_of_all_pages_come_once_each() -> None:
    """An item that slid to the next page between two requests does not count twice."""
    with github_world() as world:
        second = f"{JOBS}?filter=latest&per_page=100&page=2"
        world.router.get(url=second).mock(return_value=page("jobs", [job(2), job(3)]))
        world.router.get(f"{JOBS}?filter=latest&per_page=100").mock(
            return_value=page(
                "jobs",
                [job(1), job(2)],
                headers={"link": f'<{JOBS}?page=9>; rel="last", <{second}>; rel="next"'},
            )
        )
        jobs = await world.github.jobs_of_run("acme/widgets", 7)
    assert [found.id for found in jobs] == [1, 2, 3]
    assert jobs[0].labels == {"self-hosted", "linux"}
    assert jobs[0].labels_as_written == ("self-hosted", "Linux")
    assert jobs[0].status is JobStatus.QUEUED


async def test_a_next_page_on_another_host_is_not_followed() -> None:
    """Our token would go there."""
    with github_world() as world:
        world.router.get(JOBS).mock(
            return_value=page("jobs", [], headers={"link": '<https://evil.test/x>; rel="next"'})
        )
        with pytest.raises(GitHubBroken, match="another host"):
            await world.github.jobs_of_run("acme/widgets", 7)


async def test_a_list_that_never_ends_is_given_up() -> None:
    with github_world() as world:
        world.router.get(JOBS).mock(
            return_value=page("jobs", [], headers={"link": f'<{JOBS}?page=2>; rel="next"'})
        )
        with pytest.raises(GitHubBroken, match="did not end"):
            await world.github.jobs_of_run("acme/widgets", 7)


async def test_runs_are_asked_by_status_without_pull_requests() -> None:
    with github_world() as world:
        world.router.get(f"{API}/repos/acme/widgets/actions/runs").mock(
            return_value=page("workflow_runs", [run(7)])
        )
        assert [found.id for found in await world.github.workflow_runs("acme/widgets", status="queued")] == [
            7
        ]
        query = world.calls("/actions/runs")[0].url.params
    assert dict(query) == {"status": "queued", "exclude_pull_requests": "true", "per_page": "100"}


async def test_an_unchanged_page_is_asked_conditionally_and_its_value_used_again() -> None:
    with github_world() as world:
        world.router.get(JOBS).mock(
            side_effect=in_turn(page("jobs", [job(1)], headers={"etag": 'W/"a"'}), httpx.Response(304))
        )
        first = await world.github.jobs_of_run("acme/widgets", 7)
        again = await world.github.jobs_of_run("acme/widgets", 7)
        asked = [request.headers.get("if-none-match") for request in world.calls("/jobs")]
    assert again[0] is first[0]
    assert asked == [None, 'W/"a"']


async def test_an_unchanged_first_page_still_leads_to_a_changed_second_one() -> None:
    """A 304 carries no Link header that we could rely on."""
    with github_world() as world:
        second = f"{JOBS}?page=2"
        world.router.get(url=second).mock(
            side_effect=in_turn(page("jobs", [job(2)]), page("jobs", [job(2), job(3)]))
        )
        world.router.get(f"{JOBS}?filter=latest&per_page=100").mock(
            side_effect=in_turn(
                page("jobs", [job(1)], headers={"etag": '"a"', "link": f'<{second}>; rel="next"'}),
                httpx.Response(304),
            )
        )
        await world.github.jobs_of_run("acme/widgets", 7)
        assert [found.id for found in await world.github.jobs_of_run("acme/widgets", 7)] == [1, 2, 3]


async def test_an_etag_of_an_older_token_is_not_sent_with_a_newer_one() -> None:
    with github_world() as world:
        world.router.get(ONE_JOB).mock(return_value=httpx.Response(200, json=job(1), headers={"etag": '"a"'}))
        await world.github.job("acme/widgets", 1)
        world.clock.now += 3600
        await world.github.job("acme/widgets", 1)
        assert len(world.tokens) == 2
        assert [request.headers.get("if-none-match") for request in world.calls("/jobs/1")] == [None, None]


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


async def test_a_runner_is_found_by_its_exact_name() -> None:
    """Should the filter match more than the name, we do not."""
    with github_world() as world:
        world.router.get(RUNNERS).mock(return_value=page("runners", [runner(3), runner(4, name="linux-a10")]))
        assert [found.id for found in await world.github.runners(name="linux-a1")] == [3]
        assert world.calls("/runners")[0].url.params["name"] == "linux-a1"


async def test_the_installations_repositories_are_listed() -> None:
    with github_world() as world:
        world.router.get(f"{API}/installation/repositories").mock(
            return_value=page("repositories", [{"full_name": "acme/widgets", "private": False}])
        )
        (found,) = await world.github.repositories()
    assert (found.full_name, found.private) == ("acme/widgets", False)


async def test_the_allowances_are_read() -> None:
    with github_world() as world:
        core = {"limit": 5000, "remaining": 4999, "reset": 1_800_000_100, "used": 1}
        world.router.get(f"{API}/rate_limit").respond(200, json={"resources": {"core": core}, "rate": core})
        assert (await world.github.allowances())["core"].remaining == 4999


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


@pytest.mark.parametrize("body", ["[1]", "not json", '{"jobs": 3}', '{"jobs": [{"id": "x"}]}', "[" * 200_000])
async def test_a_strange_success_is_githubs_fault(body: str) -> None:
    with github_world() as world:
        world.router.get(JOBS).respond(200, text=body)
        with pytest.raises(GitHubBroken, match="not understood"):
            await world.github.jobs_of_run("acme/widgets", 7)


async def test_a_name_that_would_bend_the_url_is_refused() -> None:
    with github_world() as world, pytest.raises(ValueError, match="full name"):
        await world.github.job("acme/../x?y", 1)


async def test_at_most_ten_requests_are_under_way_and_registrations_have_their_own_share() -> None:
    """A sweep of slow lists does not hold up a registration."""
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
        reads = [asyncio.create_task(world.github.job("acme/widgets", 1)) for _ in range(20)]
        async with asyncio.timeout(5):
            while under_way < 6:
                await asyncio.sleep(0)
            await register(world)
            release.set()
            await asyncio.gather(*reads)
    assert peak == 6


async def test_a_read_may_wait_long_for_its_turn() -> None:
    """Only the answer itself has a time-out; a sweep of hundreds of pages is not a failure."""
    held = asyncio.Event()

    async def first_ones_are_slow(_: httpx.Request) -> httpx.Response:
        if not held.is_set():
            await held.wait()
        return httpx.Response(200, json=job(1))

    with github_world() as world:
        world.router.get(ONE_JOB).mock(side_effect=first_ones_are_slow)
        transport = world.github._transport
        token = Secret("t")
        slow = [asyncio.create_task(transport.send(read("wait", ONE_JOB), bearer=token)) for _ in range(6)]
        while transport._reads.locked() is False:
            await asyncio.sleep(0)
        hurried = asyncio.create_task(
            transport.send(read("hurry", ONE_JOB, timeout_seconds=0.05), bearer=token)
        )
        done, _ = await asyncio.wait([hurried], timeout=0.2)
        assert not done
        held.set()
        assert (await hurried).status == 200
        await asyncio.gather(*slow)
