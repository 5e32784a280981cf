"""The alerts look at lines that the real scaler writes: its own lines go through the filters of the metrics."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from github_api.values import RunnerDeprecation
from scaler.core.model import Decision, PoolPicture
from scaler.lease_ends import LeaseEnded, LeaseOutcome, StopCause
from scaler.observability import Journal, set_up_logging
from tests.deploy import tree
from tests.deploy.log_filter import comparisons, field, matches
from tests.deploy.terraform_program import Terraform
from tests.factories import NOW
from tests.scaler_parts import a_picture, a_tick

Told = Callable[[Callable[[Journal], None]], list[dict[str, Any]]]
RESOURCE = {"type": "cloud_run_revision", "labels": {"service_name": "ci-scaler"}}
METRICS = [
    each.name for each in tree.folder("modules/scaler").resources if each.type == "google_logging_metric"
]
CLOCKS = {"failed_calls"}  # a figure from the log of Cloud Scheduler, not from the scaler's


@pytest.fixture(scope="module")
def made(terraform: Terraform) -> dict[str, dict[str, Any]]:
    """Every resource of the scaler that Terraform would make: address -> values."""
    state = terraform.states("modules/scaler")["one_instance_is_always_there"]
    return {each["address"]: each["values"] for each in state["root_module"]["resources"]}


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """Hands a real journal on, and gives what Cloud Logging makes of its lines: JSON on standard error is jsonPayload."""
    before = structlog.get_config()

    def lines(act: Callable[[Journal], None]) -> list[dict[str, Any]]:
        set_up_logging(terminal=False)
        act(Journal())
        return [
            {"resource": RESOURCE, "jsonPayload": json.loads(line)}
            for line in capsys.readouterr().err.splitlines()
        ]

    yield lines
    structlog.configure(**before)


def taken(made: dict[str, dict[str, Any]], metric: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if matches(made[f"google_logging_metric.{metric}"]["filter"], line)]


def extracted(made: dict[str, dict[str, Any]], metric: str, line: dict[str, Any]) -> Any:
    expression = made[f"google_logging_metric.{metric}"]["value_extractor"]
    return field(line, re.fullmatch(r"EXTRACT\((.+)\)", expression)[1])  # type: ignore[index]


def pools(*pictures: PoolPicture) -> Decision:
    return Decision(pools=pictures, look_again_at=NOW + 30.0)


def an_end(outcome: LeaseOutcome, cause: StopCause | None = None) -> LeaseEnded:
    return LeaseEnded(
        pool="linux",
        cell="ci-linux-1",
        lease="lease-1",
        outcome=outcome,
        cause=cause,
        why="so it was",
        job="build",
    )


def test_a_tick_of_the_leader_is_counted_and_carries_both_figures(
    made: dict[str, dict[str, Any]], told: Told
) -> None:
    picture = replace(a_picture(queued=1, oldest=901.5), wanted=4, observed=1)
    lines = told(lambda journal: journal.ticked(a_tick(pools(picture))))
    assert len(taken(made, "ticks", lines)) == 1
    for metric, expected in (("oldest_queued", 901.5), ("missing_instances", 3)):
        (line,) = taken(made, metric, lines)
        assert extracted(made, metric, line) == expected
        assert not isinstance(extracted(made, metric, line), str)


def test_a_quiet_tick_says_zero_and_not_nothing(made: dict[str, dict[str, Any]], told: Told) -> None:
    (line,) = told(lambda journal: journal.ticked(a_tick(pools())))
    for metric in ("oldest_queued", "missing_instances"):
        assert [extracted(made, metric, each) for each in taken(made, metric, [line])] == [0]


def test_a_process_that_does_not_lead_is_no_sign_of_life(made: dict[str, dict[str, Any]], told: Told) -> None:
    lines = told(lambda journal: journal.ticked(a_tick(leads=False)))
    assert len(lines) == 1
    assert taken(made, "ticks", lines) == []


def test_a_lost_lease_is_counted_under_its_pool_and_no_other_is(
    made: dict[str, dict[str, Any]], told: Told
) -> None:
    def act(journal: Journal) -> None:
        journal.ended(an_end(LeaseOutcome.LOST, StopCause.EXTERNAL))
        journal.removed(an_end(LeaseOutcome.LOST, StopCause.EXTERNAL))
        journal.concluded(an_end(LeaseOutcome.LOST, StopCause.EXTERNAL))
        journal.ended(an_end(LeaseOutcome.FINISHED))
        journal.removed(an_end(LeaseOutcome.PREEMPTED, StopCause.PREEMPTED))

    lost = taken(made, "lost", told(act))
    assert [line["jsonPayload"]["message"] for line in lost] == ["lease_ended", "lease_removed"]
    labels = made["google_logging_metric.lost"]["label_extractors"]
    assert [field(lost[0], path[len("EXTRACT(") : -1]) for path in labels.values()] == ["linux"]


def test_a_runner_version_that_ends_within_a_week_is_counted_under_its_pool(
    made: dict[str, dict[str, Any]], told: Told
) -> None:
    def act(journal: Journal) -> None:
        for pool, days in (("old", 3), ("fresh", 30)):
            end = time.time() + days * 86_400
            journal.runner_version(
                pool, RunnerDeprecation(version="2.330.0", registers_until=end, gets_jobs_until=end)
            )

    (line,) = taken(made, "runner_ends", told(act))
    labels = made["google_logging_metric.runner_ends"]["label_extractors"]
    assert [field(line, path[len("EXTRACT(") : -1]) for path in labels.values()] == ["old"]


def test_a_line_of_another_service_is_not_ours(made: dict[str, dict[str, Any]], told: Told) -> None:
    (line,) = told(lambda journal: journal.ticked(a_tick()))
    line["resource"]["labels"] = {"service_name": "another"}
    assert taken(made, "ticks", [line]) == []


@pytest.mark.parametrize(("severity", "counted"), [("ERROR", 1), ("INFO", 0)])
def test_a_call_of_the_clock_that_failed_is_counted_and_one_that_was_answered_is_not(
    severity: str, counted: int, made: dict[str, dict[str, Any]]
) -> None:
    name = made["google_cloud_scheduler_job.tick[0]"]["name"]
    lines = [
        {"severity": severity, "resource": {"type": "cloud_scheduler_job", "labels": {"job_id": job}}}
        for job in (name, "another")
    ]
    assert taken(made, "failed_calls", lines) == lines[:counted]


def test_each_figure_that_a_filter_names_stands_in_a_real_line(
    made: dict[str, dict[str, Any]], told: Told
) -> None:
    def act(journal: Journal) -> None:
        journal.ticked(a_tick())
        journal.ended(an_end(LeaseOutcome.LOST, StopCause.EXTERNAL))
        journal.runner_version(
            "linux", RunnerDeprecation(version="2", registers_until=0.0, gets_jobs_until=0.0)
        )

    lines = told(act)
    assert set(METRICS) > CLOCKS
    for metric in sorted(set(METRICS) - CLOCKS):
        for path, _, wanted in comparisons(made[f"google_logging_metric.{metric}"]["filter"]):
            kinds = {type(field(line, path)) for line in lines if field(line, path) is not None}
            assert kinds, f"{metric}: no line of the scaler has {path}"
            assert kinds <= ({int, float} if isinstance(wanted, float) else {type(wanted)}), (metric, path)


def test_each_metric_has_an_alert_that_looks_at_it_by_its_full_name(made: dict[str, dict[str, Any]]) -> None:
    filters = [
        condition[kind][0]["filter"]
        for address, values in made.items()
        if address.startswith("google_monitoring_alert_policy.")
        for condition in values["conditions"]
        for kind in ("condition_threshold", "condition_absent")
        if condition[kind]
    ]
    for metric in METRICS:
        name = made[f"google_logging_metric.{metric}"]["name"]
        assert any(f'metric.type="logging.googleapis.com/user/{name}"' in each for each in filters), name
