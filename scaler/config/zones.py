"""Time zones by name. They are read from the machine's own data, which a slim image may lack; UTC needs none."""

from __future__ import annotations

import difflib
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from scaler.config.fields import wrong


def zone_of(name: str) -> tzinfo:
    """The time zone. Raises ValueError when there is none of that name, or no data about any."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(name) from None


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except ValueError:
        known = available_timezones()
        if not known:
            raise wrong(
                "this machine has no time zone data",
                "Install the system's package tzdata (slim images may lack it), or write UTC, which needs none.",
            ) from None
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        remedy = f"Did you mean {near[0]}?" if near else "Write a name such as Europe/Berlin or UTC."
        raise wrong("it is not a time zone that this machine knows", remedy) from None
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]
