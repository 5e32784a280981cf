"""The runner's side of GitHub's v2 protocol: token, session, messages, and the run service. Sends, never decides.

Shapes: BrokerHttpClient.cs and RunServiceHttpClient.cs of https://github.com/actions/runner.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from emulator.runner.contract import INSTANCE_HEADER, RUNNER_VERSION
from emulator.runner.errors import (
    JobGoneError,
    RegistrationGoneError,
    RunnerNotFoundError,
    SessionConflictError,
    SessionInvalidError,
    UnreachableError,
    VersionDeprecatedError,
)
from emulator.runner.exchange import Exchange, Reply
from emulator.runner.jit_configuration import JitConfiguration
from emulator.runner.signing import signed_jwt

_MACHINE = os.uname()  # the module `platform` would take longer to import than to answer
OS = "macOS" if _MACHINE.sysname == "Darwin" else "Linux"
ARCHITECTURE = {"aarch64": "ARM64", "arm64": "ARM64"}.get(_MACHINE.machine, "X64")
_ASSERTION_LIFE_SECONDS = 300.0  # VssOAuthJwtBearerAssertion.cs
_GRANT = {
    "grant_type": "client_credentials",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}
_BROKER_ERRORS: dict[str, type[Exception]] = {
    "RunnerNotFound": RunnerNotFoundError,
    "RunnerVersionTooOld": VersionDeprecatedError,
    "RunnerSessionInvalid": SessionInvalidError,
}


class Tokens:
    """The runner's access token, fetched when it is first needed and again shortly before it ends."""

    def __init__(self, configuration: JitConfiguration, *, clock: Callable[[], float] = time.time) -> None:
        self._configuration = configuration
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._fresh_until = 0.0

    def current(self, exchange: Exchange) -> str:
        """A token. Raises RegistrationGoneError, UnreachableError."""
        with self._lock:
            if self._clock() >= self._fresh_until:
                self._fetch(exchange)
            return self._token

    def _fetch(self, exchange: Exchange) -> None:
        now = self._clock()
        claims = {
            "sub": self._configuration.client_id,
            "jti": str(uuid.uuid4()),
            "iss": self._configuration.client_id,
            "aud": self._configuration.audience,
            "nbf": int(now),
            "exp": int(now + _ASSERTION_LIFE_SECONDS),
        }
        form = _GRANT | {"client_assertion": signed_jwt(claims, self._configuration.key)}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url = self._configuration.token_url
        reply = exchange.send("POST", url, headers=headers, body=urlencode(form).encode())
        content = reply.json()
        if isinstance(content, dict) and str(content.get("error", "")).lower() == "invalid_client":
            raise RegistrationGoneError(str(content.get("error_description", "")))
        if not reply.is_success or not isinstance(content, dict) or "access_token" not in content:
            raise UnreachableError(f"No token: status {reply.status}.")
        self._token = str(content["access_token"])
        self._fresh_until = now + float(content.get("expires_in", 600)) - 60.0


class Broker:
    """The message broker, for one runner."""

    def __init__(self, configuration: JitConfiguration, tokens: Tokens) -> None:
        self._configuration = configuration
        self._tokens = tokens
        self._session_id = ""

    def open_session(self, exchange: Exchange, *, owner: str, instance: str | None) -> None:
        """Raises SessionConflictError, and the errors of `Tokens.current` and of the broker."""
        body = {
            "ownerName": owner,
            "agent": {
                "id": self._configuration.agent_id,
                "name": self._configuration.agent_name,
                "version": RUNNER_VERSION,
                "osDescription": f"{_MACHINE.sysname} {_MACHINE.release}",
            },
        }
        headers = {} if instance is None else {INSTANCE_HEADER: instance}
        reply = self._send(exchange, "POST", "session", body=body, headers=headers)
        if reply.status == 409:
            raise SessionConflictError("A session for this runner already exists.")
        content = _accepted(reply, "open a session")
        self._session_id = str(content["sessionId"])

    def close_session(self, exchange: Exchange) -> None:
        """Raises UnreachableError."""
        _accepted(self._send(exchange, "DELETE", "session"), "close the session")

    def message(self, exchange: Exchange, *, status: str) -> dict[str, Any] | None:
        """Waits for a message for up to a minute; None when none came. `status`: Online or Busy."""
        query = self._query(status) | {"disableUpdate": str(self._configuration.disable_update).lower()}
        reply = self._send(exchange, "GET", f"message?{urlencode(query)}")
        if reply.is_success and not reply.body.strip():
            return None
        return _accepted(reply, "get a message") or None

    def acknowledge(self, exchange: Exchange, request_id: str, *, status: str) -> None:
        """Tells the broker that a job message arrived. Raises the broker's errors."""
        path = f"acknowledge?{urlencode(self._query(status))}"
        reply = self._send(exchange, "POST", path, body={"runnerRequestId": request_id})
        if not reply.is_success:
            _accepted(reply, "acknowledge a message")

    def acquire(self, exchange: Exchange, request: Mapping[str, Any]) -> dict[str, Any]:
        """Picks a job up. Raises JobGoneError when it is not ours (any more)."""
        body = {
            "jobMessageId": request["runner_request_id"],
            "runnerOS": OS,
            "billingOwnerId": request.get("billing_owner_id") or "",
        }
        token = self._tokens.current(exchange)
        return run_service_call(exchange, str(request["run_service_url"]), "acquirejob", body, token)

    def _query(self, status: str) -> dict[str, str]:
        return {
            "sessionId": self._session_id,
            "status": status,
            "runnerVersion": RUNNER_VERSION,
            "os": OS,
            "architecture": ARCHITECTURE,
        }

    def _send(
        self,
        exchange: Exchange,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        url = self._configuration.server_url + path
        sent = _headers(self._tokens.current(exchange), has_body=body is not None) | dict(headers or {})
        return exchange.send(
            method, url, headers=sent, body=None if body is None else json.dumps(body).encode()
        )


def run_service_call(
    exchange: Exchange, service_url: str, call: str, body: Mapping[str, Any], token: str
) -> dict[str, Any]:
    """acquirejob, renewjob or completejob. Raises JobGoneError, UnreachableError."""
    url = f"{service_url.rstrip('/')}/{call}"
    headers = _headers(token, has_body=True)
    reply = exchange.send("POST", url, headers=headers, body=json.dumps(body).encode())
    if reply.status in {404, 409, 422}:
        content = reply.json()
        detail = content.get("errorMessage") if isinstance(content, dict) else None
        raise JobGoneError(f"{call}: {reply.status} {detail or ''}".rstrip())
    return _accepted(reply, call)


def _headers(token: str, *, has_body: bool) -> dict[str, str]:
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "User-Agent": f"GitHubActionsRunner-linux-x64/{RUNNER_VERSION} (stand-in)",
    }
    return headers | {"Content-Type": "application/json; charset=utf-8"} if has_body else headers


def _accepted(reply: Reply, what: str) -> dict[str, Any]:
    """The JSON of a successful reply; raises what the broker's error body says otherwise."""
    content = reply.json()
    if reply.is_success:
        return content if isinstance(content, dict) else {}
    if isinstance(content, dict) and "errorKind" in content:
        error = _BROKER_ERRORS.get(str(content["errorKind"]))
        if error is not None:
            raise error(str(content.get("errorMessage") or content["errorKind"]))
    raise UnreachableError(f"Failed to {what}: status {reply.status}.")
