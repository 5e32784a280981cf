"""Whether callers reach this process: after a deployment all of them reach another."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

# Cloud Run probes every process, also one that gets no callers any more.
PROBES = frozenset({"/healthz", "/readyz"})

# How long after its last caller a process counts as reached.
HEARD_SECONDS = 10.0


class Traffic:
    """Counts the calls that are open, and knows when the last one ended."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        """`monotonic`: seconds that never jump."""
        self._monotonic = monotonic
        self._open = 0
        self._ended_at = float("-inf")

    def heard(self) -> bool:
        """Whether a call is open, or ended a moment ago."""
        return self._open > 0 or self._monotonic() < self._ended_at + HEARD_SECONDS

    def over(self, app: ASGIApp) -> ASGIApp:
        """The application with its calls counted, but for probes."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in PROBES:
                await app(scope, receive, send)
                return
            self._open += 1
            try:
                await app(scope, receive, send)
            finally:
                self._open -= 1
                self._ended_at = self._monotonic()

        return counted
