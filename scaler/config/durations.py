"""Durations as people write them: `90s`, `5m`, `1h30m`, `250ms`, `2d`. PURE."""

import re
from datetime import timedelta

FORMS = "a number with a unit, such as 30s, 5m, 6h, 1h30m or 250ms"
_UNIT_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|[dhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
# Longer than anything here can mean: GitHub ends a job after five days, a workflow run after 35.
_LONGEST = timedelta(days=35)


def parsed_duration(text: str) -> timedelta:
    """The duration. Raises ValueError for anything that is not one, units out of order or repeated included."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("it is not a duration")
    parts = [(float(number), unit) for number, unit in _PART.findall(text)]
    units = [unit for _, unit in parts]
    if units != [unit for unit in _UNIT_SECONDS if unit in units]:
        raise ValueError("units go from large to small, each once")
    duration = timedelta(seconds=sum(number * _UNIT_SECONDS[unit] for number, unit in parts))
    if duration > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST.days} days")
    return duration


def written(duration: timedelta) -> str:
    """The shortest of our ways to write it; `parsed_duration` reads it back."""
    rest = round(duration / timedelta(milliseconds=1))
    parts = []
    for unit, seconds in _UNIT_SECONDS.items():
        count, rest = divmod(rest, round(seconds * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
