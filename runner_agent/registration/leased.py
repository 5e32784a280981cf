"""The lease protocol on the agent's side (docs/reference/lease_protocol.md). Standard library only."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runner_agent.contract import EndReply, Grant, RefusalCode
from runner_agent.errors import RefusedError, UnreachableError
from runner_agent.lifecycle.actions import EndLease, Report
from runner_agent.registration import Boot
from runner_agent.registration.exchange import Exchange, Reply, Request
from runner_agent.registration.metadata import IdentityTokens, MetadataServer

_END_SECONDS = 10.0
_LINE_CHARACTERS_MOST = 500
_URGENT_END_SECONDS = 2.0


class LeasedRegistration:
    """Asks the scaler. Identity token and cell secret go with every request."""

    def __init__(
        self,
        *,
        scaler_url: str,
        cell_secret: str,
        metadata: MetadataServer,
        tokens: IdentityTokens,
        exchange: Exchange,
    ) -> None:
        self._scaler_url = scaler_url
        self._cell_secret = cell_secret
        self._metadata = metadata
        self._tokens = tokens
        self._exchange = exchange

    def instance_id(self) -> str:
        """See Registration."""
        return self._metadata.instance_id()

    def park(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> bool:
        """`POST /v1/leases`."""
        reply = self._post("/v1/leases", _ask_body(boot, ask, uptime_seconds), timeout_seconds)
        return reply.status == 200 and reply.json().get("offer") is True

    def start(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> Grant:
        """`POST /v1/leases/start`."""
        reply = self._post("/v1/leases/start", _ask_body(boot, ask, uptime_seconds), timeout_seconds)
        return grant_of(reply.json())

    def report(self, boot: Boot, report: Report) -> int | None:
        """`POST /v1/leases/{lease}/events`."""
        body = {
            "cell": boot.cell,
            "boot": boot.boot,
            "seq": report.seq,
            "state": report.state.value,
            "job": _line(report.job),
            "result": _line(report.result),
        }
        reply = self._post(f"/v1/leases/{quote(report.lease, safe='')}/events", body, report.timeout_seconds)
        queued = reply.json().get("queued")
        return queued if isinstance(queued, int) and not isinstance(queued, bool) else None

    def end(self, boot: Boot, end: EndLease) -> EndReply:
        """`POST /v1/leases/{lease}/end`."""
        body = {
            "cell": boot.cell,
            "boot": boot.boot,
            "seq": end.seq,
            "outcome": end.outcome.value,
            "cause": _line(end.cause),
            "job": _line(end.job),
            "result": _line(end.result),
        }
        path = f"/v1/leases/{quote(end.lease, safe='')}/end"
        timeout_seconds = _URGENT_END_SECONDS if end.urgent else _END_SECONDS
        try:
            reply = self._said(path, body, None if end.word is None else end.word.value, timeout_seconds)
        except RefusedError as refusal:
            if refusal.status == 410:
                return EndReply.UNKNOWN_LEASE
            raise
        said = reply.json().get("reply")
        if said not in (EndReply.EXIT.value, EndReply.HOLD.value):
            raise UnreachableError(f"the scaler answered `end` with {said!r}, which is neither exit nor hold")
        return EndReply(said)

    def _said(self, path: str, body: Mapping[str, object], word: str | None, timeout_seconds: float) -> Reply:
        """The answer to `end` with its word; a scaler older than that word refuses it, and hears `end` without."""
        if word is not None:
            try:
                return self._post(path, {**body, "word": word}, timeout_seconds)
            except RefusedError as refusal:
                if refusal.status != 422:
                    raise
        return self._post(path, body, timeout_seconds)

    def _post(self, path: str, body: Mapping[str, object], timeout_seconds: float) -> Reply:
        headers = {
            "Authorization": f"Bearer {self._tokens.current()}",
            "X-Cell-Secret": self._cell_secret,
            "Content-Type": "application/json",
        }
        request = Request(
            method="POST", url=self._scaler_url + path, headers=headers, body=json.dumps(body).encode()
        )
        reply = self._exchange(request, timeout_seconds)
        if reply.status in (200, 204):
            return reply
        refusal = refusal_of(reply)
        if refusal.status == 401:
            self._tokens.drop()
        raise refusal


def grant_of(document: Mapping[str, Any]) -> Grant:
    """The lease in a reply to `start`. Raises UnreachableError if it does not fit the description."""
    try:
        runner = document["runner"]
        grant = Grant(
            lease=str(document["lease"]),
            runner_id=int(runner["id"]),
            runner_name=str(runner["name"]),
            encoded_jit_config=str(document["encoded_jit_config"]),
            heartbeat_seconds=float(document["heartbeat_seconds"]),
            listen_max_seconds=float(document["listen_max_seconds"]),
            job_timeout_seconds=float(document["job_timeout_seconds"]),
            hard_end_in_seconds=float(document["hard_end_in_seconds"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        # Only the key: the text around it holds the JIT configuration.
        raise UnreachableError(f"the reply to `start` does not fit: {type(error).__name__}") from None
    seconds = (
        grant.heartbeat_seconds,
        grant.listen_max_seconds,
        grant.job_timeout_seconds,
        grant.hard_end_in_seconds,
    )
    if (
        not all(0 < each < float("inf") for each in seconds)
        or not grant.lease
        or not grant.encoded_jit_config
    ):
        raise UnreachableError("the reply to `start` does not fit: a time or a name is empty")
    return grant


def refusal_of(reply: Reply) -> RefusedError:
    """What a status other than 200 and 204 says."""
    try:
        document = reply.json()
    except UnreachableError:
        document = {}
    code = str(document.get("error", ""))[:100]
    if reply.status == 410 and not code:
        code = RefusalCode.BOOT_RETIRED.value
    return RefusedError(
        status=reply.status,
        code=code or "no_code",
        message=str(document.get("message", "no message"))[:500],
        remedy=str(document.get("remedy", ""))[:500],
        retry_after_seconds=_seconds(reply.headers.get("retry-after")),
    )


def _line(text: str | None) -> str | None:
    """A text as the protocol takes it: one line of at most 500 characters. A job's name is anybody's choice."""
    return None if text is None else " ".join(text.split())[:_LINE_CHARACTERS_MOST]


def _ask_body(boot: Boot, ask: int, uptime_seconds: float) -> dict[str, object]:
    return {
        "cell": boot.cell,
        "instance": boot.instance,
        "boot": boot.boot,
        "ask": ask,
        "uptime": round(uptime_seconds, 3),
    }


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
