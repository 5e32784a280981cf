"""One HTTP request and its reply, on the standard library. Knows no meaning of either.

Each request has a connection of its own: a kept one may be closed by the other side at the very moment of a POST,
and then nobody knows whether it was taken.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from runner_agent.errors import UnreachableError

_REPLY_BYTES_MOST = 256 * 1024
_PIECE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send. Headers may hold secrets."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises UnreachableError: who answers otherwise is not who we asked."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise UnreachableError(
                f"the reply (status {self.status}) is not a JSON object; something between us and the other side "
                "may have answered"
            )
        return document


Exchange = Callable[[Request, float], Reply]


class HttpExchange:
    """Sends requests. Follows no redirect, uses no proxy: identity and secret go to the named host only."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None

    def __call__(self, request: Request, timeout_seconds: float) -> Reply:
        """Send and wait at most this long in all. Raises UnreachableError."""
        ends_at = time.monotonic() + timeout_seconds
        parts = urlsplit(request.url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port, timeout_seconds)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            headers = {"Connection": "close", "User-Agent": "runner-pool-agent", **request.headers}
            connection.request(request.method, target or "/", body=request.body, headers=headers)
            return _reply(connection, ends_at)
        except ValueError as error:
            # http.client quotes a header that it refuses, and ours hold secrets: neither the error nor a word of it goes on.
            raise UnreachableError(
                f"the request to {parts.hostname} could not be written, or its reply not be read ({type(error).__name__}); "
                "probably a secret or a token holds a character that no HTTP header carries: renew it"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            # These texts never hold a header of ours.
            raise UnreachableError(
                f"{parts.hostname} did not answer: {type(error).__name__}: {error}"
            ) from error
        finally:
            connection.close()

    def _connection(
        self, scheme: str, host: str, port: int | None, timeout_seconds: float
    ) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=self._tls)


def _reply(connection: http.client.HTTPConnection, ends_at: float) -> Reply:
    line = connection.sock  # http.client forgets it as soon as the head of the reply is read
    _shorten_time(line, ends_at)
    response = connection.getresponse()
    body = b""
    while len(body) <= _REPLY_BYTES_MOST:
        _shorten_time(line, ends_at)
        piece = response.read1(_PIECE_BYTES)
        if not piece:
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(status=response.status, headers=headers, body=body)
        body += piece
    raise OSError(f"the reply is larger than {_REPLY_BYTES_MOST} bytes")


def _shorten_time(line: socket.socket, ends_at: float) -> None:
    """A socket's time-out is per read; this makes it one for the whole exchange."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole reply in time")
    line.settimeout(left)
