"""Pages seen before, so that an unchanged one costs nothing of the hourly limit. Knows no HTTP beyond the
word ETag.

GitHub's ETags differ by token
(https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api), hence the key.
What is kept is the parsed value: a 304 is not parsed again.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

# About the pages of a few hundred active runs; each holds at most a hundred small values.
_MOST_PAGES = 1024


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A parsed reply."""

    etag: str | None
    value: T
    next_url: str | None


class PageCache:
    """The last seen page of each (token serial, URL), least recently used dropped first."""

    def __init__(self, most_pages: int = _MOST_PAGES) -> None:
        self._pages: OrderedDict[tuple[int, str], Page[Any]] = OrderedDict()
        self._most_pages = most_pages
        self._newest_serial = 0

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, serial: int, url: str) -> Page[Any] | None:
        """The page, whose value has the type that the URL's parser gives: each URL is read by one parser
        only.
        """
        page = self._pages.get((serial, url))
        if page is not None:
            self._pages.move_to_end((serial, url))
        return page

    def keep(self, serial: int, url: str, page: Page[Any]) -> None:
        """Remember `page`. A newer token makes the pages of older ones worthless."""
        if serial > self._newest_serial:
            self._newest_serial = serial
            self._pages.clear()
        if serial < self._newest_serial or page.etag is None:
            self._pages.pop((serial, url), None)
            return
        self._pages[serial, url] = page
        self._pages.move_to_end((serial, url))
        while len(self._pages) > self._most_pages:
            self._pages.popitem(last=False)
