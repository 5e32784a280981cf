"""The stand-in's `created` filter, against the examples of GitHub's page on dates in searches."""

from datetime import datetime

import pytest

from emulator.github.created import created_filter
from emulator.github.refusals import RestRefusal


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


FIRST_SECOND = at("2027-01-15T00:00:00Z")
NOON = at("2027-01-15T12:00:00Z")
LAST_SECOND = at("2027-01-15T23:59:59Z")
DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2027-01-15", [FIRST_SECOND, NOON, LAST_SECOND + 0.9], [FIRST_SECOND - 1, LAST_SECOND + 1]),
        (">=2027-01-15", [FIRST_SECOND, NOON + DAY], [FIRST_SECOND - 1]),
        (">2027-01-15", [LAST_SECOND + 1], [NOON, LAST_SECOND]),
        ("<=2027-01-15", [NOON - DAY, LAST_SECOND], [LAST_SECOND + 1]),
        ("<2027-01-15", [FIRST_SECOND - 1], [FIRST_SECOND, NOON]),
        ("2027-01-15..2027-01-16", [FIRST_SECOND, LAST_SECOND + DAY], [FIRST_SECOND - 1, NOON + 2 * DAY]),
        ("2027-01-15..*", [FIRST_SECOND, NOON + 300 * DAY], [FIRST_SECOND - 1]),
        ("*..2027-01-15", [0.0, LAST_SECOND], [LAST_SECOND + 1]),
        ("2027-01-15T12:00:00Z..2027-01-15T12:00:01Z", [NOON, NOON + 1.9], [NOON - 1, NOON + 2]),
        (">=2027-01-15T13:00:00+01:00", [NOON], [NOON - 1]),
        (">2027-01-15T12:00:00Z", [NOON + 1], [NOON, NOON + 0.9]),
    ],
)
def test_a_range_holds_what_the_page_says(text: str, inside: list[float], outside: list[float]) -> None:
    is_in_range = created_filter(text)
    assert [moment for moment in inside if not is_in_range(moment)] == []
    assert [moment for moment in outside if is_in_range(moment)] == []


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2027-13-01", ">=", "2027-01-15..", "1..2", "2027-01-15 .. 2027-01-16"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(RestRefusal) as refused:
        created_filter(text)
    assert refused.value.status == 400
