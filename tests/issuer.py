"""Google's token service as a server of its own on loopback: the stand-in's keys and tokens, and manners that a test chooses.

`python -m emulator` publishes the same document; what a real issuer must never do to us needs a server that does it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt

from emulator.cloud.identity import TokenService

GOOGLE = "https://accounts.google.com"
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers every GET as the issuer was told to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """See BaseHTTPRequestHandler."""
        issuer: Issuer = self.server.issuer  # type: ignore[attr-defined]
        issuer.asked.append(self.path)
        issuer.answer(self)

    def reply(self, body: bytes, headers: Mapping[str, str] | None = None, *, status: int = 200) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Issuer:
    """Signs tokens and publishes keys. A context manager. `asked` holds the path of each request so far."""

    def __init__(self) -> None:
        self.tokens = TokenService(clock=time.time, issuer=lambda: GOOGLE)
        self.asked: list[str] = []
        self.answer: Answer = self.publish
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._server.issuer = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}/certs"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="issuer")
        self.is_closing = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        assert not self._thread.is_alive(), "the issuer did not end"

    def publish(self, handler: Handler) -> None:
        """The document as Google publishes it."""
        handler.reply(json.dumps(self.tokens.public_keys()).encode(), {"Content-Type": "application/json"})

    def signed(self, *, algorithm: str = "RS256", without: str | None = None, **claims: object) -> str:
        """A token that is right but for these claims, signed with the key that signs now."""
        good = jwt.decode(
            self.tokens.identity_token(email="cells@p.iam.gserviceaccount.com", audience="https://s.example"),
            options={"verify_signature": False},
        )
        changed = {name: value for name, value in {**good, **claims}.items() if name != without}
        key_id = self.tokens._key_id
        return jwt.encode(changed, self.tokens._keys[key_id], algorithm=algorithm, headers={"kid": key_id})
