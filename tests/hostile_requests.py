"""Requests that nobody honest sends, for every entry of the scaler's service: hypothesis strategies over what is wrong.

Knows the documented wire (docs/reference/lease_protocol.md) and nothing of the service's code. Each request says which
answers are right for it, so that a refusal for another reason is a finding too.
One long file, because most of it is tables of what strangers send, one line a piece.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

Headers = tuple[tuple[bytes, bytes], ...]

LEASE_BODY_MAX_BYTES = 16 * 1024
GET_PATHS = ("/status", "/healthz", "/readyz")
POST_PATHS = (
    "/v1/leases",
    "/v1/leases/start",
    "/v1/leases/x/events",
    "/v1/leases/x/end",
    "/webhooks/github",
    "/tick",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """What an honest instance, GitHub and cron have; hostile requests are made by spoiling it.

    `lease` stands for `boot` by its `ask` and fills its cell; `standing` is False where no lease does.
    """

    cell: str
    boot: str
    lease: str
    ask: int
    standing: bool
    token: str = field(repr=False)
    bad_tokens: tuple[str, ...] = field(repr=False)
    caller_token: str = field(repr=False)
    secret: str = field(repr=False)
    other_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    repository: str = "acme/widgets"

    def credentials(self) -> Headers:
        """The two headers of a lease call."""
        return (
            (b"Authorization", b"Bearer " + self.token.encode()),
            (b"X-Cell-Secret", self.secret.encode()),
        )

    def body(self, path: str) -> dict[str, Any]:
        """The documented body of a lease call."""
        common: dict[str, Any] = {"cell": self.cell, "boot": self.boot}
        if path.endswith("/events"):
            return {**common, "seq": 2, "state": "running", "job": "build", "result": None}
        if path.endswith("/end"):
            return {
                **common,
                "seq": 9,
                "outcome": "finished",
                "cause": "done",
                "job": "build",
                "result": None,
            }
        return {**common, "instance": "i-1", "ask": self.ask, "uptime": 1.5}

    def lease_paths(self) -> tuple[str, ...]:
        """The four lease calls."""
        return (
            "/v1/leases",
            "/v1/leases/start",
            f"/v1/leases/{self.lease}/events",
            f"/v1/leases/{self.lease}/end",
        )

    def signature(self, body: bytes) -> bytes:
        """X-Hub-Signature-256 as GitHub makes it."""
        return b"sha256=" + hmac.new(self.webhook_secret.encode(), body, hashlib.sha256).hexdigest().encode()

    def delivery(self) -> dict[str, Any]:
        """A `workflow_job` event as GitHub sends it."""
        job = {"id": 1, "run_id": 7, "status": "queued", "labels": ["linux"], "runner_id": None}
        return {
            "action": "queued",
            "repository": {"full_name": self.repository, "private": True},
            "workflow_job": job,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileRequest:
    """One request. `right`: the statuses that answer it; `chunked`: sent in pieces, its length not announced."""

    wrong: str
    method: str
    target: str
    right: frozenset[int]
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    chunked: bool = False

    def __repr__(self) -> str:
        """For a failed example: what is wrong and where, with the body's beginning and without credentials."""
        shown = f"{self.body[:120]!r} of {len(self.body)} bytes"
        return f"<{self.wrong}: {self.method} {self.target[:80]} {shown}, right: {sorted(self.right)}>"


# What JSON allows and no field expects. Texts of hypothesis's own choice hold every plane of Unicode.
_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["", "\x00", "\x1b[2J", "a" * 600, "../..", "' OR 1=1 --", "{{7*7}}", "\u202e", "\ud800"]
    ),
)
JSON_VALUES: st.SearchStrategy[Any] = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, max_size=3),
    st.dictionaries(st.text(max_size=6), _SCALARS, max_size=2),
    st.lists(st.lists(_SCALARS, max_size=2), max_size=2),
)

# Bodies that are no JSON object at all, whatever the call.
NO_OBJECTS: tuple[bytes, ...] = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"\x00",
    b"\xff\xfe{\x00}\x00",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    b"{'cell': 'a'}",
    b'{"cell": NaN}',
    b"[" * 15_000,
    b'{"a":' * 3_000,
    b'{"ask":' + b"9" * 9_000 + b"}",
    b'{"cell":"\\ud800"}',
    b'{"cell":"\xff"}',
    b"cell=a&boot=b",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
)

ODD_HEADERS: tuple[Headers, ...] = (
    (),
    ((b"Content-Encoding", b"gzip"),),
    ((b"Content-Type", b"application/x-www-form-urlencoded"),),
    ((b"Content-Type", b"application/json; charset=utf-7"),),
    ((b"Content-Type", b"\xff\xfe"),),
    ((b"Accept", b"\xe9" * 200),),
    ((b"X-Huge", b"x" * 12_000),),
    tuple((f"X-Many-{number}".encode(), b"y" * 20) for number in range(90)),
    tuple((b"X-Same", str(number).encode()) for number in range(40)),
    ((b"Cookie", b"a=b; " * 300),),
    ((b"X-HTTP-Method-Override", b"DELETE"),),
    (
        (b"X-Forwarded-Host", b"evil.example"),
        (b"X-Forwarded-For", b"127.0.0.1"),
        (b"Forwarded", b"for=\x22[::1"),
    ),
    ((b"Range", b"bytes=0-,0-,0-"),),
    ((b"Host", b"[::1"),),
    ((b"Host", b"evil.example:99999999"),),
    ((b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMAAABkAAQAAP__")),
)

# Only a server in front of the service can send these on: over a socket they are broken HTTP, see BROKEN_HTTP.
ODD_LENGTHS: tuple[bytes, ...] = (
    b"-1",
    b"1e3",
    b"\xb2",
    b"0x10",
    b"9" * 5_000,
    b"0" * 5_000,
    b"",
    b"1, 1",
    b" 7",
)


def hostile_requests(honest: Honest, *, odd_lengths: bool) -> st.SearchStrategy[HostileRequest]:
    """Every way of being wrong, as likely as another. `odd_lengths`: also a Content-Length that no server lets through."""
    ways = [
        _broken_bodies(honest),
        _flipped_bytes(honest),
        _broken_credentials(honest),
        _refused_by_the_record(honest),
        _forged_webhooks(honest),
        _signed_webhooks(honest),
        _callers_calls(honest),
        _open_doors(),
        _nowhere(honest),
        _wrong_methods(),
    ]
    requests = st.one_of(*ways)
    lengths = st.sampled_from((None,) * 9 + ODD_LENGTHS) if odd_lengths else st.none()
    headers, chunked = st.sampled_from(ODD_HEADERS), st.booleans()

    @st.composite
    def decorated(draw: st.DrawFn) -> HostileRequest:
        # Not by `builds`, which would print every argument of a failed example, bodies and tokens included.
        return _decorated(draw(requests), draw(headers), draw(lengths), draw(chunked))

    return decorated()


def _decorated(request: HostileRequest, odd: Headers, length: bytes | None, chunked: bool) -> HostileRequest:
    own = {name.lower() for name, _ in request.headers}
    headers = (*request.headers, *(each for each in odd if each[0].lower() not in own))
    right = request.right
    if length is not None:
        headers = (*headers, (b"Content-Length", length))
        if length == b"9" * 5_000 and request.method == "POST":
            right |= {413}
    return replace(request, headers=headers, right=right, chunked=chunked and length is None)


def _broken_bodies(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    """Everything is honest but the body: the 422 comes before anybody looks at the record."""

    def request(path: str, body: bytes) -> HostileRequest:
        status = 413 if len(body) > LEASE_BODY_MAX_BYTES else 422
        return HostileRequest(
            wrong="broken body",
            method="POST",
            target=path,
            headers=honest.credentials(),
            body=body,
            right=frozenset({status}),
        )

    @st.composite
    def bodies(draw: st.DrawFn, path: str) -> bytes:
        good = honest.body(path)
        way = draw(st.integers(0, 5))
        key = draw(st.sampled_from(sorted(good)))
        if way == 0:
            return draw(st.sampled_from(NO_OBJECTS))
        if way == 1:
            # A list fits no field, so whatever stands in it does not either.
            return _json({**good, key: [draw(JSON_VALUES)]})
        if way == 2:
            missing = draw(st.sampled_from(sorted(good.keys() - {"job", "result", "cause"})))
            return _json({name: value for name, value in good.items() if name != missing})
        if way == 3:
            return _json({**good, "x" + draw(st.text(max_size=8)): draw(JSON_VALUES)})
        if way == 4:
            whole = _json(good)
            return whole[: draw(st.integers(0, len(whole) - 1))]
        return b" " * draw(st.integers(LEASE_BODY_MAX_BYTES, LEASE_BODY_MAX_BYTES * 3)) + _json(good)

    return st.sampled_from(honest.lease_paths()).flatmap(
        lambda path: bodies(path).map(lambda body: request(path, body))
    )


def _flipped_bytes(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    """An honest request with bytes changed, by somebody who has a token but not the secret."""

    @st.composite
    def requests(draw: st.DrawFn) -> HostileRequest:
        path = draw(st.sampled_from(honest.lease_paths()))
        body = bytearray(_json(honest.body(path)))
        for place, byte in draw(
            st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), min_size=1, max_size=4)
        ):
            body[place] = byte
        headers = ((b"Authorization", b"Bearer " + honest.token.encode()), (b"X-Cell-Secret", b"guess"))
        return HostileRequest(
            wrong="flipped bytes",
            method="POST",
            target=path,
            headers=headers,
            body=bytes(body),
            right=frozenset({401, 403, 404, 422}),
        )

    return requests()


def _authorizations(honest: Honest, strangers: Sequence[str]) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Authorization headers that show nobody, or not the one who is asked for: `strangers` hold tokens of others."""
    head, claims, signature = honest.token.split(".")
    forged = [
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-8]}AAAAAAAA",
        f"{head}.{claims[:-4]}AAAA.{signature}",
        f"{_part({'alg': 'none', 'kid': 'k1'})}.{claims}.",
        f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{claims}.{signature}",
        f"{_part({'alg': [], 'kid': 'k1'})}.{claims}.{signature}",
        f"{_part({'alg': 'RS256', 'kid': 'ghost'})}.{claims}.{signature}",
        f"{_part({'alg': 'RS256', 'kid': {'a': 1}})}.{claims}.{signature}",
        f"{_part({'alg': 'RS256', 'kid': 'k1', 'crit': ['x']})}.{claims}.{signature}",
        f"{_part({'alg': 'RS256', 'kid': 'k1', 'b64': False})}.{claims}.{signature}",
        f"{_base64(b'[' * 20_000)}.{claims}.{signature}",
        f"{_base64(b'9' * 5_000)}.{claims}.{signature}",
        "." * 5_000,
        "a" * 20_000,
    ]
    bearers = [f"Bearer {token}".encode() for token in forged]
    others = [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic YTpi",
        b"\xff\xfe",
        b"Bearer \xe9.\xe9.\xe9",
        b"Negotiate " + b"A" * 9_000,
    ]
    doubled = [(b"Bearer x", b"Bearer " + honest.token.encode())]
    made_up = st.builds(
        lambda document: (f"Bearer {_part(document)}.{claims}.{signature}".encode(),),
        st.fixed_dictionaries({"alg": JSON_VALUES, "kid": JSON_VALUES}),
    )
    return st.one_of(
        st.just(()),
        st.sampled_from([(f"Bearer {token}".encode(),) for token in strangers]),
        st.sampled_from([(each,) for each in bearers + others]),
        st.sampled_from(doubled),
        made_up,
    )


def _broken_credentials(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    """The body is honest, to the lease that stands, but the caller cannot show who it is."""

    def request(path: str, headers: Headers, right: frozenset[int]) -> HostileRequest:
        return HostileRequest(
            wrong="broken credentials",
            method="POST",
            target=path,
            headers=headers,
            body=_json(honest.body(path)),
            right=right,
        )

    def nobody(path: str, authorizations: tuple[bytes, ...]) -> HostileRequest:
        shown = tuple((b"Authorization", each) for each in authorizations)
        return request(path, (*shown, (b"X-Cell-Secret", honest.secret.encode())), frozenset({401}))

    def without_secret(path: str, secrets: tuple[bytes, ...]) -> HostileRequest:
        shown = tuple((b"X-Cell-Secret", each) for each in secrets)
        return request(path, (honest.credentials()[0], *shown), frozenset({403}))

    right = honest.secret.encode()
    wrong = [
        b"",
        honest.other_secret.encode(),
        right[:-1],
        right + b"x",
        b"\xff" * 32,
        b"\xc3\xa9",
        b"x" * 9_000,
        right[::-1] + b"0",
    ]
    secrets = st.sampled_from([(), *((each,) for each in wrong), (b"guess", right)])
    paths = st.sampled_from(honest.lease_paths())
    return st.one_of(
        st.builds(nobody, paths, _authorizations(honest, [*honest.bad_tokens, honest.caller_token])),
        st.builds(without_secret, paths, secrets),
    )


def _refused_by_the_record(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    """Well formed and with good credentials, but replayed or about a lease that is another boot's."""
    start, event, end = honest.lease_paths()[1:]
    strangers = (
        st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}").filter(lambda it: it != honest.boot)
    )
    leases = st.one_of(
        st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=24),
        st.sampled_from(["%00", "%ff%fe", "%F0%9F%92%A5", "a" * 4_000, "'%20OR%201=1", "%0d%0aX-A:b", "*"]),
    ).filter(lambda it: it not in (honest.lease, ".", ".."))

    def request(target: str, right: int, **changes: object) -> HostileRequest:
        kind = target.rpartition("/")[2]
        body = {**honest.body(f"/{kind}"), **changes}
        return HostileRequest(
            wrong="not for this boot",
            method="POST",
            target=target,
            headers=honest.credentials(),
            body=_json(body),
            right=frozenset({right}) if honest.standing else frozenset({409, 410, 503}),
        )

    ways = [
        st.builds(lambda boot: request(start, 409, boot=boot), strangers),
        st.builds(lambda boot: request(event, 410, boot=boot), strangers),
        st.builds(lambda boot: request(end, 410, boot=boot), strangers),
        st.builds(lambda lease: request(f"/v1/leases/{lease}/events", 410), leases),
        st.builds(lambda lease: request(f"/v1/leases/{lease}/end", 410), leases),
        st.builds(lambda ask: request(start, 409, ask=ask), st.integers(1, honest.ask)),
    ]
    if honest.standing:
        ways.append(st.just(request(start, 410, boot="0" * 32, uptime=1e9)))
    return st.one_of(*ways)


def _webhook(body: bytes, headers: Headers, right: int, wrong: str) -> HostileRequest:
    return HostileRequest(
        wrong=wrong,
        method="POST",
        target="/webhooks/github",
        headers=headers,
        body=body,
        right=frozenset({right}),
    )


def _forged_webhooks(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    good = _json(honest.delivery())
    signatures: list[bytes | None] = [
        None,
        b"",
        b"sha256=",
        b"sha256=" + b"0" * 64,
        b"sha1=" + b"0" * 40,
        honest.signature(good)[:-1],
        honest.signature(good).removeprefix(b"sha256="),
        honest.signature(good + b" "),
        honest.signature(good).upper(),
        b"\xff" * 71,
        b"f" * 9_000,
    ]

    def request(signature: bytes | None, body: bytes) -> HostileRequest:
        shown: Headers = () if signature is None else ((b"X-Hub-Signature-256", signature),)
        return _webhook(body, (*shown, (b"X-GitHub-Event", b"workflow_job")), 401, "forged webhook")

    bodies = st.one_of(st.just(good), st.sampled_from(NO_OBJECTS), st.binary(max_size=40).filter(bool))
    return st.builds(request, st.sampled_from(signatures), bodies)


def _signed_webhooks(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    """Signed rightly, as by a proxy that spoils what it forwards; and honest deliveries sent again."""
    good = honest.delivery()

    def request(body: bytes, right: int, event: bytes | None = b"workflow_job") -> HostileRequest:
        shown: Headers = () if event is None else ((b"X-GitHub-Event", event),)
        signed = ((b"X-Hub-Signature-256", honest.signature(body)), (b"X-GitHub-Delivery", b"same"), *shown)
        return _webhook(body, signed, right, "signed webhook")

    names = st.one_of(
        st.sampled_from(
            ["\ud800", "a/\udfff", "a", "a/b/c", "/", "", "a/" + "b" * 5_000, "../x", "a/b\n", "ä/ö"]
        ),
        JSON_VALUES.filter(lambda it: not isinstance(it, str)),
    )
    spoilt = st.sampled_from(["repository", "workflow_job", "action"]).flatmap(
        lambda key: _SCALARS.filter(lambda it: not isinstance(it, str)).map(
            lambda value: _json({**good, key: value})
        )
    )
    return st.one_of(
        st.builds(lambda body: request(body, 400), st.sampled_from(NO_OBJECTS)),
        st.builds(
            lambda name: request(_json({**good, "repository": {"full_name": name, "private": True}}), 400),
            names,
        ),
        st.builds(lambda body: request(body, 400), spoilt),
        st.just(request(b'{"workflow_job":' + b"[" * 200_000, 400)),
        st.just(request(_json(good), 400, None)),
        st.just(request(_json(good), 202)),
        st.builds(
            lambda value, event: request(_json({"zen": value}), 202, event),
            JSON_VALUES,
            st.sampled_from([b"ping", b"\xe9\xff", b"x" * 5_000, b"workflow_run", b"../../etc"]),
        ),
    )


def _callers_calls(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    def request(door: tuple[str, str], authorizations: tuple[bytes, ...], body: bytes) -> HostileRequest:
        return HostileRequest(
            wrong="caller who may not",
            method=door[0],
            target=door[1],
            headers=tuple((b"Authorization", each) for each in authorizations),
            body=body,
            right=frozenset({401, 403}),
        )

    doors = st.sampled_from([("POST", "/tick"), ("GET", "/status"), ("GET", "/status?pool=a&pool=b")])
    return st.builds(
        request,
        doors,
        _authorizations(honest, [*honest.bad_tokens, honest.token]),
        st.sampled_from([b"", b"{", b"\xff" * 900]),
    )


def _open_doors() -> st.SearchStrategy[HostileRequest]:
    """Health and readiness need nobody; whatever comes with the request changes nothing."""

    def request(method: str, path: str, query: str, body: bytes) -> HostileRequest:
        target = path + query
        return HostileRequest(
            wrong="odd look at health", method=method, target=target, body=body, right=frozenset({200})
        )

    queries = st.sampled_from(["", "?", "?a=%ff", "?" + "a=b&" * 900, "?ready=true&why=%00", "?%E2%80%AE"])
    return st.builds(
        request,
        st.sampled_from(["GET", "HEAD"]),
        st.sampled_from(["/healthz", "/readyz"]),
        queries,
        st.sampled_from([b"", b"x", b"\x00" * 5_000]),
    )


def _nowhere(honest: Honest) -> st.SearchStrategy[HostileRequest]:
    known = [
        "/healthz/", "/v1/leases/", "/v1", "/", "/V1/LEASES", "/v1/leases/a/b/end", "/v1/leases//end", "/status/..%2ftick",
        "/.git/config", "/metrics", "/docs", "/openapi.json", "/tick%00", "/%2e%2e/%2e%2e/etc/passwd", "/healthz;a=b",
        "/webhooks/github/", "/" + "a" * 6_000, "/%ff", "/v1/leases/start/", "/" + "a/" * 2_000,
    ]  # fmt: skip
    made_up = st.text(string.ascii_letters + string.digits + "-_.~!$&'()*+,;=:@", min_size=1, max_size=30)

    def request(method: str, target: str) -> HostileRequest:
        return HostileRequest(
            wrong="nowhere",
            method=method,
            target=target,
            headers=honest.credentials(),
            right=frozenset({404}),
        )

    targets = st.one_of(
        st.sampled_from(known), made_up.map(lambda text: f"/x{text}"), made_up.map(lambda text: f"/v2/{text}")
    )
    return st.builds(request, st.sampled_from(["GET", "POST", "DELETE", "OPTIONS"]), targets)


def _wrong_methods() -> st.SearchStrategy[HostileRequest]:
    odd = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "FOO", "X" * 60, "M-SEARCH"]
    pairs = [(method, path) for method in odd for path in GET_PATHS + POST_PATHS]
    pairs += [("POST", path) for path in GET_PATHS] + [("GET", path) for path in POST_PATHS]
    return st.builds(
        lambda pair, body: HostileRequest(
            wrong="wrong method", method=pair[0], target=pair[1], body=body, right=frozenset({405})
        ),
        st.sampled_from(pairs),
        st.sampled_from([b"", b"{}", b"x" * 4_000]),
    )


# What is no HTTP at all, sent as it stands: (name, bytes). A server may answer 4xx or hang up.
BROKEN_HTTP: tuple[tuple[str, bytes], ...] = (
    ("nothing", b""),
    ("half a request line", b"POST /v1/lea"),
    ("no version", b"GET /healthz\r\n\r\n"),
    ("a version that never was", b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n"),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n"),
    ("two Hosts", b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a method with a space", b"GE T /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a path of raw bytes", b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a NUL in the path", b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a header without a colon", b"GET /healthz HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n"),
    ("a header that starts with a space", b"GET /healthz HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"),
    ("a NUL in a header", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n"),
    ("a header of 100 KB", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
    ("a path of 100 KB", b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 60),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("binary", bytes(range(256)) * 8),
    *(
        (
            f"Content-Length {length[:12]!r}",
            b"POST /tick HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\nx",
        )
        for length in (b"-1", b"+1", b"1e3", b"0x10", b"9" * 5_000, b"1, 2", b"", b"\xb2")
    ),
    (
        "two Content-Lengths",
        b"POST /tick HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ),
    *(
        (
            f"chunk {chunk[:12]!r}",
            b"POST /v1/leases HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
        )
        for chunk in (
            b"zz\r\nx\r\n0\r\n\r\n",
            b"-1\r\n\r\n",
            b"f" * 40 + b"\r\n",
            b"5\r\nab\r\n0\r\n\r\n",
            b"2\r\nabXX",
        )
    ),
    ("an unknown transfer coding", b"POST /tick HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx"),
    (
        "both lengths",
        b"POST /tick HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("body cut off", b"POST /v1/leases HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{"),
    (
        "webhook cut off",
        b"POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\nX-Hub-Signature-256: a\r\n\r\n{",
    ),
    (
        "a second request in a body",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET /tick HTTP/1.1\r\n\r\n",
    ),
    (
        "a web socket",
        b"GET /tick HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ),
)


def on_the_wire(request: HostileRequest) -> bytes:
    """The request as bytes for a socket, with a right length, to be the only one of its connection."""
    lines = [f"{request.method} {request.target} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers]
    if not any(name.lower() == b"host" for name, _ in request.headers):
        lines.append(b"Host: scaler.test")
    lines.append(b"Connection: close")
    if request.chunked:
        lines.append(b"Transfer-Encoding: chunked")
        body = (
            b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(request.body)) + b"0\r\n\r\n"
        )
    else:
        lines.append(b"Content-Length: %d" % len(request.body))
        body = request.body
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def pieces(body: bytes) -> Iterator[bytes]:
    """The body in pieces of 700 bytes."""
    for start in range(0, len(body), 700):
        yield body[start : start + 700]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _part(document: object) -> str:
    return _base64(_json(document))
