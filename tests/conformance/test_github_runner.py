"""The stand-in runner as a process against the stand-in GitHub: two readings of one protocol that share no code."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.emulator_github import GitHubServer, Installed, eventually, matrix_workflow

RUNNERS = 4


@contextlib.contextmanager
def started(installed: Installed, name: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A runner with a registration of its own; whatever happens, it is gone afterwards."""
    path = f"/orgs/{installed.organization}/actions/runners/generate-jitconfig"
    body = {"name": name, "runner_group_id": 1, "labels": ["self-hosted"]}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "ACTIONS_RUNNER_INPUT_JITCONFIG": installed.as_installation()
        .post(path, body)
        .json()["encoded_jit_config"],
        "EMULATOR_INSTANCE": f"instance-of-{name}",
        "RUNNER_ALLOW_RUNASROOT": "1",
        "RUNNER_MANUALLY_TRAP_SIG": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator.runner"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def test_a_job_runs_and_its_result_log_and_instance_come_back(server: GitHubServer, tmp_path: Path) -> None:
    installed = server.set_up("real")
    text = "on: push\njobs:\n  greet:\n    runs-on: self-hosted\n    steps: [{name: Say, run: echo hello $((40 + 2))}]\n"
    run_id = server.push(text, repository="real/widgets")
    with started(installed, "one", tmp_path) as runner:
        output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0, output
    assert "Running job: greet" in output
    [job] = [job for job in server.control("GET", "jobs?log=1")["jobs"] if job["run_id"] == run_id]
    assert (job["conclusion"], job["runner_name"], job["instance"]) == (
        "success",
        "one",
        "instance-of-one",
    ), output
    assert "hello 42\n" in job["log"]
    [seen] = installed.as_installation().get(f"/repos/real/widgets/actions/runs/{run_id}/jobs").json()["jobs"]
    assert [(step["name"], step["conclusion"]) for step in seen["steps"]] == [("Say", "success")]
    assert installed.as_installation().get("/orgs/real/actions/runners").json()["runners"] == []


def test_several_runners_share_the_jobs_one_each(server: GitHubServer, tmp_path: Path) -> None:
    installed = server.set_up("shared")
    run_id = server.push(matrix_workflow(RUNNERS), repository="shared/widgets")
    with contextlib.ExitStack() as stack:
        runners = [
            stack.enter_context(started(installed, f"r{number}", tmp_path)) for number in range(RUNNERS)
        ]
        outputs = [runner.communicate(timeout=60)[0] for runner in runners]
    jobs = [job for job in server.control("GET", "jobs")["jobs"] if job["run_id"] == run_id]
    assert [(job["conclusion"], job["attempts"]) for job in jobs] == [("success", 1)] * RUNNERS, outputs
    assert {job["runner_name"] for job in jobs} == {f"r{number}" for number in range(RUNNERS)}


def test_a_listening_runner_whose_registration_is_deleted_ends_with_githubs_words(
    server: GitHubServer, tmp_path: Path
) -> None:
    installed = server.set_up("deleted")
    client, path = installed.as_installation(), "/orgs/deleted/actions/runners"
    with started(installed, "one", tmp_path) as runner:
        eventually(
            lambda: any(one["status"] == "online" for one in client.get(path).json()["runners"]),
            "the runner listens",
            deadline_seconds=30,
        )
        [listed] = client.get(path).json()["runners"]
        assert client.delete(f"{path}/{listed['id']}").status_code == 204
        output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert "The runner no longer exists on the server. Cleaning up local configuration." in output
