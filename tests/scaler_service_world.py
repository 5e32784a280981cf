"""The scaler's service over a desk and an identity check that answer as a test tells them; called in process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from github_api.secret import Secret
from scaler.core.model import LeaseState
from scaler.lease_desk import Ask, EndReply, Granted, KnownCell, Terms
from scaler.lease_ends import LeaseOutcome
from scaler.refusals import BadIdentity, NotReady
from scaler.registrar import RunnerShape
from scaler.service import BODY_WITHIN_SECONDS, Admission, Service
from scaler.webhook_secrets import WebhookSecrets

ACCOUNT, CRON = "cells@p.iam.gserviceaccount.com", "cron@p.iam.gserviceaccount.com"
TERMS = Terms(
    pool="linux",
    shape=RunnerShape(labels=("linux",), runner_group_id=1),
    listen_max_seconds=300.0,
    job_timeout_seconds=3600.0,
)
CELL = KnownCell(name="linux-a", uid="uid-1", terms=TERMS, room=1)
BOOT = "ab" * 16
ASK = {"cell": "linux-a", "boot": BOOT, "instance": "i-1", "ask": 3, "uptime": 1.5}
EVENT = {"cell": "linux-a", "boot": BOOT, "seq": 4, "state": "preempted", "job": "build"}
END = {"cell": "linux-a", "boot": BOOT, "seq": 5, "outcome": "timed_out", "cause": "too long"}
CALLS = {
    "/v1/leases": ASK,
    "/v1/leases/start": ASK,
    "/v1/leases/lease-1/events": EVENT,
    "/v1/leases/lease-1/end": END,
}
AS_CELL = {"Authorization": f"Bearer {ACCOUNT}", "X-Cell-Secret": "new"}
WEBHOOK_SECRET = "hook"


def fixed_webhook(secret: str) -> WebhookSecrets:
    """A webhook whose secret stays as it is."""

    async def as_ever() -> Secret:
        return Secret(secret)

    return WebhookSecrets(Secret(secret), look_again=as_ever, told=lambda: None, clock=time.monotonic)


async def no_look() -> bool:
    """The cells were read a moment ago."""
    return False


class World:
    """A service over a desk and an identity check that answer as told."""

    def __init__(
        self,
        *,
        webhook_secret: str | None = WEBHOOK_SECRET,
        body_within_seconds: float = BODY_WITHIN_SECONDS,
    ) -> None:
        self.raises: Exception | None = None
        self.offers = True
        self.end_reply = EndReply.EXIT
        self.heard: list[tuple[Any, ...]] = []
        self.looked_at: list[str] = []
        self.not_ready: str | None = None
        self.cells_read = True
        self.secrets: tuple[Secret, ...] = (Secret("new"), Secret("old"))
        self.on_look: Callable[[], bool] = lambda: False
        self.looks_at_cells = 0
        self.refused: list[tuple[str, str]] = []
        self.accounts: dict[str, str | None] = {"linux-a": ACCOUNT, "linux-any": None}
        self.faults: dict[str, str] = {}
        service = Service(
            desk=self,  # type: ignore[arg-type] # stands in for the desk by its four calls
            identity=self,  # type: ignore[arg-type] # and for the identity check by its one
            cell=self._cell,
            secrets=lambda cell: self.secrets if cell == "linux-a" else (Secret("any"),),
            callers=frozenset({CRON}),
            look_at_cells=self._look_at_cells,
            webhook=None if webhook_secret is None else fixed_webhook(webhook_secret),
            on_repository=self.looked_at.append,
            tick=self._tick,
            status=lambda: {"pools": []},
            ready=lambda: self.not_ready,
            on_refused=lambda code, what: self.refused.append((code, what)),
            body_within_seconds=body_within_seconds,
        )
        transport = httpx.ASGITransport(service.app(), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://scaler.test")

    async def email(self, authorization: str | None) -> str:
        """The token is the e-mail."""
        if not authorization:
            raise BadIdentity("the Authorization header holds no bearer token")
        return authorization.removeprefix("Bearer ")

    async def park(self, cell: KnownCell, ask: Ask) -> bool:
        """See LeaseDesk."""
        self._hear(cell, ask)
        return self.offers

    async def start(self, cell: KnownCell, ask: Ask) -> Granted:
        """See LeaseDesk."""
        self._hear(cell, ask)
        return Granted(
            lease="lease-1",
            runner_id=41,
            runner_name="linux-linux-a-1",
            configuration=Secret("the-configuration"),
            heartbeat_seconds=20.0,
            listen_max_seconds=300.0,
            job_timeout_seconds=3600.0,
            hard_end_in_seconds=4000.0,
        )

    async def event(
        self, cell: KnownCell, lease: str, *, boot: str, seq: int, state: LeaseState, job: str | None
    ) -> int | None:
        """See LeaseDesk."""
        self._hear(cell, lease, boot, seq, state, job)
        return None

    async def end(
        self,
        cell: KnownCell,
        lease: str,
        *,
        boot: str,
        outcome: LeaseOutcome,
        cause: str,
        job: str | None,
        result: str | None,
        word: str | None,
    ) -> EndReply:
        """See LeaseDesk."""
        self._hear(cell, lease, boot, outcome, cause, job)
        return self.end_reply

    def _hear(self, *what: Any) -> None:
        self.heard.append(what)
        if self.raises is not None:
            raise self.raises

    def _cell(self, name: str) -> Admission | None:
        if not self.cells_read:
            raise NotReady("Cloud Run has not been read yet.")
        if name not in self.accounts:
            return None
        known = KnownCell(name=name, uid="uid-1", terms=TERMS, room=1)
        return Admission(cell=known, account=self.accounts[name], fault=self.faults.get(name))

    async def _look_at_cells(self) -> bool:
        self.looks_at_cells += 1
        return self.on_look()

    async def _tick(self) -> Mapping[str, Any]:
        self._hear("tick")
        return {"ticked": True}

    async def call(
        self, path: str, body: object = None, *, headers: Mapping[str, str] = AS_CELL
    ) -> httpx.Response:
        """One lease call with its documented body, or with another."""
        return await self.http.post(path, json=CALLS[path] if body is None else body, headers=headers)

    async def delivers(
        self, body: bytes, *, event: str | None = "workflow_job", signature: str | None = ""
    ) -> httpx.Response:
        """A webhook that is signed rightly, unless another signature (None: no such header) is given."""
        right = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-Hub-Signature-256": right if signature == "" else signature,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": "1",
        }
        given = {name: value for name, value in headers.items() if value is not None}
        return await self.http.post("/webhooks/github", content=body, headers=given)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal; fails when it lacks a message or a remedy."""
    body = answer.json()
    assert set(body) == {"error", "message", "remedy"}
    assert body["message"]
    assert body["remedy"]
    return answer.status_code, body["error"]


async def held_back(until: asyncio.Event, begun: list[int], body: bytes = b"{}") -> AsyncIterator[bytes]:
    """A body whose sender waits; `begun` grows by one when somebody begins to read it."""
    begun.append(len(begun) + 1)
    await until.wait()
    yield body


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    """A body whose length nobody announces."""
    for _ in range(size // 1024 + 1):
        yield b" " * 1024
