"""Schedules and pauses in the configuration: what is told of a wrong one, word for word, and what a right one means."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo, reset_tzpath

import pytest

from scaler.assembly import policy_of
from scaler.config.schedules import days_in, minutes_in
from scaler.core.calendar import ScheduleEntry, WeekSpan
from scaler.core.model import Reason
from tests.config_text import SMALLEST, config_from, told

NO_DAYS = (
    "Write days or ranges of days: mon-fri, or [sat, sun]; their names are mon, tue, wed, thu, fri, sat, sun."
)
NO_HOURS = (
    "Write two times of day, such as 08:00-19:00, or 22:00-06:00 for a night. "
    "Leave hours out for the whole day."
)
NO_ZONE = "it is not a time zone that this machine knows"


def scheduled(entry: str) -> str:
    """The smallest configuration with one entry in the pool's schedule."""
    return SMALLEST + f"    schedule:\n      - {entry}\n"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("{days: monday, max: 1}", f"days: it does not name days (given: 'monday'). {NO_DAYS}"),
        ("{days: [mon, 2], max: 1}", f"days: it does not name days (given: a list). {NO_DAYS}"),
        ("{hours: 8-19, max: 1}", f"hours: it is not a span of hours (given: '8-19'). {NO_HOURS}"),
        (
            "{hours: 08:00-25:00, max: 1}",
            f"hours: there is no such time of day (given: '08:00-25:00'). {NO_HOURS}",
        ),
        (
            "{hours: 08:00-08:00, max: 1}",
            f"hours: it ends where it begins (given: '08:00-08:00'). {NO_HOURS}",
        ),
        (
            "{timezone: Europe/Berln, max: 1}",
            f"timezone: {NO_ZONE} (given: 'Europe/Berln'). Did you mean Europe/Berlin?",
        ),
        (
            "{timezone: ../etc/passwd, max: 1}",
            f"timezone: {NO_ZONE} (given: '../etc/passwd'). Write a name such as Europe/Berlin or UTC.",
        ),
        ("{days: sat}", "days: the entry changes nothing. Write min, max or warm."),
        (
            "{days: sat, warm: 4}",
            "warm: warm 4 is more than the max 3 of that time. Lower warm or raise max.",
        ),
        ("{days: sat, maxx: 4}", "maxx: there is no such key. Did you mean max?"),
    ],
)
def test_each_mistake_in_a_schedule_is_told_with_its_remedy(tmp_path: Path, entry: str, line: str) -> None:
    assert told(tmp_path, scheduled(entry)) == [f"rp.yaml:17: pools[0].schedule[0].{line}"]


def test_a_machine_without_time_zone_data_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UTC needs no data."""
    for name in ("tzdata", *(name for name in sys.modules if name.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        assert config_from(tmp_path, SMALLEST + "timezone: UTC\n").timezone == "UTC"
        (line,) = told(tmp_path, SMALLEST + "timezone: Europe/Berlin\n")
    finally:
        reset_tzpath()
    assert line == (
        "rp.yaml:16: timezone: this machine has no time zone data (given: 'Europe/Berlin'). Install the system's "
        "package tzdata (slim images may lack it), or write UTC, which needs none."
    )


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat", {5}),
        ("sat, sun", {5, 6}),
        ("Fri-Mon", {4, 5, 6, 0}),
        ("mon-sun", set(range(7))),
    ],
)
def test_days_are_names_and_ranges_and_a_range_may_go_over_sunday(written: str, days: set[int]) -> None:
    assert days_in(written) == days


def test_hours_are_minutes_after_midnight_and_24_00_is_the_end_of_the_day() -> None:
    assert (minutes_in("08:00-19:30"), minutes_in("22:00-06:00")) == ((480, 1170), (1320, 360))
    assert minutes_in("00:00-24:00") == (0, 1440)


def test_a_schedule_reaches_the_decision_with_the_clock_of_the_entry_or_of_the_deployment(
    tmp_path: Path,
) -> None:
    """Days and hours that are left out are all days and the whole day."""
    text = SMALLEST + (
        "    schedule:\n"
        "      - {days: [mon, wed-fri], hours: 08:00-19:00, warm: 2}\n"
        "      - {timezone: Asia/Tokyo, max: 0}\n"
        "timezone: Europe/Berlin\n"
    )
    (pool,) = policy_of(config_from(tmp_path, text)).pools
    assert pool.schedule == (
        ScheduleEntry(
            span=WeekSpan(
                zone=ZoneInfo("Europe/Berlin"), days=frozenset({0, 2, 3, 4}), begins=480, ends=1140
            ),
            words="mon, wed-fri 08:00-19:00 Europe/Berlin",
            warm=2,
        ),
        ScheduleEntry(
            span=WeekSpan(zone=ZoneInfo("Asia/Tokyo")), words="mon-sun 00:00-24:00 Asia/Tokyo", max=0
        ),
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", None),
        ("    paused: true\n", Reason.POOL_PAUSED),
        ("paused: true\n", Reason.DEPLOYMENT_PAUSED),
        ("    paused: true\npaused: true\n", Reason.DEPLOYMENT_PAUSED),
    ],
)
def test_a_pause_is_the_pools_or_the_deployments(tmp_path: Path, lines: str, reason: Reason | None) -> None:
    assert [pool.paused for pool in policy_of(config_from(tmp_path, SMALLEST + lines)).pools] == [reason]
