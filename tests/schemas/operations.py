"""Which of GitHub's operations and events this project uses. Knows nothing of the client nor of the stand-in."""

from typing import Final

OPERATIONS: Final[tuple[tuple[str, str], ...]] = (
    ("get", "/app"),
    ("get", "/installation/repositories"),
    ("get", "/orgs/{org}/actions/runner-groups"),
    ("get", "/orgs/{org}/actions/runners"),
    ("get", "/orgs/{org}/actions/runners/{runner_id}"),
    ("delete", "/orgs/{org}/actions/runners/{runner_id}"),
    ("get", "/orgs/{org}/installation"),
    ("get", "/rate_limit"),
    ("get", "/repos/{owner}/{repo}/actions/jobs/{job_id}"),
    ("get", "/repos/{owner}/{repo}/actions/runners"),
    ("get", "/repos/{owner}/{repo}/actions/runners/{runner_id}"),
    ("delete", "/repos/{owner}/{repo}/actions/runners/{runner_id}"),
    ("get", "/repos/{owner}/{repo}/actions/runs"),
    ("get", "/repos/{owner}/{repo}/actions/runs/{run_id}"),
    ("get", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs"),
    ("get", "/repos/{owner}/{repo}/installation"),
    ("post", "/app/installations/{installation_id}/access_tokens"),
    ("post", "/orgs/{org}/actions/runners/generate-jitconfig"),
    ("post", "/repos/{owner}/{repo}/actions/runners/generate-jitconfig"),
)

EVENTS: Final[tuple[str, ...]] = ("workflow-job-completed", "workflow-job-in-progress", "workflow-job-queued")
