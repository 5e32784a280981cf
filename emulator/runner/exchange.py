"""One HTTP request and its reply, which another thread or a signal handler can give up. Knows no URLs."""

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from emulator.runner.errors import AbortedError, UnreachableError

# Long enough for a message poll, which a broker holds for up to 50 seconds.
TIMEOUT_SECONDS = 100.0


class Reply(NamedTuple):
    """Status and body of a reply."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None where it is empty or not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Exchange:
    """Sends one request at a time. `abort` may be called from anywhere; what is sent after it fails at once."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._aborted = False

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """Raises UnreachableError, or AbortedError once `abort` was called."""
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.connect()
            self._socket = connection.sock
            if self._aborted:
                raise AbortedError
            connection.request(method, f"{parts.path}?{parts.query}".rstrip("?"), body, dict(headers))
            response = connection.getresponse()
            return Reply(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            if self._aborted:
                raise AbortedError from None
            raise UnreachableError(f"{type(error).__name__}: {error} ({parts.netloc})") from None
        finally:
            self._socket = None
            connection.close()

    def abort(self) -> None:
        """Gives the request up that is on its way, and every later one."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
                self._socket.shutdown(socket.SHUT_RDWR)
