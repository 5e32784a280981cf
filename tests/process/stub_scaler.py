"""A scaler and a metadata server for one agent: answers as a test says, records every request with its time."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "cell-secret-0123456789"
JIT = "jit-configuration-0123456789"
LEASE = "5f0c1e22"
TOKEN_LIFE_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request; `at` is monotonic time, `kind` is park, start, events, end or metadata."""

    kind: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to answer, and after how long."""

    status: int
    body: Mapping[str, Any] | None = None
    delay_seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


def grant(**terms: Any) -> Answer:
    """The reply to `start`; `terms` replace single fields."""
    lease: dict[str, Any] = {
        "lease": LEASE,
        "runner": {"id": 41, "name": "linux-linux-a1-5f0c1e22"},
        "encoded_jit_config": JIT,
        "heartbeat_seconds": 20,
        "listen_max_seconds": 300,
        "job_timeout_seconds": 21600,
        "hard_end_in_seconds": 22540,
    }
    return Answer(status=200, body=lease | terms)


def refusal(status: int, code: str, **headers: str) -> Answer:
    """An error of the lease protocol."""
    body = {"error": code, "message": f"the stub says {code}", "remedy": "none"}
    return Answer(status=status, body=body, headers=headers)


OFFER = Answer(status=200, body={"offer": True})
NOTHING = Answer(status=204, delay_seconds=25.0)
CONTINUE = Answer(status=200, body={"reply": "continue", "queued": None})
EXIT = Answer(status=200, body={"reply": "exit"})
HOLD = Answer(status=200, body={"reply": "hold"})


class StubScaler:
    """Answers each kind of request from its script, then with its default."""

    def __init__(self) -> None:
        self.defaults = {"park": OFFER, "start": grant(), "events": CONTINUE, "end": EXIT}
        self.scripts: dict[str, list[Answer]] = {}
        self.requests: list[Recorded] = []
        self.metadata_answers = True
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @property
    def address(self) -> str:
        """host:port of scaler and metadata server."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def of(self, kind: str) -> list[Recorded]:
        """The requests of one kind so far."""
        with self._changed:
            return [request for request in self.requests if request.kind == kind]

    def states(self) -> list[str]:
        """What was reported so far, heartbeats included."""
        return [request.body["state"] for request in self.of("events")]

    def wait_for(
        self, kind: str, wanted: Callable[[Recorded], bool] = lambda _: True, *, within: float = 10.0
    ) -> Recorded:
        """The first such request, waited for; fails with what came instead."""
        ends_at = time.monotonic() + within

        def found() -> Recorded | None:
            return next((each for each in self.requests if each.kind == kind and wanted(each)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, timeout=max(0, ends_at - time.monotonic()))
            request = found()
            seen = [(each.kind, dict(each.body)) for each in self.requests]
        assert request is not None, f"no such {kind!r} request within {within} s; seen: {seen}"
        return request

    def wait_for_state(self, state: str, *, within: float = 10.0) -> Recorded:
        """The first report of this state."""
        return self.wait_for("events", lambda request: request.body["state"] == state, within=within)

    def record(self, request: Recorded) -> None:
        """Note a request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def answer(self, kind: str) -> Answer:
        """The next answer to this kind of request."""
        with self._changed:
            script = self.scripts.get(kind, [])
            return script.pop(0) if script else self.defaults[kind]

    def pause(self, seconds: float) -> None:
        """Hold a request open, but not beyond the end of the test."""
        self._closing.wait(seconds)

    @contextmanager
    def serving(self) -> Iterator["StubScaler"]:
        """Answer until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                stub.record(
                    Recorded(
                        kind="metadata",
                        path=self.path,
                        headers=dict(self.headers),
                        body={},
                        at=time.monotonic(),
                    )
                )
                if not stub.metadata_answers or self.headers["Metadata-Flavor"] != "Google":
                    self._send(Answer(status=403), b"")
                elif path.endswith("/instance/id"):
                    self._send(Answer(status=200), b"instance-7")
                elif path.endswith("/identity"):
                    self._send(Answer(status=200), identity_token().encode())
                else:
                    self._send(Answer(status=404), b"")

            def do_POST(self) -> None:
                at = time.monotonic()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = {"/v1/leases": "park", "/v1/leases/start": "start"}.get(self.path)
                kind = kind or self.path.rpartition("/")[2]
                stub.record(Recorded(kind=kind, path=self.path, headers=dict(self.headers), body=body, at=at))
                answer = stub.answer(kind)
                stub.pause(answer.delay_seconds)
                self._send(answer, b"" if answer.body is None else json.dumps(answer.body).encode())

            def _send(self, answer: Answer, payload: bytes) -> None:
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.send_header("Content-Length", str(len(payload)))
                    self.end_headers()
                    self.wfile.write(payload)
                except OSError:
                    # The agent has left or has given up on this reply; that is a case under test.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                return

        return Handler


def identity_token() -> str:
    """A token of the shape that the metadata server gives; nobody here checks its signature."""
    claims = json.dumps({"exp": int(time.time()) + TOKEN_LIFE_SECONDS}).encode()
    middle = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    return f"e30.{middle}.c2ln"
