"""The named traces: their shapes, and that the same name and seed give the same jobs for ever."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
from collections import Counter

import pytest

from simulator import generators
from simulator.assumptions import Assumptions
from simulator.crowding import most_at_once
from simulator.errors import UnknownGenerator
from simulator.generators import GENERATORS, generated
from simulator.shapes.durations import LONGEST, SHORTEST
from simulator.trace import TraceJob
from simulator.trace_file import written_trace

HOUR = 3600.0
DAY = 24 * HOUR

# Of the written trace with seed 1. A change here makes every published figure a figure of something else.
DIGESTS = {
    "team": "8eb8a967e91d227a",
    "matrix": "c7f55f7c16f4fe9d",
    "company": "de3b331641551733",
    "heavy-tails": "34c7b5ebabd38fc6",
    "merge-queue": "c7d08b58af5d35bb",
    "retry-storm": "c5c0a8f702d97c8f",
    "night": "9e3e7bc385a0dbcb",
    "trickle": "e98f454bfee1fca4",
    "tsz": "6f6583fa0287d100",
}


def digest(name: str) -> str:
    return hashlib.sha256(written_trace(generated(name, 1)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", GENERATORS)
def test_the_same_name_and_seed_give_the_same_jobs_for_ever(name: str) -> None:
    assert digest(name) == DIGESTS[name]


@pytest.mark.parametrize("name", GENERATORS)
def test_another_seed_gives_other_jobs(name: str) -> None:
    assert generated(name, 2) != generated(name, 1)


def test_the_order_of_hashes_does_not_matter() -> None:
    """Another process hashes texts in another way."""
    code = (
        "import hashlib; from simulator.generators import generated; from simulator.trace_file import written_trace;"
        "print(hashlib.sha256(written_trace(generated('team', 1)).encode()).hexdigest()[:16])"
    )
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == DIGESTS["team"]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_jobs_are_sorted_in_tenths_of_seconds_and_none_is_longer_than_github_allows(
    name: str, seed: int
) -> None:
    trace = generated(name, seed)
    moments = [job.queued_at for job in trace]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    for job in trace:
        assert SHORTEST <= job.duration <= LONGEST
        assert (job.queued_at, job.duration) == (round(job.queued_at, 1), round(job.duration, 1))


def test_each_described_generator_is_there_and_no_other() -> None:
    assert list(GENERATORS) == list(generators._SHAPES)


def test_a_name_that_is_nearly_right_is_told_the_right_one() -> None:
    with pytest.raises(UnknownGenerator, match="There is no generator 'matrx'") as caught:
        generated("matrx", 1)
    assert caught.value.cause == "Did you mean matrix?"
    assert "company" in caught.value.remedy
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_team_has_300_jobs_in_working_hours_several_at_once(seed: int) -> None:
    trace = generated("team", seed)
    assert len(trace) == 300
    assert trace[-1].queued_at < DAY
    assert sum(8 * HOUR <= job.queued_at < 19 * HOUR for job in trace) > 240
    pushes = Counter(job.queued_at for job in trace)
    assert sum(number for number in pushes.values() if number >= 3) > 200
    medians = {
        kind: statistics.median(job.duration for job in trace if job.job == kind)
        for kind in ("lint", "unit", "build", "e2e")
    }
    assert medians == {
        "lint": pytest.approx(40, rel=0.2),
        "unit": pytest.approx(180, rel=0.2),
        "build": pytest.approx(360, rel=0.2),
        "e2e": pytest.approx(720, rel=0.2),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_matrix_is_120_uneven_jobs_every_15_minutes(seed: int) -> None:
    trace = generated("matrix", seed)
    assert Counter(job.queued_at for job in trace) == {900.0 * burst: 120 for burst in range(16)}
    durations = [job.duration for job in trace]
    assert statistics.median(durations) == pytest.approx(240, rel=0.1)
    assert max(durations) > 1500
    assert most_at_once(trace, Assumptions()) < 150


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_company_has_20_000_jobs_a_day_and_fits_into_300_instances(seed: int) -> None:
    trace = generated("company", seed)
    assert len(trace) == 20_000
    assert trace[-1].queued_at < DAY
    assert 170 <= most_at_once(trace, Assumptions()) <= 240
    assert statistics.mean(job.duration for job in trace) == pytest.approx(300, rel=0.1)
    assert len({job.repository for job in trace}) == 40
    hours = Counter(int(job.queued_at // HOUR) for job in trace)
    assert len(hours) == 24
    assert max(hours.values()) > 4 * min(hours.values())


def test_most_jobs_with_heavy_tails_are_short_and_some_take_hours() -> None:
    durations = [job.duration for job in generated("heavy-tails", 1)]
    assert statistics.median(durations) < 180
    assert max(durations) > 2 * HOUR
    assert sum(sorted(durations)[-150:]) > sum(durations) / 4


def test_a_batch_of_the_merge_queue_begins_when_the_one_before_it_has_ended() -> None:
    trace = generated("merge-queue", 1)
    batches: dict[float, list[TraceJob]] = {}
    for job in trace:
        batches.setdefault(job.queued_at, []).append(job)
    assert {len(batch) for batch in batches.values()} == {30}
    assert max(batches) < 6 * HOUR
    for begun, following in zip(batches, list(batches)[1:], strict=False):
        pause = following - begun - max(job.duration for job in batches[begun])
        assert 29.9 <= pause <= 90.1


def test_in_a_retry_storm_200_jobs_fail_and_are_tried_five_times_more_within_minutes() -> None:
    flaky = [job for job in generated("retry-storm", 1) if job.job == "flaky"]
    assert len(flaky) == 200 * 6
    assert sum(job.duration < 30 for job in flaky) == 200 * 5
    assert flaky[-1].queued_at - flaky[0].queued_at < 12 * 60
    assert sum(job.queued_at < flaky[0].queued_at + 61 for job in flaky) > 200


def test_the_night_is_250_jobs_at_two_and_little_else() -> None:
    moments = Counter(job.queued_at for job in generated("night", 1))
    assert moments[2 * HOUR] == 250
    assert moments.total() == 270


def test_a_trickle_is_one_short_job_about_every_ten_minutes() -> None:
    trace = generated("trickle", 1)
    assert 130 < len(trace) < 158
    assert all(60 <= job.duration <= 180 for job in trace)
    assert most_at_once(trace, Assumptions()) == 1


def test_the_public_incident_is_309_jobs_at_once() -> None:
    trace = generated("tsz", 1)
    assert len(trace) == 309
    assert {job.queued_at for job in trace} == {0.0}
    assert all(300 <= job.duration <= 1200 for job in trace)


def test_an_instance_is_needed_from_the_queueing_to_the_end_and_not_a_moment_longer() -> None:
    trace = [
        TraceJob(queued_at=0, duration=82),
        TraceJob(queued_at=99, duration=10),
        TraceJob(queued_at=100, duration=10),
    ]
    assert most_at_once(trace, Assumptions(start=12.0, registration=6.0)) == 2
    assert most_at_once([], Assumptions()) == 0
