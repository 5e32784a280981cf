"""The metadata server and the scaler that one agent talks to: every answer at once, the lease always given.

The agent and the shell script are measured against the same server, so its own time is in both figures.
Contract: docs/reference/lease_protocol.md.
"""

import base64
import json
import threading
import time

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

CELL = "linux-s1-1"
CELL_SECRET = "bench-cell-secret"  # noqa: S105 - opens nothing but this stub
_TOKEN_SECONDS = 3600


class StubPlatform:
    """Counts requests by kind and remembers the last reported state."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.state: str | None = None
        self._lock = threading.Lock()

    def app(self) -> Starlette:
        """The ASGI application."""
        metadata = "/computeMetadata/v1/instance"
        return Starlette(
            routes=[
                Route(f"{metadata}/id", self._instance),
                Route(f"{metadata}/service-accounts/default/identity", self._identity),
                Route("/v1/leases", self._park, methods=["POST"]),
                Route("/v1/leases/start", self._start, methods=["POST"]),
                Route("/v1/leases/{lease}/events", self._event, methods=["POST"]),
                Route("/v1/leases/{lease}/end", self._end, methods=["POST"]),
            ]
        )

    def forget(self) -> None:
        """Begin a new run."""
        with self._lock:
            self.counts, self.state = {}, None

    def _count(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1

    async def _instance(self, _: Request) -> Response:
        self._count("instance")
        return PlainTextResponse("bench-instance-7")

    async def _identity(self, _: Request) -> Response:
        self._count("identity")
        claims = json.dumps({"exp": int(time.time()) + _TOKEN_SECONDS}).encode()
        return PlainTextResponse(f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.c2ln")

    async def _park(self, _: Request) -> Response:
        self._count("park")
        return JSONResponse({"offer": True})

    async def _start(self, _: Request) -> Response:
        self._count("start")
        return JSONResponse(
            {
                "lease": "5f0c1e22",
                "runner": {"id": 41, "name": "linux-linux-s1-1-5f0c1e22"},
                # A real configuration is about as long.
                "encoded_jit_config": base64.b64encode(b"x" * 3000).decode(),
                "heartbeat_seconds": 20,
                "listen_max_seconds": 300,
                "job_timeout_seconds": 21600,
                "hard_end_in_seconds": 22300,
            }
        )

    async def _event(self, request: Request) -> Response:
        self._count("event")
        try:
            self.state = (await request.json())["state"]
        except ClientDisconnect:
            return Response(
                status_code=499
            )  # the bench has ended the agent as soon as its runner had started
        return JSONResponse({"reply": "continue", "queued": None})

    async def _end(self, _: Request) -> Response:
        self._count("end")
        return JSONResponse({"reply": "exit"})
