"""Runs and jobs in the stand-in GitHub's REST API, on a real socket; every exchange fits GitHub's description."""

from tests.emulator_github import (
    Checked,
    GitHubServer,
    matrix_workflow,
    workflow,
)

ORG = "/orgs/acme/actions/runners"
REPO = "/repos/acme/widgets/actions/runners"


def test_a_run_and_its_jobs_go_from_queued_to_completed(server: GitHubServer) -> None:
    installed = server.set_up("story")
    client = installed.as_installation()
    run_id = server.push(workflow("build", labels="[Self-Hosted, story]"), repository="story/widgets")
    runs = "/repos/story/widgets/actions/runs"
    assert [run["id"] for run in client.get(f"{runs}?status=queued").json()["workflow_runs"]] == [run_id]
    assert client.get(f"{runs}?status=in_progress").json()["total_count"] == 0
    [job] = client.get(f"{runs}/{run_id}/jobs?filter=latest").json()["jobs"]
    assert (job["status"], job["labels"], job["runner_id"]) == ("queued", ["Self-Hosted", "story"], None)

    runner = installed.runner("story-1", labels=["self-hosted", "STORY"])
    assert runner.open_session().is_success
    message = runner.acquire(runner.next_job()).json()
    job = client.get(f"/repos/story/widgets/actions/jobs/{job['id']}").json()
    assert (job["status"], job["runner_id"], job["runner_name"]) == ("in_progress", runner.id, "story-1")
    assert client.get(f"{runs}?status=in_progress").json()["total_count"] == 1
    assert client.get(f"{runs}?status=queued").json()["total_count"] == 0

    steps = [
        {
            "number": 1,
            "name": "Run echo",
            "status": "completed",
            "conclusion": "succeeded",
            "started_at": "2027-01-01T00:00:00Z",
        }
    ]
    assert runner.complete(message, "succeeded", stepResults=steps).status_code == 204
    job = client.get(f"/repos/story/widgets/actions/jobs/{job['id']}").json()
    assert (job["status"], job["conclusion"], job["runner_id"]) == ("completed", "success", runner.id)
    assert [step["name"] for step in job["steps"]] == ["Run echo"]
    run = client.get(f"{runs}/{run_id}").json()
    assert (run["status"], run["conclusion"]) == ("completed", "success")
    assert client.get(f"{runs}?status=success").json()["total_count"] == 1


def test_all_jobs_of_a_large_run_are_found_by_following_the_links(server: GitHubServer) -> None:
    """A matrix of 230: three pages of a hundred, each job once; a page of thirty is the default."""
    client = server.set_up("large").as_installation()
    run_id = server.push(matrix_workflow(230), repository="large/widgets")
    path = f"/repos/large/widgets/actions/runs/{run_id}/jobs"
    pages = list(client.pages(f"{path}?per_page=100&filter=latest", "jobs"))
    assert [len(page) for page in pages] == [100, 100, 30]
    names = [job["name"] for page in pages for job in page]
    assert sorted(names) == sorted(f"build ({number})" for number in range(230))
    first = client.get(path)
    assert (first.json()["total_count"], len(first.json()["jobs"])) == (230, 30)
    assert set(first.links) == {"next", "last"}
    assert first.links["last"]["url"].endswith("page=8")
    beyond = client.get(f"{path}?page=9")
    assert (beyond.json()["jobs"], set(beyond.links)) == ([], {"prev", "first"})


def test_many_runs_are_paged_newest_first(server: GitHubServer) -> None:
    client = server.set_up("many").as_installation()
    started = [server.push(workflow("build", labels="[nobody]"), repository="many/widgets") for _ in range(7)]
    pages = client.pages(
        "/repos/many/widgets/actions/runs?status=queued&per_page=3&exclude_pull_requests=true",
        "workflow_runs",
    )
    assert [[run["id"] for run in page] for page in pages] == [started[6:3:-1], started[3:0:-1], started[:1]]


def test_what_does_not_exist_answers_404(github: Checked) -> None:
    for path in (
        "/repos/acme/widgets/actions/runs/1",
        "/repos/acme/widgets/actions/runs/x",
        "/repos/acme/widgets/actions/runs/1/jobs",
        "/repos/acme/widgets/actions/jobs/1",
        "/repos/acme/nothing/actions/runs",
        f"{ORG}/99999",
        f"{REPO}/99999",
        "/orgs/nobody/actions/runners",
        "/orgs/nobody/actions/runner-groups",
    ):
        assert github.get(path).status_code == 404, path
    assert github.delete(f"{ORG}/99999").status_code == 404
