"""Rate limits and paging of the stand-in GitHub: pure parts, one table each."""

import pytest

from emulator.github.limits import ALLOWANCES, CORE, REGISTRATION, Allowance, Limits, RateLimitRefusal
from emulator.github.pages import Page, link_header, requested_page
from tests.emulator_github_world import EPOCH

NOW = int(EPOCH)


def test_an_allowance_is_used_up_and_comes_back_when_its_window_ends() -> None:
    limits = Limits({CORE: Allowance(limit=2, window_seconds=3600)})
    assert limits.spend("a", CORE, now=EPOCH).remaining == 1
    assert limits.spend("a", CORE, now=EPOCH + 10).remaining == 0
    with pytest.raises(RateLimitRefusal) as refused:
        limits.refuse_exceeded("a", CORE, now=EPOCH + 3599)
    assert refused.value.status == 403
    assert refused.value.reading.headers == {
        "x-ratelimit-limit": "2",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(NOW + 3600),
        "x-ratelimit-used": "2",
        "x-ratelimit-resource": "core",
    }
    limits.refuse_exceeded("b", CORE, now=EPOCH)
    limits.refuse_exceeded("a", CORE, now=EPOCH + 3600)
    assert limits.reading("a", CORE, now=EPOCH + 3600).used == 0


def test_the_allowances_are_githubs() -> None:
    assert ALLOWANCES[CORE] == Allowance(limit=5_000, window_seconds=3_600)
    assert ALLOWANCES[REGISTRATION] == Allowance(limit=1_500, window_seconds=300)


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(number=1, size=30)),
        ({"per_page": "100", "page": "3"}, Page(number=3, size=100)),
        ({"per_page": "101"}, Page(number=1, size=100)),
        ({"per_page": "0", "page": "-1"}, Page(number=1, size=30)),
        ({"per_page": "many", "page": "²"}, Page(number=1, size=30)),
    ],
)
def test_nonsense_in_paging_falls_back_to_the_defaults(query: dict[str, str], page: Page) -> None:
    assert requested_page(query) == page


@pytest.mark.parametrize("total", [0, 1, 30, 31, 99, 100, 101, 257])
@pytest.mark.parametrize("size", [1, 30, 100])
def test_following_next_sees_each_item_once(total: int, size: int) -> None:
    items = list(range(total))
    seen: list[int] = []
    number = 1
    while True:
        page = Page(number=number, size=size)
        seen += page.of(items)
        header = link_header("http://h/x", {"per_page": str(size)}, page, total)
        if header is None or 'rel="next"' not in header:
            break
        assert f"page={number + 1}>" in header
        number += 1
    assert seen == items


def test_a_link_header_keeps_the_rest_of_the_query() -> None:
    header = link_header("http://h/x", {"status": "queued", "page": "2"}, Page(number=2, size=30), 70)
    assert header == (
        '<http://h/x?status=queued&page=1>; rel="prev", <http://h/x?status=queued&page=3>; rel="next", '
        '<http://h/x?status=queued&page=3>; rel="last", <http://h/x?status=queued&page=1>; rel="first"'
    )
