"""Reading GitHub's lists: pages, conditional requests, and answers of another shape."""

import httpx
import pytest

from github_api.errors import GitHubBroken
from github_api.values import JobStatus
from tests.github_replies import API, github_world, in_turn, job, page, run, runner

JOBS = f"{API}/repos/acme/widgets/actions/runs/7/jobs"
ONE_JOB = f"{API}/repos/acme/widgets/actions/jobs/1"
RUNNERS = f"{API}/orgs/acme/actions/runners"


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


@pytest.mark.parametrize("body", ["[1]", "not json", '{"jobs": 3}', '{"jobs": [{"id": "x"}]}', "[" * 200_000])
async def test_a_strange_success_is_githubs_fault(body: str) -> None:
    with github_world() as world:
        world.router.get(JOBS).respond(200, text=body)
        with pytest.raises(GitHubBroken, match="not understood"):
            await world.github.jobs_of_run("acme/widgets", 7)


async def test_a_name_that_would_bend_the_url_is_refused() -> None:
    with github_world() as world, pytest.raises(ValueError, match="full name"):
        await world.github.job("acme/../x?y", 1)


async def test_the_jobs_of_every_attempt_are_asked_for_as_such() -> None:
    """GitHub's list is that of the latest attempt unless it is asked for all."""
    with github_world() as world:
        world.router.get(JOBS).mock(return_value=page("jobs", [job(1, run_attempt=1), job(2, run_attempt=2)]))
        await world.github.jobs_of_run("acme/widgets", 7)
        found = await world.github.jobs_of_run("acme/widgets", 7, every_attempt=True)
        asked = [request.url.params["filter"] for request in world.calls("/jobs")]
    assert [each.run_attempt for each in found] == [1, 2]
    assert asked == ["latest", "all"]


async def test_runs_of_a_span_are_counted_with_one_small_page() -> None:
    """The number is the total of the list, not of its page."""
    with github_world() as world:
        world.router.get(f"{API}/repos/acme/widgets/actions/runs").mock(
            return_value=httpx.Response(200, json={"total_count": 1234, "workflow_runs": [run(7)]})
        )
        span = "2027-01-15T08:00:00Z..2027-01-15T09:00:00Z"
        found = await world.github.number_of_runs("acme/widgets", status="completed", created=span)
        query = world.calls("/actions/runs")[0].url.params
    assert found == 1234
    assert (query["created"], query["per_page"], query["status"]) == (span, "1", "completed")
