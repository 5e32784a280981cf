"""What a caller of the service is answered when something is refused or fails: one form for every error."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from github_api.errors import PayloadUnreadable, WebhookRefused
from scaler.lease_bodies import ErrorBody
from scaler.refusals import NotReady, Refusal


def as_json(body: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A body as JSON."""
    return Response(
        body.model_dump_json(), status_code=status, headers=headers, media_type="application/json"
    )


def _answer(
    status: int,
    code: str,
    message: str,
    remedy: str,
    *,
    retry_after: int | None = None,
    more_headers: Mapping[str, str] | None = None,
) -> Response:
    headers = dict(more_headers or {})
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if status == 408:
        # The rest of the body may still come: https://www.rfc-editor.org/rfc/rfc9110#name-408-request-timeout
        headers["Connection"] = "close"
    return as_json(ErrorBody(error=code, message=message, remedy=remedy), status=status, headers=headers)


async def refused(_: Request, error: Exception) -> Response:
    """A Refusal."""
    assert isinstance(error, Refusal)
    return _answer(error.status, error.code, error.what, error.remedy, retry_after=error.retry_after_seconds)


async def unavailable(_: Request, error: Exception) -> Response:
    """A webhook that is refused, or records or GitHub that do not answer."""
    if isinstance(error, WebhookRefused):
        status = 400 if isinstance(error, PayloadUnreadable) else 401
        return _answer(status, "webhook_refused", error.what, error.remedy)
    refusal = NotReady(str(error))
    return _answer(
        refusal.status, refusal.code, refusal.what, refusal.remedy, retry_after=refusal.retry_after_seconds
    )


async def http_error(_: Request, error: Exception) -> Response:
    """A path or method that is not here."""
    assert isinstance(error, HTTPException)
    # A 405 must say which methods are allowed: https://www.rfc-editor.org/rfc/rfc9110#name-405-method-not-allowed
    return _answer(
        error.status_code,
        "not_here",
        str(error.detail),
        "See docs/reference for the calls that are.",
        more_headers=error.headers,
    )


async def gone(_: Request, __: Exception) -> Response:
    """A caller that has hung up; nobody reads this."""
    return Response(status_code=499)
