"""What a process tells: one line per change, severities, waits, and the numbers of /status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from scaler.core.model import Close, Decision, Grant, Limit, PoolPicture, Raise, Reason
from scaler.demand_watch import StartedJob
from scaler.lease_ends import LeaseEnded, LeaseOutcome, StopCause
from scaler.observability import QUIETEST_SECONDS, WAITS_KEPT, Journal, Waits, set_up_logging
from scaler.reconciler import TickRecord
from tests.factories import NOW, a_cell, an_open_cell, lease_seen, seen
from tests.scaler_parts import a_picture, a_tick

EVERYTHING = Decision(
    grants=(Grant(cell="a", leases=2, reason=Reason.PARKED_CAN_TAKE),),
    raises=(Raise(cell="b", to=4, reason=Reason.QUEUED_JOBS),),
    closes=(Close(cell="c", reason=Reason.SURPLUS),),
    limits=(Limit(pool="linux", reason=Reason.AT_POOL_MAX, short=3, detail="max is 10"),),
    pools=(a_picture(),),
    look_again_at=NOW + 30.0,
)


def a_start(job: int = 1, *, waited: float = 5.0, runner: int = 41) -> StartedJob:
    return StartedJob(job_id=job, runner_id=runner, created_at=NOW, started_at=NOW + waited)


def an_end(outcome: LeaseOutcome, *, pool: str = "linux", cause: StopCause | None = None) -> LeaseEnded:
    return LeaseEnded(
        pool=pool, cell="linux-a", lease="lease-1", outcome=outcome, cause=cause, why="so it was", job="build"
    )


def lines(journal: Journal, *ticks: TickRecord) -> list[dict[str, Any]]:
    """What is logged for these ticks."""
    with capture_logs() as logged:
        for tick in ticks:
            journal.ticked(tick)
    return [dict(line) for line in logged]


def with_picture(picture: PoolPicture) -> TickRecord:
    return a_tick(Decision(pools=(picture,), look_again_at=NOW + 30.0))


@pytest.mark.parametrize(
    ("waits", "share", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.5, 7.0),
        ([7.0], 0.95, 7.0),
        ([1.0, 9.0], 0.5, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 101)), 0.5, 50.0),
        (list(range(1, 101)), 0.95, 95.0),
        (list(range(1, 21)), 0.95, 19.0),
        ([1.26, 5.0, 6.0], 0.01, 1.3),
    ],
)
def test_a_percentile_is_the_smallest_wait_that_so_many_did_not_exceed(
    waits: list[float], share: float, expected: float | None
) -> None:
    kept = Waits()
    for job, wait in enumerate(waits):
        kept.take("linux", a_start(job, waited=wait))
    assert kept.percentile("linux", share) == expected


def test_a_job_that_is_seen_again_counts_once() -> None:
    """Each reading shows a running job anew."""
    kept = Waits()
    for _ in range(9):
        kept.take("linux", a_start(1, waited=1.0))
    kept.take("linux", a_start(2, waited=9.0))
    assert kept.percentile("linux", 0.5) == 1.0


def test_waits_are_of_the_last_jobs_of_the_pool() -> None:
    kept = Waits()
    for job in range(WAITS_KEPT):
        kept.take("linux", a_start(job, waited=100.0))
    for job in range(WAITS_KEPT, 2 * WAITS_KEPT):
        kept.take("linux", a_start(job, waited=1.0))
    assert kept.percentile("linux", 1.0) == 1.0
    assert kept.percentile("gpu", 1.0) is None


def test_a_start_before_its_queueing_is_no_negative_wait() -> None:
    """GitHub's two moments are rounded apart."""
    kept = Waits()
    kept.take("linux", a_start(waited=-1.0))
    assert kept.percentile("linux", 0.5) == 0.0


def test_a_tick_is_one_line_with_numbers_and_reasons() -> None:
    (line,) = lines(Journal(), a_tick(EVERYTHING, faults={"cloud_run": "no answer"}))
    assert (line["event"], line["log_level"], line["leads"]) == ("tick", "info", True)
    assert line["actions"] == [
        f"grant 2 in a: {Reason.PARKED_CAN_TAKE.value}",
        f"raise b to 4: {Reason.QUEUED_JOBS.value}",
        f"close c: {Reason.SURPLUS.value}",
        f"linux is 3 short: {Reason.AT_POOL_MAX.value} (max is 10)",
    ]
    assert line["faults"] == {"cloud_run": "no answer"}
    assert line["pools"][0]["observed"] == 2


def test_a_ticks_line_totals_what_alerts_watch() -> None:
    """Over the pools that may start something now: the oldest job, and what is wanted and not there."""
    pools = (
        a_picture("linux", queued=1, oldest=12.34),
        replace(a_picture("gpu", queued=1, oldest=99.96), wanted=5, observed=1),
        replace(a_picture("spare"), wanted=0, observed=7),
        replace(a_picture("paused", queued=1, oldest=5000.0), paused=True, wanted=50),
        replace(a_picture("night", queued=1, oldest=6000.0), max=0, wanted=50),
    )
    (line,) = lines(Journal(), a_tick(Decision(pools=pools, look_again_at=NOW + 30.0)))
    assert (line["oldest_queued_seconds"], line["missing_instances"]) == (100.0, 1 + 4)


def test_a_ticks_line_without_queue_and_pools_totals_zero() -> None:
    """An absent figure would be an alert's missing data, not its all-clear."""
    (line,) = lines(Journal(), a_tick(Decision(look_again_at=NOW + 30.0)))
    assert (line["oldest_queued_seconds"], line["missing_instances"]) == (0.0, 0)


def test_a_tick_like_the_one_before_is_no_line() -> None:
    journal = Journal()
    later = replace(a_tick(), at=NOW + 10.0)
    assert [line["event"] for line in lines(journal, a_tick(), a_tick(), later)] == ["tick"]


def test_the_age_of_the_oldest_job_alone_makes_no_line() -> None:
    """It moves at each tick; a queue that stands would fill the log."""
    ticks = [with_picture(a_picture(queued=1, oldest=age)) for age in (1.0, 2.0, 3.0)]
    assert len(lines(Journal(), *ticks)) == 1


def test_a_tick_like_the_one_before_is_told_again_after_a_minute() -> None:
    """A job that waits and waits is news."""
    journal = Journal()
    first = with_picture(a_picture())
    later = [
        replace(first, at=first.at + seconds)
        for seconds in (QUIETEST_SECONDS - 1, QUIETEST_SECONDS, QUIETEST_SECONDS + 1)
    ]
    assert len(lines(journal, first, *later)) == 2


@pytest.mark.parametrize(
    "changed",
    [
        with_picture(a_picture(queued=1)),
        with_picture(replace(a_picture(), observed=1)),
        with_picture(a_picture("gpu")),
        a_tick(faults={"linux-a": "it is in automatic scaling"}),
        a_tick(leads=False),
        a_tick(EVERYTHING),
    ],
    ids=["queued", "observed", "pool", "fault", "lead", "decision"],
)
def test_a_tick_that_differs_is_a_line_and_so_is_the_way_back(changed: TickRecord) -> None:
    assert len(lines(Journal(), a_tick(), changed, changed, a_tick())) == 3


def test_a_process_that_does_not_lead_tells_no_actions() -> None:
    """It did nothing of what it would have decided."""
    (line,) = lines(Journal(), a_tick(EVERYTHING, leads=False))
    assert (line["leads"], line["actions"]) == (False, [])


@pytest.mark.parametrize("outcome", LeaseOutcome)
def test_the_end_of_a_lease_is_a_line_and_a_warning_when_a_job_was_stopped(outcome: LeaseOutcome) -> None:
    with capture_logs() as logged:
        Journal().ended(an_end(outcome))
    calm = outcome in (LeaseOutcome.FINISHED, LeaseOutcome.UNUSED)
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("lease_ended", "info" if calm else "warning")
    assert (line["outcome"], line["why"], line["job"]) == (outcome.value, "so it was", "build")
    assert line["cause"] is None


def test_ends_are_counted_by_pool_and_outcome_whoever_witnessed_them() -> None:
    journal = Journal()
    with capture_logs() as logged:
        journal.ended(an_end(LeaseOutcome.FINISHED))
        journal.ended(an_end(LeaseOutcome.LOST))
        journal.ended(an_end(LeaseOutcome.LOST, pool="gpu"))
        journal.removed(an_end(LeaseOutcome.LOST))
    assert (logged[-1]["event"], logged[-1]["log_level"]) == ("lease_removed", "warning")
    numbers = journal.pool_numbers(a_picture())
    assert (numbers["lost"], numbers["ended"]) == (2, {"finished": 1, "lost": 2})


def test_a_stopped_job_is_told_with_all_that_is_known_of_it() -> None:
    """Who looks for it needs its id, its repository and GitHub's word, in one line."""
    told = replace(
        an_end(LeaseOutcome.LOST, cause=StopCause.EXTERNAL),
        runner="linux-a-5f0c",
        job_id=70,
        repository="acme/widgets",
        result="Failed",
        conclusion="failure",
    )
    with capture_logs() as logged:
        Journal().removed(told)
    facts = {key: value for key, value in logged[0].items() if key not in ("event", "log_level")}
    assert facts == {**asdict(told), "outcome": "lost", "cause": "external"}


def test_stopped_jobs_are_counted_by_their_cause() -> None:
    journal = Journal()
    with capture_logs():
        journal.ended(an_end(LeaseOutcome.FINISHED, cause=StopCause.USER))
        journal.ended(an_end(LeaseOutcome.PREEMPTED, cause=StopCause.PREEMPTED))
        journal.removed(an_end(LeaseOutcome.PREEMPTED, cause=StopCause.PREEMPTED))
        journal.ended(an_end(LeaseOutcome.PREEMPTED))
    assert journal.pool_numbers(a_picture())["stopped"] == {"user": 1, "preempted": 2}


def test_only_jobs_on_our_own_runners_count_as_waits() -> None:
    """A repository may have other runners beside ours."""
    journal = Journal()
    lease = replace(lease_seen(), runner_id=41)
    lines(journal, a_tick(None, an_open_cell(leases=[lease])))
    journal.started(a_start(1, waited=4.0, runner=41))
    journal.started(a_start(2, waited=400.0, runner=42))
    assert journal.pool_numbers(a_picture())["wait_p95_seconds"] == 4.0


def test_a_wait_counts_when_the_lease_has_already_left_the_record() -> None:
    """The reading that shows the job may come after its end."""
    journal = Journal()
    lease = replace(lease_seen(), runner_id=41)
    lines(journal, a_tick(None, an_open_cell(leases=[lease])), a_tick())
    journal.started(a_start(waited=4.0))
    assert journal.pool_numbers(a_picture())["wait_p50_seconds"] == 4.0


def test_status_before_the_first_tick_says_that_nothing_is_known() -> None:
    status = Journal().status(demand_faults={"installation": "no answer"})
    assert (status["ready"], status["ticks"], status["faults"]) == (False, 0, {"installation": "no answer"})


def test_status_holds_pools_cells_limits_and_faults_of_the_last_tick() -> None:
    journal = Journal()
    observed = seen(
        an_open_cell("a", count=2, leases=[lease_seen()], parked=1),
        a_cell("b", observed=None, fault="why"),
        an_open_cell("c", parked=1),
    )
    tick = a_tick(EVERYTHING, observed=observed, faults={"b": "why"})
    lines(journal, a_tick(), tick)
    status = json.loads(json.dumps(journal.status(demand_faults={"acme/bad": "hidden"})))
    assert (status["ready"], status["ticks"], status["at"], status["leads"]) == (True, 2, NOW, True)
    assert status["pools"][0] == {
        "pool": "linux",
        "oldest_queued_seconds": None,
        "wait_p50_seconds": None,
        "wait_p95_seconds": None,
        "queued": 0,
        "parked": 1,
        "booting": 1,
        "leased": 1,
        "wanted": 3,
        "requested": 3,
        "observed": 2,
        "min": 0,
        "max": 10,
        "warm": 0,
        "schedule": "",
        "paused": False,
        "lost": 0,
        "ended": {},
        "stopped": {},
    }
    first, second, _ = status["cells"]
    assert (first["cell"], first["state"], first["observed"], first["leased"]) == ("a", "open", 2, 1)
    assert (second["cell"], second["observed"], second["fault"]) == ("b", None, "why")
    assert status["limits"] == [
        {"pool": "linux", "short": 3, "reason": Reason.AT_POOL_MAX.value, "detail": "max is 10"}
    ]
    assert status["decided"][0].startswith("offer 2 leases in cell a: ")
    assert len(status["decided"]) == 4
    assert status["faults"] == {"b": "why", "acme/bad": "hidden"}
    assert journal.last is tick


@pytest.fixture
def plain_structlog() -> Iterator[None]:
    """The configuration of logging as other tests expect it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("plain_structlog")
def test_lines_for_cloud_logging_are_json_with_severity_and_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(terminal=False)
    Journal().said("records_unavailable", warning=True, what="the disk is full")
    Journal().said("leading", who="me")
    warning, info = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (warning["severity"], warning["message"]) == ("WARNING", "records_unavailable")
    assert (info["severity"], info["who"]) == ("INFO", "me")
    assert warning["time"].endswith("Z")


@pytest.mark.usefixtures("plain_structlog")
def test_lines_on_a_terminal_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(terminal=True)
    Journal().said("leading", who="me")
    printed = capsys.readouterr().err
    assert "leading" in printed
    assert not printed.startswith("{")
