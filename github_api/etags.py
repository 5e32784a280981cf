"""Pages seen before, so that an unchanged one costs nothing of the hourly limit. Knows no HTTP beyond the
word ETag.

GitHub's ETags differ by token
(https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api), hence the key.
What is kept is the parsed value: a 304 is not parsed again.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

# Measured (tracemalloc, Python 3.11): a page without items takes 0.5 KB, a run 0.3 KB, a job 1.3 KB. A sweep of a
# thousand repositories, a hundred of them busy, keeps 2,100 pages in 1.3 MB. The bound is for thousands of jobs at
# once: it must lie above what one sweep reads, for a cache of last use forgets each page of a round just before it is
# asked for again. A new token empties the cache every hour, and with it the pages of runs that are over.
MOST_BYTES = 32 * 1024 * 1024
_BYTES_OF_A_PAGE = 600
_BYTES_OF_AN_ITEM = 1300

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A parsed reply."""

    etag: str | None
    value: T
    next_url: str | None

    @property
    def bytes(self) -> int:
        """About how much memory this takes at most."""
        items = len(self.value) if isinstance(self.value, tuple) else 1
        return _BYTES_OF_A_PAGE + _BYTES_OF_AN_ITEM * items


class PageCache:
    """The last seen page of each (token serial, URL), least recently used dropped first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._pages: OrderedDict[tuple[int, str], Page[Any]] = OrderedDict()
        self._most_bytes = most_bytes
        self._newest_serial = 0
        self.bytes = 0

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
            self.bytes = 0
        older = self._pages.pop((serial, url), None)
        if older is not None:
            self.bytes -= older.bytes
        if serial < self._newest_serial or page.etag is None:
            return
        self._pages[serial, url] = page
        self.bytes += page.bytes
        while self.bytes > self._most_bytes:
            _, oldest = self._pages.popitem(last=False)
            self.bytes -= oldest.bytes
