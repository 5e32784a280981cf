"""The scaler over HTTP: lease calls, GitHub's webhooks, cron's tick, health and status. Turns errors into answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cell_records.errors import RecordError
from github_api.errors import GitHubError, WebhookRefused
from github_api.secret import Secret
from github_api.webhook import WebhookEvent
from scaler.answers import as_json, gone, http_error, refused, unavailable
from scaler.identity import Identity, check_secret, is_secret_of
from scaler.lease_bodies import (
    AskBody,
    EndBody,
    EndReplyBody,
    EventBody,
    EventReplyBody,
    GrantedBody,
    LeaseBody,
    OfferBody,
    RunnerBody,
)
from scaler.lease_desk import Ask, KnownCell, LeaseDesk
from scaler.refusals import (
    BadIdentity,
    BadRequest,
    BadSecret,
    BodyTooLarge,
    BodyTooSlow,
    CallerForbidden,
    CellFaulty,
    Refusal,
    UnknownCell,
)
from scaler.webhook_secrets import WebhookSecrets

B = TypeVar("B", bound=LeaseBody)

# What an honest instance sends is under 1 KiB; every field has its own limit too.
LEASE_BODY_MAX_BYTES = 16 * 1024

# GitHub does not deliver larger payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
WEBHOOK_BODY_MAX_BYTES = 25 * 1024 * 1024

# A webhook is known to be GitHub's only once all of it was read, so strangers must not make us hold many at once.
WEBHOOK_BODIES_AT_ONCE = 2

# One that announces no more than this waits for no other: the server holds as much of any body before it is asked for. So
# strangers with large or endless bodies, a few at a time, cannot keep GitHub's ordinary deliveries waiting.
WEBHOOK_SMALL_BYTES = 64 * 1024

# GitHub gives a delivery up after ten seconds:
# https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks
BODY_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A cell and who may speak for it: instances that run as `account`. `fault`: why nothing may be started in it."""

    cell: KnownCell
    account: str | None
    fault: str | None


class Service:
    """The routes and what they need."""

    def __init__(
        self,
        *,
        desk: LeaseDesk,
        identity: Identity,
        cell: Callable[[str], Admission | None],
        secrets: Callable[[str], tuple[Secret, ...]],
        callers: frozenset[str],
        look_at_cells: Callable[[], Awaitable[bool]],
        webhook: WebhookSecrets | None,
        on_repository: Callable[[str], None],
        tick: Callable[[], Awaitable[Mapping[str, Any]]],
        status: Callable[[], Mapping[str, Any]],
        ready: Callable[[], str | None],
        on_refused: Callable[[str, str], None] | None = None,
        body_within_seconds: float = BODY_WITHIN_SECONDS,
    ) -> None:
        """`cell`: a cell of this deployment by its name, or None; may raise NotReady. `look_at_cells`: read the worker pools
        again unless that was done a moment ago; whether they were read. `webhook`: None when no webhook is trusted.
        `ready`: why the scaler is not, or None. `on_refused(code, sentence)` hears of each caller that was not let in.
        `body_within_seconds`: how long a caller has to send a body.
        """
        self._desk = desk
        self._identity = identity
        self._cell = cell
        self._secrets = secrets
        self._callers = callers
        self._look_at_cells = look_at_cells
        self._webhook = webhook
        self._on_repository = on_repository
        self._tick = tick
        self._status = status
        self._ready = ready
        self._on_refused = on_refused
        self._body_within_seconds = body_within_seconds
        self._webhook_slots = asyncio.Semaphore(WEBHOOK_BODIES_AT_ONCE)

    def app(self) -> Starlette:
        """The ASGI application."""
        app = Starlette(
            routes=[
                Route("/v1/leases", self.park, methods=["POST"]),
                Route("/v1/leases/start", self.start, methods=["POST"]),
                Route("/v1/leases/{lease}/events", self.event, methods=["POST"]),
                Route("/v1/leases/{lease}/end", self.end, methods=["POST"]),
                Route("/webhooks/github", self.webhook, methods=["POST"]),
                Route("/tick", self.tick, methods=["POST"]),
                Route("/status", self.status, methods=["GET"]),
                Route("/healthz", self.healthz, methods=["GET"]),
                Route("/readyz", self.readyz, methods=["GET"]),
            ],
            exception_handlers={
                BadIdentity: self._not_let_in,
                BadSecret: self._not_let_in,
                CallerForbidden: self._not_let_in,
                WebhookRefused: self._not_let_in,
                Refusal: refused,
                RecordError: unavailable,
                GitHubError: unavailable,
                HTTPException: http_error,
                ClientDisconnect: gone,
            },
        )
        # A redirect would lead to whatever host the caller's Host header names.
        app.router.redirect_slashes = False
        return app

    async def _not_let_in(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal | WebhookRefused)
        if self._on_refused is not None:
            self._on_refused(error.code if isinstance(error, Refusal) else "webhook_refused", error.what)
        return await (refused if isinstance(error, Refusal) else unavailable)(request, error)

    async def park(self, request: Request) -> Response:
        """POST /v1/leases."""
        cell, body = await self._admitted(request, AskBody, to_begin=True)
        if await self._desk.park(cell, _ask(body)):
            return as_json(OfferBody())
        return Response(status_code=204)

    async def start(self, request: Request) -> Response:
        """POST /v1/leases/start."""
        cell, body = await self._admitted(request, AskBody, to_begin=True)
        granted = await self._desk.start(cell, _ask(body))
        return as_json(
            GrantedBody(
                lease=granted.lease,
                runner=RunnerBody(id=granted.runner_id, name=granted.runner_name),
                encoded_jit_config=granted.configuration.reveal(),
                heartbeat_seconds=granted.heartbeat_seconds,
                listen_max_seconds=granted.listen_max_seconds,
                job_timeout_seconds=granted.job_timeout_seconds,
                hard_end_in_seconds=granted.hard_end_in_seconds,
            )
        )

    async def event(self, request: Request) -> Response:
        """POST /v1/leases/{lease}/events."""
        cell, body = await self._admitted(request, EventBody, to_begin=False)
        queued = await self._desk.event(
            cell,
            request.path_params["lease"],
            boot=body.boot,
            seq=body.seq,
            state=body.lease_state,
            job=body.job,
        )
        return as_json(EventReplyBody(queued=queued))

    async def end(self, request: Request) -> Response:
        """POST /v1/leases/{lease}/end."""
        cell, body = await self._admitted(request, EndBody, to_begin=False)
        reply = await self._desk.end(
            cell,
            request.path_params["lease"],
            boot=body.boot,
            outcome=body.lease_outcome,
            cause=body.cause,
            job=body.job,
            result=body.result,
            word=body.word,
        )
        return as_json(EndReplyBody(reply=reply.value))

    async def webhook(self, request: Request) -> Response:
        """POST /webhooks/github. The event only says where to look; the answer comes before the look."""
        if self._webhook is None:
            raise HTTPException(404, "no github.webhook_secret is configured, so no webhook is trusted")
        if 0 < _announced_bytes(request.headers.get("content-length", "")) <= WEBHOOK_SMALL_BYTES:
            event = await self._event(self._webhook, request, most_bytes=WEBHOOK_SMALL_BYTES)
        else:
            async with self._webhook_slots:
                # Judged before the next one is read: a wrong signature may have to wait until the secret was read again.
                event = await self._event(self._webhook, request, most_bytes=WEBHOOK_BODY_MAX_BYTES)
        if event.job is not None and event.repository is not None:
            self._on_repository(event.repository)
            return JSONResponse({"looking_at": event.repository}, status_code=202)
        return JSONResponse({"ignored": event.event}, status_code=202)

    async def _event(self, webhook: WebhookSecrets, request: Request, *, most_bytes: int) -> WebhookEvent:
        return await webhook.event(
            body=await self._body(request, most_bytes=most_bytes),
            signature=request.headers.get("x-hub-signature-256"),
            event=request.headers.get("x-github-event"),
            delivery=request.headers.get("x-github-delivery"),
        )

    async def tick(self, request: Request) -> Response:
        """POST /tick: look at everything now."""
        await self._check_caller(request)
        return JSONResponse(dict(await self._tick()))

    async def status(self, request: Request) -> Response:
        """GET /status."""
        await self._check_caller(request)
        return JSONResponse(dict(self._status()))

    async def healthz(self, _: Request) -> Response:
        """GET /healthz: this process answers."""
        return JSONResponse({"alive": True})

    async def readyz(self, _: Request) -> Response:
        """GET /readyz: records, GitHub and Cloud Run have been read."""
        why = self._ready()
        return JSONResponse({"ready": why is None, "why": why}, status_code=200 if why is None else 503)

    async def _admitted(self, request: Request, model: type[B], *, to_begin: bool) -> tuple[KnownCell, B]:
        """The cell and the body of a caller that has shown both its account and the cell's secret.

        `to_begin`: whether something new is asked for. A cell at fault begins nothing, but what stands in it is heard.
        """
        body = _parsed(await self._body(request, most_bytes=LEASE_BODY_MAX_BYTES), model)
        email = await self._identity.email(request.headers.get("authorization"))
        admission = self._spoken_for(body.cell, email)
        shown = request.headers.get("x-cell-secret")
        if not is_secret_of(shown, self._secrets(body.cell)) and await self._look_at_cells():
            # Its instance may have started on a template that was changed after the last reading.
            admission = self._spoken_for(body.cell, email)
        check_secret(shown, self._secrets(body.cell), cell=body.cell)
        if to_begin and admission.fault is not None:
            raise CellFaulty(cell=body.cell, fault=admission.fault)
        return admission.cell, body

    def _spoken_for(self, name: str, email: str) -> Admission:
        """The cell of that name, when the account may speak for it. Raises UnknownCell, BadIdentity, NotReady."""
        admission = self._cell(name)
        if admission is None:
            raise UnknownCell(name)
        if admission.account is None:
            raise BadIdentity(f"the template of cell {name!r} names no account that a token could be of")
        if email != admission.account:
            raise BadIdentity(f"it is not of the account that cell {name!r} runs as")
        return admission

    async def _body(self, request: Request, *, most_bytes: int) -> bytes:
        """The body, refused as soon as it is too large, whatever Content-Length says, or takes too long."""
        if _announced_bytes(request.headers.get("content-length", "")) > most_bytes:
            raise BodyTooLarge(most_bytes)
        read = bytearray()
        try:
            async with asyncio.timeout(self._body_within_seconds):
                async for chunk in request.stream():
                    read += chunk
                    if len(read) > most_bytes:
                        raise BodyTooLarge(most_bytes)
        except TimeoutError:
            raise BodyTooSlow(self._body_within_seconds) from None
        return bytes(read)

    async def _check_caller(self, request: Request) -> None:
        email = await self._identity.email(request.headers.get("authorization"))
        if email not in self._callers:
            raise CallerForbidden(email)


def _announced_bytes(content_length: str) -> float:
    """What a Content-Length announces; 0 when it is no number. Python refuses to read one of thousands of digits."""
    if not (content_length.isascii() and content_length.isdigit()):
        return 0
    digits = content_length.lstrip("0")
    return int(digits or "0") if len(digits) < 20 else float("inf")


def _ask(body: AskBody) -> Ask:
    return Ask(cell=body.cell, boot=body.boot, ask=body.ask, uptime_seconds=body.uptime)


def _parsed(body: bytes, model: type[B]) -> B:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        what = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found[:5])
        raise BadRequest(f"The body does not fit: {what}.") from None
