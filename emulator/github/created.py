"""The `created` filter of a list of runs: GitHub's search syntax for dates. Pure.

https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from emulator.github.refusals import RestRefusal

WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?")
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)


def created_filter(text: str) -> Callable[[float], bool]:
    """Whether a moment (seconds since the epoch) is in the range that `text` writes.

    `>=M`, `>M`, `<=M`, `<M`, `M..N`, `M..*`, `*..N` and `M`, where M is a day or a moment; a day stands for all of it, in
    UTC unless it says otherwise. GitHub shows moments in whole seconds and compares those. Raises `RestRefusal` 400 for
    anything else; what GitHub makes of nonsense is not documented.
    """
    first, last = _bounds(text)
    return lambda moment: first <= int(moment) <= last


def _bounds(text: str) -> tuple[float, float]:
    for sign in (">=", "<=", ">", "<"):
        if text.startswith(sign):
            first, last = _span(text.removeprefix(sign))
            return {
                ">=": (first, math.inf),
                ">": (last + 1, math.inf),
                "<=": (-math.inf, last),
                "<": (-math.inf, first - 1),
            }[sign]
    begins, dots, ends = text.partition("..")
    if not dots:
        return _span(text)
    first = -math.inf if begins == "*" else _span(begins)[0]
    last = math.inf if ends == "*" else _span(ends)[1]
    return first, last


def _span(text: str) -> tuple[float, float]:
    """The first and the last second of a day or of a moment."""
    if WRITTEN.fullmatch(text) is None:
        raise _nonsense(text)
    try:
        moment = datetime.fromisoformat(text)
        first = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        last = first + DAY - SECOND if "T" not in text else first
        return first.timestamp(), last.timestamp()
    except (ValueError, OverflowError):
        raise _nonsense(text) from None


def _nonsense(text: str) -> RestRefusal:
    return RestRefusal(400, f"{text!r} is no date, moment or range of them")
