"""Which jobs of a trace a configuration's pools serve, the cells that they get, and the floor that stays one."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from scaler.core.calendar import ScheduleEntry, WeekSpan
from scaler.core.model import Policy, PoolPolicy
from simulator.assumptions import Assumptions
from simulator.cells.layout import default_sizes
from simulator.errors import TraceUnusable
from simulator.fitting import assumed_of_floor, cells_of, check_spans, fitting
from simulator.policies import simulate
from simulator.trace import TraceJob

BERLIN = ZoneInfo("Europe/Berlin")

LINUX = PoolPolicy(name="linux", labels=frozenset({"self-hosted", "linux"}), max=10)
LARGE = PoolPolicy(name="large", labels=frozenset({"self-hosted", "linux", "large"}), max=4, min=1, warm=2)


def job(*labels: str, queued_at: float = 0.0, duration: float = 60.0) -> TraceJob:
    return TraceJob(queued_at=queued_at, duration=duration, labels=frozenset(labels))


def test_each_job_goes_to_the_pool_that_the_scaler_would_take_and_others_are_counted() -> None:
    trace = [job("linux"), job("large", queued_at=1.0), job("gpu"), job("linux", queued_at=2.0), job("gpu")]
    found = fitting(trace, (LINUX, LARGE))
    assert found.traces == {"linux": [trace[0], trace[3]], "large": [trace[1]]}
    assert found.trace == (trace[0], trace[1], trace[3])
    assert found.left_out == {frozenset({"gpu"}): 2}


def test_a_trace_without_a_job_for_any_pool_is_told_with_its_labels() -> None:
    with pytest.raises(TraceUnusable, match="no job of the trace fits a pool") as told:
        fitting([job("gpu"), job("gpu", "arm")], (LINUX,))
    assert told.value.cause == "the jobs ask for gpu (1), arm;gpu (1)"
    assert told.value.exit_code == 30


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (job("a", queued_at=1_790_000_000.0), "the trace is 20718 days long; a simulation takes 400 at most"),
        (job("a", duration=1e12), "a job of the trace takes 11574074.1 days"),
    ],
)
def test_a_trace_that_would_take_for_ever_is_refused(wrong: TraceJob, words: str) -> None:
    with pytest.raises(TraceUnusable, match=words):
        check_spans([wrong])


def test_a_trace_of_the_longest_span_and_job_is_taken() -> None:
    check_spans([job("a", queued_at=400 * 86_400.0, duration=5 * 86_400.0)])


def scheduled(pool: PoolPolicy, **bounds: int) -> PoolPolicy:
    """The pool with other bounds on weekdays from eight to six in Berlin."""
    span = WeekSpan(zone=BERLIN, days=frozenset(range(5)), begins=8 * 60, ends=18 * 60)
    return replace(pool, schedule=(ScheduleEntry(span=span, words="office", **bounds),))


def test_cells_are_shared_evenly_and_hold_the_greatest_max_of_a_schedule() -> None:
    policy = Policy(pools=(scheduled(LINUX, max=50), LARGE), max_instances=300, settle_seconds=80.0)
    found = cells_of(policy, Assumptions(max_cells=21))
    assert found == {"linux": default_sizes(50, 10), "large": default_sizes(4, 10)}
    assert len(found["linux"]) == 10
    assert sum(found["linux"]) >= 60


def test_the_floor_shares_the_instances_of_all_pools_and_what_they_ever_keep_idle() -> None:
    policy = Policy(pools=(scheduled(LINUX, warm=5), LARGE), max_instances=12, settle_seconds=80.0)
    found = assumed_of_floor(policy, Assumptions())
    assert (found.max_runners, found.warm) == (12, 7)


@pytest.mark.parametrize("policy", ["cells", "one-per-cell"])
def test_a_schedule_warms_a_pool_at_its_hour_counted_from_the_beginning_of_the_trace(policy: str) -> None:
    """At 07:30 UTC of a Monday in winter it is 08:30 in Berlin: the job meets a parked instance and waits for the
    registration alone. From a Saturday on nothing is warm, though the trace is the same.
    """
    pools = Policy(pools=(scheduled(LINUX, warm=2),), max_instances=10, settle_seconds=80.0)
    trace = [job("linux", queued_at=7.5 * 3600)]
    monday, saturday = 1_795_392_000.0, 1_795_392_000.0 - 2 * 86_400.0
    warm, cold = (
        simulate(policy, trace, Assumptions(), pools=pools, begins_at=begins) for begins in (monday, saturday)
    )
    assert 6.0 <= warm.waits[0] < 8.0
    assert cold.waits[0] > 16.0
    assert warm.completed == cold.completed == 1
