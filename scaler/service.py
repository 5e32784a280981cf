"""The scaler over HTTP: lease calls, GitHub's webhooks, cron's tick, health and status. Turns errors into answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cell_records.errors import RecordError
from github_api.errors import GitHubError, PayloadUnreadable, WebhookRefused
from github_api.secret import Secret
from github_api.webhook import verified_event
from scaler.identity import Identity, check_secret
from scaler.lease_bodies import (
    AskBody,
    EndBody,
    EndReplyBody,
    ErrorBody,
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
    BodyTooLarge,
    CallerForbidden,
    NotReady,
    Refusal,
    UnknownCell,
)

B = TypeVar("B", bound=LeaseBody)

# What an honest instance sends is under 1 KiB; every field has its own limit too.
LEASE_BODY_MAX_BYTES = 16 * 1024

# GitHub does not deliver larger payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
WEBHOOK_BODY_MAX_BYTES = 25 * 1024 * 1024


class Service:
    """The routes and what they need."""

    def __init__(
        self,
        *,
        desk: LeaseDesk,
        identity: Identity,
        cell: Callable[[str], tuple[KnownCell, str | None] | None],
        secrets: Callable[[str], tuple[Secret, ...]],
        callers: frozenset[str],
        webhook_secret: Secret | None,
        on_repository: Callable[[str], None],
        tick: Callable[[], Awaitable[Mapping[str, Any]]],
        status: Callable[[], Mapping[str, Any]],
        ready: Callable[[], str | None],
    ) -> None:
        """`cell`: a known cell and its service account; `ready`: why the scaler is not, or None."""
        self._desk = desk
        self._identity = identity
        self._cell = cell
        self._secrets = secrets
        self._callers = callers
        self._webhook_secret = webhook_secret
        self._on_repository = on_repository
        self._tick = tick
        self._status = status
        self._ready = ready

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
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
                Refusal: _refused,
                RecordError: _unavailable,
                GitHubError: _unavailable,
                HTTPException: _http_error,
                ClientDisconnect: _gone,
            },
        )

    async def park(self, request: Request) -> Response:
        """POST /v1/leases."""
        cell, body = await self._admitted(request, AskBody)
        if await self._desk.park(cell, _ask(body)):
            return _json(OfferBody())
        return Response(status_code=204)

    async def start(self, request: Request) -> Response:
        """POST /v1/leases/start."""
        cell, body = await self._admitted(request, AskBody)
        granted = await self._desk.start(cell, _ask(body))
        return _json(
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
        cell, body = await self._admitted(request, EventBody)
        queued = await self._desk.event(
            cell,
            request.path_params["lease"],
            boot=body.boot,
            seq=body.seq,
            state=body.lease_state,
            job=body.job,
        )
        return _json(EventReplyBody(queued=queued))

    async def end(self, request: Request) -> Response:
        """POST /v1/leases/{lease}/end."""
        cell, body = await self._admitted(request, EndBody)
        reply = await self._desk.end(
            cell,
            request.path_params["lease"],
            boot=body.boot,
            outcome=body.lease_outcome,
            cause=body.cause,
            job=body.job,
        )
        return _json(EndReplyBody(reply=reply.value))

    async def webhook(self, request: Request) -> Response:
        """POST /webhooks/github. The event only says where to look; the answer comes before the look."""
        if self._webhook_secret is None:
            raise HTTPException(404, "no github.webhook_secret is configured, so no webhook is trusted")
        event = verified_event(
            body=await _body(request, most_bytes=WEBHOOK_BODY_MAX_BYTES),
            signature=request.headers.get("x-hub-signature-256"),
            secret=self._webhook_secret,
            event=request.headers.get("x-github-event"),
            delivery=request.headers.get("x-github-delivery"),
        )
        if event.job is not None and event.repository is not None:
            self._on_repository(event.repository)
            return JSONResponse({"looking_at": event.repository}, status_code=202)
        return JSONResponse({"ignored": event.event}, status_code=202)

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

    async def _admitted(self, request: Request, model: type[B]) -> tuple[KnownCell, B]:
        """The cell and the body of a caller that has shown both its account and the cell's secret."""
        body = _parsed(await _body(request, most_bytes=LEASE_BODY_MAX_BYTES), model)
        email = await self._identity.email(request.headers.get("authorization"))
        known = self._cell(body.cell)
        if known is None:
            raise UnknownCell(body.cell)
        cell, account = known
        if account is not None and email != account:
            raise BadIdentity(f"it is not of the account that cell {cell.name!r} runs as")
        check_secret(request.headers.get("x-cell-secret"), self._secrets(cell.name), cell=cell.name)
        return cell, body

    async def _check_caller(self, request: Request) -> None:
        email = await self._identity.email(request.headers.get("authorization"))
        if email not in self._callers:
            raise CallerForbidden(email)


def _ask(body: AskBody) -> Ask:
    return Ask(cell=body.cell, boot=body.boot, ask=body.ask, uptime_seconds=body.uptime)


async def _body(request: Request, *, most_bytes: int) -> bytes:
    """The body, refused as soon as it is too large, whatever Content-Length says."""
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced) > most_bytes:
        raise BodyTooLarge(most_bytes)
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most_bytes:
            raise BodyTooLarge(most_bytes)
    return bytes(read)


def _parsed(body: bytes, model: type[B]) -> B:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        what = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found[:5])
        raise BadRequest(f"The body does not fit: {what}.") from None


def _json(body: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body.model_dump_json(), status_code=status, headers=headers, media_type="application/json"
    )


def _answer(status: int, code: str, message: str, remedy: str, retry_after: int | None = None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _json(ErrorBody(error=code, message=message, remedy=remedy), status=status, headers=headers)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _answer(error.status, error.code, error.what, error.remedy, error.retry_after_seconds)


async def _unavailable(_: Request, error: Exception) -> Response:
    if isinstance(error, WebhookRefused):
        status = 400 if isinstance(error, PayloadUnreadable) else 401
        return _answer(status, "webhook_refused", error.what, error.remedy)
    refusal = NotReady(str(error))
    return _answer(refusal.status, refusal.code, refusal.what, refusal.remedy, refusal.retry_after_seconds)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(
        error.status_code, "not_here", str(error.detail), "See docs/reference for the calls that are."
    )


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)
