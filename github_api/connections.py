"""The HTTP clients that calls are sent through: one for each call under way. Knows nothing of GitHub.

A client with many connections looks at all of them, for each of them, whenever a call begins or ends
(httpcore's `_assign_requests_to_connections`): with twenty that is half of a call's time. So each client has one.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import httpx


class Connections:
    """Lends a client for each call; the one that was used last goes out first, so its connection is open."""

    def __init__(self, only: httpx.AsyncClient | None = None) -> None:
        """`only`: lend this one to all, and leave it open at the end."""
        self._only = only
        self._made: list[httpx.AsyncClient] = []
        self._free: list[httpx.AsyncClient] = []
        self._certificates = None if only is not None else httpx.create_ssl_context()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that nobody else uses meanwhile."""
        if self._only is not None:
            yield self._only
            return
        client = self._free.pop() if self._free else self._new()
        try:
            yield client
        except BaseException:
            # A call that was cut off may leave its only connection in any state: the next one shall not wait for it.
            self._made.remove(client)
            await client.aclose()
            raise
        self._free.append(client)

    async def aclose(self) -> None:
        """Close what was opened here."""
        for client in self._made:
            await client.aclose()

    def _new(self) -> httpx.AsyncClient:
        _spare_a_search()
        assert self._certificates is not None
        client = httpx.AsyncClient(verify=self._certificates, limits=httpx.Limits(max_connections=1))
        self._made.append(client)
        return client


def _spare_a_search() -> None:
    """httpcore tries to import this optional package at each of its locks. Without the package every try searches
    the disk again, which is half of a call's time; None says that there is none.

    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    if find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
