"""Paging as GitHub does it: `per_page`, `page` and a Link header. Pure.

https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlencode

Item = TypeVar("Item")
DEFAULT_PER_PAGE: Final = 30
MOST_PER_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    number: int
    size: int

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        start = (self.number - 1) * self.size
        return items[start : start + self.size]


def requested_page(query: Mapping[str, str]) -> Page:
    """What the query asks for. GitHub falls back to the defaults on nonsense and caps the size at 100."""
    size = _positive(query.get("per_page"), DEFAULT_PER_PAGE)
    return Page(number=_positive(query.get("page"), 1), size=min(size, MOST_PER_PAGE))


def link_header(url: str, query: Mapping[str, str], page: Page, total: int) -> str | None:
    """The Link header of `page` of `total` items at `url`; None when there is nowhere else to go."""
    last = max(1, -(-total // page.size))
    targets: dict[str, int] = {}
    if page.number > 1:
        targets["prev"] = min(page.number - 1, last)
    if page.number < last:
        targets["next"] = page.number + 1
        targets["last"] = last
    if page.number > 1:
        targets["first"] = 1
    if not targets:
        return None
    return ", ".join(
        f'<{url}?{urlencode({**query, "page": str(number)})}>; rel="{relation}"'
        for relation, number in targets.items()
    )


def _positive(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and int(text) > 0 else default
