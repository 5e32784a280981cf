"""Jobs finish on the stand-in GitHub, and the history gives them back as a trace, a file and an advice."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from runner_pool.capacity.advising import Question
from runner_pool.capacity.history import LeftOut
from runner_pool.capacity.study import read_history, study
from runner_pool.errors import HistoryError
from runner_pool.simulate import cells_simulated
from scaler.config import load_config
from scaler.errors import GitHubRefused
from simulator.advice import MIXES, Grid
from simulator.assumptions import Assumptions
from simulator.faults import NO_FAULTS
from simulator.outcome import Outcome
from simulator.trace import Trace
from simulator.trace_file import read_trace
from tests.emulator_github import GitHubServer, Installed

# Three kinds of jobs: two for the pool, one that never runs, one for runners that the pool does not have.
WORKFLOW = """
name: Nightly
on: push
jobs:
  build:
    runs-on: [self-hosted, Linux]
    steps: [{run: make}]
  test:
    needs: build
    runs-on: [self-hosted, linux]
    steps: [{run: make test}]
  publish:
    if: false
    runs-on: [self-hosted, linux]
    steps: [{run: make publish}]
  check:
    runs-on: [self-hosted, windows]
    steps: [{run: check}]
"""

CONFIG = """
deployment: acme-ci
github:
  url: {url}/api/v3
  app_id: {app_id}
  private_key: file:{key}
  organization: {organization}
cloud_run: {{project: my-project, region: us-central1}}
records: sqlite:{folder}/records.db
service: {{url: "https://scaler.example.com"}}
pools:
  - {{name: linux, labels: [self-hosted, linux, x64], max: 5}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[GitHubServer]:
    with GitHubServer() as running:
        yield running


def config_of(installed: Installed, folder: Path) -> Path:
    key = folder / "app.pem"
    key.write_text(installed.private_key)
    key.chmod(0o600)
    path = folder / "runner-pool.yaml"
    path.write_text(
        CONFIG.format(
            url=installed.server.url,
            app_id=installed.client_id,
            key=key,
            organization=installed.organization,
            folder=folder,
        )
    )
    return path


def work(installed: Installed, name: str, labels: Sequence[str], *, seconds: float) -> None:
    """A runner takes a job that fits it and works for so long."""
    runner = installed.runner(name, labels=labels)
    assert runner.open_session().is_success
    message = runner.acquire(runner.next_job()).json()
    installed.server.pass_time(seconds)
    assert runner.complete(message, "succeeded").status_code == 204


def finish_a_nightly(installed: Installed) -> None:
    """`build` waits 40 s and works 90; `check` works 20 on Windows; `test`, queued after `build`, works 30."""
    installed.server.push(WORKFLOW, repository=f"{installed.organization}/widgets")
    installed.server.pass_time(40)
    work(installed, "linux-1", ["self-hosted", "linux"], seconds=90)
    work(installed, "windows-1", ["self-hosted", "windows"], seconds=20)
    work(installed, "linux-2", ["self-hosted", "linux"], seconds=30)


def an_hour_for_each_cell(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
    assert assumptions.max_runners == 5
    return Outcome(
        policy="fake",
        jobs=len(trace),
        completed=len(trace),
        killed=0,
        lost=0,
        waits=[6.0] * len(trace),
        paid=3_600.0 * len(sizes),
        ideal=sum(job.duration for job in trace),
        writes=0,
        lowering_writes=0,
        registrations=len(trace),
        cells=len(sizes),
        peak_instances=1,
    )


def test_finished_jobs_become_a_trace_a_file_and_an_advice(
    server: GitHubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The durations are those that the jobs worked, whatever they waited; what does not concern the pool is counted."""
    installed = server.set_up("nightly")
    finish_a_nightly(installed)
    path = config_of(installed, tmp_path)

    def clock() -> float:
        return server.clock() + 1

    history = read_history(load_config(path, {}), {}, days=1, clock=clock)
    build, test = history.traces["linux"]
    assert (build.job, build.workflow, build.repository) == ("build", "Nightly", "nightly/widgets")
    assert build.duration == pytest.approx(90, abs=2)
    assert test.duration == pytest.approx(30, abs=2)
    # `test` was queued when `build` had ended.
    assert test.queued_at - build.queued_at == pytest.approx(130, abs=3)
    assert build.labels == {"self-hosted", "linux"}
    assert history.left_out == {LeftOut.NEVER_RAN: 1, LeftOut.NO_POOL: 1}
    assert history.unread == ()

    file = tmp_path / "week.csv"
    grid = Grid(cells=(2, 4), mixes=MIXES[:1], warm=(0,))
    question = Question(simulate=an_hour_for_each_cell, grid=grid)
    code = study(path, {}, days=1, question=question, save=file, clock=clock)
    assert code == 0
    told = capsys.readouterr().out
    for words in (
        "UTC: 2\n",
        "left out, 1: jobs that ask for labels that no pool has",
        f"2 jobs are written to {file}",
        "pool linux: 2 cells, single (1), warm 0 cost least",
    ):
        assert words in told
    with file.open(newline="") as written:
        rows = list(csv.DictReader(written))
    assert [row["job"] for row in rows] == ["build", "test"]
    assert float(rows[0]["duration_s"]) == build.duration


def test_the_real_planner_advises_on_what_github_has_seen(
    server: GitHubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Simulated, `build` and `test` wait for a start and a registration each, or with a warm instance for the latter alone.

    The warm instance costs 5.60 dollars over the day that is read and saves both jobs twelve seconds: too dear at a dollar
    for an hour of waiting, and worth it at two thousand.
    """
    installed = server.set_up("planned")
    finish_a_nightly(installed)
    path = config_of(installed, tmp_path)
    advised = {}
    for usd in (1, 2_000):
        question = Question(
            simulate=cells_simulated(NO_FAULTS, lambda _: None),
            grid=Grid(cells=(2,), mixes=MIXES[:1], warm=(0, 1)),
            waiting_usd_per_hour=Decimal(usd),
            every_choice=True,
        )
        study(path, {}, days=1, question=question, as_json=True, clock=lambda: server.clock() + 1)
        told = json.loads(capsys.readouterr().out)
        assert told["history"]["jobs"] == {"linux": 2}
        (advised[usd],) = told["advice"]
    for each in advised.values():
        waits = {row["warm"]: row["wait_p95_s"] for row in each["rows"]}
        assert 16 < waits[0] < 21
        assert 5 < waits[1] < 8
        assert all(row["unfinished"] == 0 for row in each["rows"])
    assert (advised[1]["rows"][0]["warm"], advised[2_000]["rows"][0]["warm"]) == (0, 1)


def test_the_command_reads_the_past_saves_it_and_advises(tmp_path: Path) -> None:
    """The whole way, as a process beside a GitHub of its own, whose clock nobody has moved before the jobs were queued."""
    with GitHubServer() as fresh:
        installed = fresh.set_up("whole")
        finish_a_nightly(installed)
        config, file = config_of(installed, tmp_path), tmp_path / "past.csv"
        command = [sys.executable, "-m", "runner_pool", "simulate", "--history", "0.02", "--json"]
        command += ["--config", str(config), "--save", str(file), "--max-runners", "2"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stderr) == (0, f"2 jobs are written to {file}\n")
    told = json.loads(ended.stdout)
    assert told["history"]["jobs"] == {"linux": 2}
    (advice,) = told["advice"]
    assert advice["pool"] == "linux"
    assert advice["rows"][0]["unfinished"] == 0
    assert [job.job for job in read_trace(file)] == ["build", "test"]


def test_a_history_without_a_job_for_a_pool_is_told_as_such(
    server: GitHubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = server.set_up("quiet")
    with pytest.raises(HistoryError, match=r"no finished job of the last 2 days") as told:
        study(config_of(installed, tmp_path), {}, days=2, question=None)
    assert "labels" in told.value.remedy
    assert "UTC: 0\n" in capsys.readouterr().out


def test_an_app_that_github_does_not_know_is_refused_with_its_exit_code(
    server: GitHubServer, tmp_path: Path
) -> None:
    installed = server.set_up("mistaken")
    path = config_of(installed, tmp_path)
    path.write_text(path.read_text().replace(installed.client_id, "Iv23nobody"))
    with pytest.raises(GitHubRefused):
        study(path, {}, days=1, question=None)
