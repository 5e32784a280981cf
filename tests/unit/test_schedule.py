"""Schedules: which entry holds at a moment of some place's week, also over midnight and over changes of the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from scaler.core.calendar import ScheduleEntry, WeekSpan
from scaler.core.decide import LOOK_AGAIN_SECONDS, decide
from scaler.core.invariants import violations
from scaler.core.model import Decision, Grant, LeaseState, Limit, Memory, Policy, PoolPolicy, Reason, Seen
from scaler.core.schedule import next_change, pool_at
from tests.factories import NOW, a_cell, a_policy, a_pool, an_open_cell, demand, jobs, lease_seen, seen

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))
# NOW, 1970-01-12 13:46:40 UTC, is a Monday.
NIGHT = ScheduleEntry(span=WeekSpan(zone=UTC, begins=13 * 60, ends=14 * 60), words="night", max=0)


def at(written: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> float:
    """A local time as seconds since the epoch."""
    return datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-11-26T07:59:59", False),
        ("2026-11-26T08:00", True),
        ("2026-11-26T18:59:59", True),
        ("2026-11-26T19:00", False),
        ("2026-11-28T12:00", False),
    ],
)
def test_a_span_holds_from_its_begin_until_before_its_end_on_its_days(moment: str, covered: bool) -> None:
    """26 November 2026 is a Thursday, the 28th a Saturday."""
    office = WeekSpan(zone=BERLIN, days=WEEKDAYS, begins=8 * 60, ends=19 * 60)
    assert office.covers(at(moment)) is covered


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-11-26T21:59", False),
        ("2026-11-26T22:00", True),
        ("2026-11-27T05:59", True),
        ("2026-11-27T06:00", False),
        ("2026-11-28T05:59", True),
        ("2026-11-28T22:00", False),
        ("2026-11-30T05:59", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(moment: str, covered: bool) -> None:
    """Friday's night ends on Saturday morning; there is none from Sunday to Monday."""
    nights = WeekSpan(zone=BERLIN, days=WEEKDAYS, begins=22 * 60, ends=6 * 60)
    assert nights.covers(at(moment)) is covered


def test_office_hours_follow_the_clock_on_the_wall_when_summer_time_begins_and_ends() -> None:
    """08:00 in Berlin is 07:00 UTC in winter and 06:00 UTC in summer."""
    office = WeekSpan(zone=BERLIN, begins=8 * 60, ends=19 * 60)
    utc = ZoneInfo("UTC")
    assert [office.covers(at(f"2026-{day}T06:30", utc)) for day in ("03-28", "03-29", "10-24", "10-25")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_span_that_begins_in_the_hour_that_is_left_out_begins_when_that_hour_would_have() -> None:
    """On 29 March 2026 Berlin's clocks go from 01:59:59 to 03:00."""
    early = WeekSpan(zone=BERLIN, begins=2 * 60 + 30, ends=5 * 60)
    change = at("2026-03-29T03:00")
    assert (early.covers(change - 1.0), early.covers(change)) == (False, True)


def test_a_span_in_the_hour_that_comes_twice_holds_twice() -> None:
    """On 25 October 2026 Berlin has 02:00 to 03:00 two times."""
    early = WeekSpan(zone=BERLIN, begins=2 * 60, ends=2 * 60 + 30)
    moments = [at("2026-10-25T02:10", fold=fold) for fold in (0, 1)]
    assert moments[1] - moments[0] == 3600.0
    assert all(early.covers(moment) for moment in moments)
    assert not early.covers(moments[0] + 1800.0)


def test_of_entries_that_overlap_the_last_one_holds_whole() -> None:
    """What it does not say is what the pool says, not what an earlier entry says."""
    pool = replace(
        a_pool(minimum=1, maximum=8, warm=2),
        schedule=(replace(NIGHT, max=5, warm=3), replace(NIGHT, words="late", max=6)),
    )
    now = pool_at(pool, NOW)
    assert (now.min, now.max, now.warm, now.rule, now.schedule) == (1, 6, 2, "late", ())
    before = pool_at(pool, NOW - 3600.0)
    assert (before.min, before.max, before.warm, before.rule) == (1, 8, 2, "")


def test_a_lower_max_cuts_the_min_and_warm_that_the_entry_leaves_to_the_pool() -> None:
    now = pool_at(replace(a_pool(minimum=1, warm=2), schedule=(NIGHT,)), NOW)
    assert (now.min, now.max, now.warm) == (0, 0, 0)


def test_the_next_change_is_the_minute_in_which_another_entry_begins_to_hold() -> None:
    """The night of this schedule ends at 14:00, which is 800 seconds away."""
    policy = a_policy(replace(a_pool(), schedule=(NIGHT,)))
    assert next_change(policy, after=NOW, until=NOW + 30.0) == NOW + 30.0
    assert next_change(policy, after=NOW, until=NOW + 3600.0) == NOW + 800.0


def decided(pool: PoolPolicy, facts: Seen, memory: Memory | None = None) -> Decision:
    """The decision, which keeps what must always hold."""
    policy: Policy = a_policy(pool)
    decision, _ = decide(policy, facts, memory or Memory())
    assert violations(policy, facts, decision) == []
    return decision


def test_at_night_nothing_grows_and_parked_instances_get_no_job() -> None:
    """Each of the jobs is told as left: those for free instances and those that would need new ones."""
    facts = seen(an_open_cell("a", count=2, parked=2), a_cell("b", size=4), demand=demand(*jobs(5)))
    made = decided(replace(a_pool(), schedule=(NIGHT,)), facts)
    assert (made.grants, made.raises) == ((), ())
    assert made.limits == (
        Limit(pool="linux", reason=Reason.SCHEDULE_ALLOWS_NONE, short=5, detail="schedule night"),
    )
    assert made.pools[0].schedule == "night"


def test_a_night_closes_what_is_idle_after_its_linger_and_never_what_is_busy() -> None:
    idle, busy = an_open_cell("a", count=2, parked=2), an_open_cell("b", count=2, leases=[lease_seen()])
    facts = seen(idle, busy, demand=demand(*jobs(5)))
    memory = Memory(surplus={"a": NOW - 11.0, "b": NOW - 11.0})
    assert [close.cell for close in decided(replace(a_pool(), schedule=(NIGHT,)), facts, memory).closes] == [
        "a"
    ]


def test_a_lower_max_gives_leases_as_far_as_it_reaches() -> None:
    """One runs and three wait parked: under a max of two one more may start."""
    facts = seen(
        an_open_cell("a", count=4, parked=3, leases=[lease_seen(LeaseState.RUNNING)]), demand=demand(*jobs(3))
    )
    made = decided(replace(a_pool(), schedule=(replace(NIGHT, max=2),)), facts)
    assert made.grants == (Grant(cell="a", leases=1, reason=Reason.PARKED_CAN_TAKE),)
    assert made.limits == (Limit(pool="linux", reason=Reason.AT_POOL_MAX, short=2, detail="schedule night"),)


def test_the_decision_looks_again_when_the_schedule_changes() -> None:
    """Ten seconds before the night ends the next look is in ten seconds."""
    facts = seen(at=NOW + 790.0)
    assert decided(replace(a_pool(), schedule=(NIGHT,)), facts).look_again_at == NOW + 800.0
    assert decided(a_pool(), facts).look_again_at == NOW + 790.0 + LOOK_AGAIN_SECONDS


@pytest.mark.parametrize("pause", [Reason.POOL_PAUSED, Reason.DEPLOYMENT_PAUSED])
def test_a_paused_pool_gets_neither_leases_nor_instances_and_says_so(pause: Reason) -> None:
    """Its min and warm are not filled up either."""
    facts = seen(an_open_cell("a", parked=1), a_cell("b"), demand=demand(*jobs(2)))
    made = decided(replace(a_pool(minimum=3), paused=pause), facts)
    assert (made.grants, made.raises) == ((), ())
    assert [(limit.reason, limit.short) for limit in made.limits] == [(pause, 4)]
    assert made.pools[0].paused


def test_a_pause_closes_parked_instances_after_their_linger_though_jobs_wait() -> None:
    facts = seen(
        an_open_cell("a", parked=1),
        an_open_cell("b", leases=[lease_seen()]),
        demand=demand(*jobs(2)),
    )
    made = decided(
        replace(a_pool(), paused=Reason.POOL_PAUSED), facts, Memory(surplus=dict.fromkeys("ab", NOW - 11.0))
    )
    assert [close.cell for close in made.closes] == ["a"]


def test_in_direct_mode_a_pause_and_a_night_end_with_the_jobs_that_run() -> None:
    """A cell that holds no more leases than none gives its instances no further job."""
    busy = an_open_cell("a", count=2, leases=[lease_seen(LeaseState.UNKNOWN)])
    facts = seen(busy, demand=demand(*jobs(5)))
    for pool in (replace(a_pool(), schedule=(NIGHT,)), replace(a_pool(), paused=Reason.POOL_PAUSED)):
        made, _ = decide(a_policy(pool, direct=True), facts, Memory())
        assert made.allowed == {"a": 0}


def test_in_direct_mode_what_comes_free_goes_on_as_far_as_max_allows() -> None:
    cells = [
        an_open_cell(
            name, count=2, leases=[lease_seen(LeaseState.UNKNOWN, lease_id=f"{name}{n}") for n in (1, 2)]
        )
        for name in ("a", "b")
    ]
    made, _ = decide(
        a_policy(a_pool(maximum=3), direct=True), seen(*cells, demand=demand(*jobs(9))), Memory()
    )
    assert made.allowed == {"a": 2, "b": 1}


def test_a_silent_lease_keeps_no_place_under_max_from_a_job() -> None:
    """Its instance may long be replaced, and the lease may stand for hours."""
    gone = lease_seen(LeaseState.SILENT)
    cell = an_open_cell("a", count=1, leases=[gone], parked=1)
    made = decided(a_pool(maximum=1), seen(cell, demand=demand(*jobs(1))))
    assert made.grants == (Grant(cell="a", leases=1, reason=Reason.PARKED_CAN_TAKE),)


def test_in_direct_mode_a_silent_lease_lets_one_more_start_and_not_all_go_on() -> None:
    """One job waits and one place is free: the busy instances get nothing after their jobs."""
    busy = an_open_cell(
        "b", count=2, leases=[lease_seen(LeaseState.UNKNOWN, lease_id=f"b{n}", job_id=n) for n in (8, 9)]
    )
    cell = an_open_cell("a", count=1, leases=[lease_seen(LeaseState.SILENT)])
    made, _ = decide(
        a_policy(a_pool(maximum=3), direct=True), seen(busy, cell, demand=demand(*jobs(1))), Memory()
    )
    assert made.allowed == {"a": 2, "b": 0}
