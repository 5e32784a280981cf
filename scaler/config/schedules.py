"""A pool's schedule: other min, max and warm at some hours of some days. What the hours mean stands in `scaler.core.calendar`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from scaler.config.fields import wrong
from scaler.config.section import Section, relation
from scaler.config.zones import TimeZone, zone_of
from scaler.core.calendar import MINUTES_OF_DAY, ScheduleEntry, WeekSpan

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_REMEDY = (
    "Write days or ranges of days: mon-fri, or [sat, sun]; their names are mon, tue, wed, thu, fri, sat, sun."
)
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_HOURS_REMEDY = "Write two times of day, such as 08:00-19:00, or 22:00-06:00 for a night."


def days_in(words: str) -> frozenset[int]:
    """The days of `mon`, `mon-fri` or `sat, sun`; 0 is Monday, and a range may go over Sunday. Raises ValueError."""
    found: set[int] = set()
    for part in words.lower().split(","):
        first, _, last = part.strip().partition("-")
        begin, end = _DAYS.index(first.strip()), _DAYS.index((last or first).strip())
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def minutes_in(hours: str) -> tuple[int, int]:
    """Begin and end of `08:00-19:00` in minutes after midnight; 24:00 is the end of the day. Raises ValueError."""
    match = _HOURS.fullmatch(hours)
    if match is None:
        raise ValueError("it is not a span of hours")
    begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
    begin, end = 60 * begin_hour + begin_minute, 60 * end_hour + end_minute
    if max(begin_minute, end_minute) > 59 or begin >= MINUTES_OF_DAY or end > MINUTES_OF_DAY:
        raise ValueError("there is no such time of day")
    if begin == end:
        raise ValueError("it ends where it begins")
    return begin, end


def _days(value: Any) -> Any:
    """A list is as good as its entries in one line."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    if not isinstance(value, str):
        raise wrong("it does not name days", _DAYS_REMEDY)
    try:
        days_in(value)
    except ValueError:
        raise wrong("it does not name days", _DAYS_REMEDY) from None
    return value.lower()


def _hours(value: str) -> str:
    try:
        minutes_in(value)
    except ValueError as error:
        remedy = f"{_HOURS_REMEDY} Leave hours out for the whole day."
        raise wrong(str(error), remedy) from None
    return value


Days = Annotated[str, BeforeValidator(_days)]
Hours = Annotated[str, AfterValidator(_hours)]


class ScheduleSection(Section):
    days: Days = Field(
        "mon-sun", description="On which days: `mon-fri`, `sat`, or a list such as `[mon, wed-fri]`"
    )
    hours: Hours = Field(
        "00:00-24:00",
        description="At which hours: `08:00-19:00`; `22:00-06:00` goes over midnight and belongs to the day on which it begins",
    )
    timezone: TimeZone | None = Field(
        None, description="Whose clock: a name such as `Europe/Berlin`; default: the `timezone` at the top"
    )
    min: int | None = Field(None, ge=0, le=1000, description="`min` at that time; default: the pool's own")
    max: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="`max` at that time, 0 for none; a lower one stops no job and closes no busy cell; default: the pool's own",
    )
    warm: int | None = Field(None, ge=0, le=1000, description="`warm` at that time; default: the pool's own")

    def relations(self) -> Iterator[dict[str, str]]:
        if self.min is None and self.max is None and self.warm is None:
            yield relation("days", "the entry changes nothing", "Write min, max or warm.")

    def entry(self, timezone: str) -> ScheduleEntry:
        """The entry for the decision core. `timezone`: of the deployment, where the entry names none."""
        name = self.timezone or timezone
        zone: tzinfo = zone_of(name)
        begins, ends = minutes_in(self.hours)
        return ScheduleEntry(
            span=WeekSpan(zone=zone, days=days_in(self.days), begins=begins, ends=ends),
            words=f"{self.days} {self.hours} {name}",
            min=self.min,
            max=self.max,
            warm=self.warm,
        )
