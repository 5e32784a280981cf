"""Connections of strangers: how long a caller may take to say what it wants, and how many callers there may be.

uvicorn bounds the size of a request's head and the pause between two requests, not the time that a head takes: a line a
minute would hold a connection for ever. Knows nothing of what is asked for; `service` bounds the bodies.
"""

from __future__ import annotations

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

# From the moment that a connection is free for a request until its head is complete. What is honest needs one packet.
HEAD_WITHIN_SECONDS = 20.0


class PatientConnection(H11Protocol):
    """uvicorn's connection, closed when a request's head does not come in time; while a request is answered it may last."""

    head_within_seconds = HEAD_WITHIN_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._forget_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See uvicorn: the connection is free for the next request, or that one has even begun."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        # The last request whose head was complete; none before the first, whatever uvicorn's annotation says.
        last: RequestResponseCycle | None = getattr(self, "cycle", None)
        answering = last is not None and not last.response_complete
        if answering or self.transport.is_closing():
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_within_seconds, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        # Nothing is due to the caller, and one that does not read must not hold the connection either.
        self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def allow_many_connections() -> None:
    """Use as many open files as this process may have: often 1,024 are given, and a thousand instances poll."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):
        # Some systems refuse what they call the most; what was given before stays.
        return
