"""`runner-pool simulate` as a real process: what a program reads on its output, and what a person reads of a mistake."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.config_text import SMALLEST

# What must be in the object that is printed, whatever else is.
KEYS = {
    *("jobs", "completed", "killed", "lost", "wait_p50_s", "wait_p95_s", "wait_p99_s", "wait_floor_p95_s"),
    *("paid_instance_s", "ideal_instance_s", "paid_over_ideal", "writes", "cells", "peak_instances"),
    *("policy", "registrations", "never_run", "assumptions", "left_out"),
}
HEADER = "queued_at_s,duration_s,labels,repo,workflow,job\n"


def simulate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner_pool", "simulate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def document(*arguments: str | Path) -> dict[str, object]:
    """The one object that a run prints; nothing else may stand on either stream."""
    ended = simulate(*arguments, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("\n") == 1
    found = json.loads(ended.stdout)
    assert isinstance(found, dict)
    return found


def traced(folder: Path, *rows: str) -> Path:
    file = folder / "jobs.csv"
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return file


def configured(folder: Path, text: str = SMALLEST) -> Path:
    file = folder / "runner-pool.yaml"
    file.write_text(text)
    return file


def test_a_day_of_a_team_is_one_object_with_every_key_and_no_job_stopped() -> None:
    found = document("--generator", "team")
    assert set(found) >= KEYS
    assert found["jobs"] == found["completed"] == found["registrations"] == 300
    assert found["killed"] == found["lost"] == found["never_run"] == 0
    assert found["policy"] == "cells"
    assert found["wait_floor_p95_s"] == 18.0
    assert 18.0 <= float(str(found["wait_p95_s"])) < 30.0
    assert 1.0 < float(str(found["paid_over_ideal"])) < 1.5
    assumptions = found["assumptions"]
    assert isinstance(assumptions, dict)
    assert (assumptions["generator"], assumptions["trace_seed"], assumptions["max_cells"]) == ("team", 1, 60)


def test_several_policies_stand_side_by_side_under_policies(tmp_path: Path) -> None:
    """CREMA takes an instance away under the long job when the short ones have ended; this project's cells do not."""
    rows = [f"{second},900,self-hosted,acme/app,ci,long" for second in range(5)]
    rows += [f"{second},10,self-hosted,acme/app,ci,short" for second in range(10)]
    found = document("--trace", traced(tmp_path, *rows), "--policy", "all", "--max-runners", "20")
    policies = found["policies"]
    assert isinstance(policies, list)
    assert [each["policy"] for each in policies] == [
        "cells",
        "one-per-cell",
        "quiescent",
        "crema",
        "google-sample",
    ]
    killed = {each["policy"]: each["killed"] for each in policies}
    assert killed["cells"] == killed["one-per-cell"] == killed["quiescent"] == 0
    assert killed["crema"] > 0
    assert all(each["jobs"] == 15 for each in policies)


def test_the_same_command_prints_the_same_to_the_last_digit(tmp_path: Path) -> None:
    trace = traced(tmp_path, "0,60,self-hosted,a/b,ci,x", "5,100,self-hosted,a/b,ci,y")
    assert document("--trace", trace, "--seed", "7") == document("--trace", trace, "--seed", "7")


def test_a_configuration_gives_pools_and_limits_and_what_fits_none_is_told_and_left_out(
    tmp_path: Path,
) -> None:
    trace = traced(tmp_path, "0,60,linux,a/b,ci,x", "5,100,self-hosted;Linux,a/b,ci,y", "6,1,gpu,a/b,ci,z")
    config = configured(tmp_path, SMALLEST.replace("max: 3", "max: 3\n    warm: 1"))
    ended = simulate("--trace", trace, "--config", config, "--json")
    assert (ended.returncode, ended.stderr) == (
        0,
        "jobs that fit no pool and are left out: 1; by labels: gpu (1)\n",
    )
    found = json.loads(ended.stdout)
    assert (found["jobs"], found["completed"]) == (2, 2)
    assert found["left_out"] == [{"labels": ["gpu"], "jobs": 1}]
    assert found["assumptions"]["warm"] == {"linux": 1}
    assert found["assumptions"]["max_runners"] == 100
    assert found["assumptions"]["begins"] == "2026-11-23T00:00:00+00:00"
    assert found["peak_instances"] <= 3


def test_without_json_it_is_a_table_and_sentences_with_the_price_and_its_date(tmp_path: Path) -> None:
    trace = traced(tmp_path, "0,60,self-hosted,a/b,ci,x")
    ended = simulate("--trace", trace, "--policy", "cells", "--policy", "quiescent", "--vcpu", "2")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].split()[:4] == ["policy", "completed", "killed", "lost"]
    assert [line.split()[0] for line in lines[1:3]] == ["cells", "quiescent"]
    assert lines[4].startswith("cells: all 1 jobs ended by themselves; 95 of 100 jobs that began ran within ")
    assert "list price of 2025-09" in lines[-1]


def test_a_file_and_a_price_of_waiting_give_an_advice(tmp_path: Path) -> None:
    trace = traced(tmp_path, "0,60,self-hosted,a/b,ci,x")
    ended = simulate("--trace", trace, "--price-of-waiting", "1", "--max-runners", "4")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "pool pool: 10 cells, " in ended.stdout
    assert "an hour of waiting: 1.000 USD, as stated" in ended.stdout
    found = document("--trace", trace, "--price-of-waiting", "1", "--max-runners", "4")
    advices = found["advice"]
    assert isinstance(advices, list)
    (advice,) = advices
    assert advice["rows"][0]["unfinished"] == 0
    assert advice["price"]["as_of"] == "2025-09"


def test_the_jobs_of_a_generator_are_saved_as_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "night.csv"
    assert simulate("--generator", "trickle", "--trace-seed", "3", "--save", file).returncode == 0
    with file.open(newline="") as written:
        drawn = len(list(csv.DictReader(written)))
    again = document("--trace", file)
    assert again["jobs"] == drawn > 100


MISTAKES: Sequence[tuple[Sequence[str], int, str]] = [
    (
        ["--generator", "team", "--policy", "keda"],
        2,
        (
            "runner-pool: there is no policy 'keda'\n"
            "  remedy: take one of cells, one-per-cell, quiescent, crema, google-sample, all\n"
        ),
    ),
    (
        ["--generator", "taem"],
        2,
        (
            "runner-pool: There is no generator 'taem'\n"
            "  cause: Did you mean team?\n"
            "  remedy: Give one of team, matrix, company, heavy-tails, merge-queue, retry-storm, night, trickle, tsz, "
            "or a file with --trace.\n"
        ),
    ),
    (
        ["--history", "7"],
        2,
        (
            "runner-pool: --history needs --config\n"
            "  cause: GitHub is asked as the App of the configuration, for the jobs of its repositories\n"
            "  remedy: add --config FILE, the scaler's own configuration\n"
        ),
    ),
    (
        ["--trace", "no-such.csv"],
        30,
        (
            "runner-pool: The trace no-such.csv cannot be read: No such file or directory\n"
            "  remedy: Give the path of a CSV file with --trace.\n"
        ),
    ),
    (
        [],
        2,
        (
            "runner-pool: there are no jobs to simulate\n"
            "  remedy: give exactly one of --trace FILE, --generator NAME and --history DAYS\n"
        ),
    ),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES, ids=lambda each: str(each)[:40])
def test_a_mistake_is_told_word_for_word_and_nothing_is_printed(
    arguments: Sequence[str], code: int, words: str
) -> None:
    ended = simulate(*arguments)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", words)


def test_every_fault_of_a_trace_file_is_told_with_its_line(tmp_path: Path) -> None:
    trace = traced(tmp_path, "0,sixty,self-hosted,a/b,ci,x", "-5,60,,a/b,ci,y")
    ended = simulate("--trace", trace)
    assert (ended.returncode, ended.stdout) == (30, "")
    assert ended.stderr == (
        "runner-pool: The trace has 3 faults:\n"
        f"  {trace}:2: duration_s: it is not a number (found: 'sixty'). Write seconds as digits, such as 90 or 182.5.\n"
        f"  {trace}:3: queued_at_s: the time is negative (found: '-5'). "
        "Count from the first moment of the trace; 0 is the least.\n"
        f"  {trace}:3: labels: no pool serves a job without labels (found: ''). "
        "Write the labels of runs-on with ; between them, such as self-hosted;linux.\n"
        "  remedy: docs/reference/traces.md describes the format.\n"
    )


def test_a_configuration_with_faults_ends_with_the_scalers_code(tmp_path: Path) -> None:
    ended = simulate("--generator", "team", "--config", configured(tmp_path, "pools: []\n"))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pools" in ended.stderr
