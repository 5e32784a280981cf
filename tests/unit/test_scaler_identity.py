"""Who is calling: tokens signed with real keys, and the secrets of cells."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from github_api.secret import Secret
from scaler.identity import LEEWAY_SECONDS, Identity, check_secret
from scaler.identity_keys import PublishedKeys
from scaler.refusals import BadIdentity, BadSecret
from tests.scaler_parts import Clock

ISSUER = "https://accounts.google.com"
AUDIENCE = "https://scaler.example.com"
EMAIL = "cells@p.iam.gserviceaccount.com"
# Long ago: only a clock that is given makes tokens of that time good.
NOW = 1_500_000_000
AN_HOUR = 3600
URL = "https://keys.test/certs"


@cache
def a_key(name: str) -> rsa.RSAPrivateKey:
    """One key a name for the whole run: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(*names: str) -> dict[str, Any]:
    """The issuer's document with these keys."""
    return {
        "keys": [
            {**RSAAlgorithm.to_jwk(a_key(name).public_key(), as_dict=True), "kid": name} for name in names
        ]
    }


def now() -> float:
    return time.time()


def a_token(
    *, key: str = "k1", key_id: str | None = "k1", without: str | None = None, **claims: object
) -> str:
    """A token as the metadata server gives it to an instance, with some claims changed or one left out."""
    plain: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now() - 5,
        "exp": now() + AN_HOUR,
        "sub": "1234",
        "email": EMAIL,
        "email_verified": True,
    }
    plain |= claims
    plain.pop(without or "", None)
    headers = {} if key_id is None else {"kid": key_id}
    return jwt.encode(plain, a_key(key), algorithm="RS256", headers=headers)


class Issuer:
    """Publishes keys; counts how often it was asked. `reply` may be put in the place of the document."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked = 0
        self.reply: Callable[[], httpx.Response] | None = None
        self.clock = Clock()
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.keys = PublishedKeys(URL, http=http, clock=self.clock)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        self.asked += 1
        told = self.reply() if self.reply else httpx.Response(200, json=published(*self.names))
        return httpx.Response(told.status_code, headers=told.headers, content=in_pieces(told.content))

    def fails(self) -> None:
        """From now on no answer comes."""
        self.reply = _no_answer

    async def known(self, *names: str) -> list[bool]:
        """Which of these key ids are known, asked one after another."""
        return [await self.keys.key(name) is not None for name in names]


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body that is not read yet, as it comes from a socket."""
    yield content


def _in_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _no_answer() -> httpx.Response:
    raise httpx.ConnectTimeout("no answer")


def identity(*names: str, audience: str = AUDIENCE, issuer: str = ISSUER) -> Identity:
    return Identity(Issuer(*(names or ("k1",))).keys, issuer=issuer, audience=audience)


async def refusal(authorization: str | None, *, of: Identity | None = None) -> str:
    with pytest.raises(BadIdentity) as refused:
        await (of or identity()).email(authorization)
    return refused.value.what


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_token_of_the_issuer_names_the_account(scheme: str) -> None:
    assert await identity().email(f"{scheme} {a_token()}") == EMAIL


@pytest.mark.parametrize("configured", [AUDIENCE, f"{AUDIENCE}/"])
@pytest.mark.parametrize("named", [AUDIENCE, f"{AUDIENCE}/"])
async def test_a_slash_at_the_end_of_the_audience_makes_no_difference(configured: str, named: str) -> None:
    assert await identity(audience=configured).email(f"Bearer {a_token(aud=named)}") == EMAIL


async def test_google_writes_its_name_with_and_without_a_scheme() -> None:
    assert await identity().email(f"Bearer {a_token(iss='accounts.google.com')}") == EMAIL


@pytest.mark.parametrize(
    ("claims", "refused"),
    [
        ({"exp": NOW - LEEWAY_SECONDS + 1}, None),
        ({"exp": NOW - LEEWAY_SECONDS}, "it has expired"),
        ({"iat": NOW + LEEWAY_SECONDS}, None),
        ({"iat": NOW + LEEWAY_SECONDS + 1}, "it is not valid yet"),
        ({"nbf": NOW + LEEWAY_SECONDS}, None),
        ({"nbf": NOW + LEEWAY_SECONDS + 1}, "it is not valid yet"),
        ({"nbf": "soon"}, "its nbf is no time"),
        ({"exp": "never"}, "its exp is no time"),
        ({"exp": True}, "its exp is no time"),
        ({"exp": 1e300}, "its exp is no time"),
        ({"exp": float("inf")}, "its exp is no time"),
    ],
)
async def test_clocks_may_differ_by_the_leeway_and_no_second_more(
    claims: dict[str, Any], refused: str | None
) -> None:
    """By the clock that was given, not by the machine's."""
    of = Identity(Issuer("k1").keys, issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    token = a_token(**{"iat": NOW - 5, "exp": NOW + AN_HOUR, **claims})
    if refused is None:
        assert await of.email(f"Bearer {token}") == EMAIL
    else:
        assert refused in await refusal(f"Bearer {token}", of=of)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "token"])
async def test_a_caller_without_a_bearer_token_is_told_so(header: str | None) -> None:
    assert "holds no bearer token" in await refusal(header)


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"exp": now() - LEEWAY_SECONDS - 10}, "it has expired"),
        ({"iat": now() + AN_HOUR}, "it is not valid yet"),
        ({"aud": "https://another.example.com"}, "its audience is not this scaler"),
        ({"aud": f"{AUDIENCE}.evil.example"}, "its audience is not this scaler"),
        ({"iss": "https://accounts.evil.example"}, "its issuer is not the configured one"),
        ({"aud": [AUDIENCE]}, "more than one audience"),
        ({"aud": [AUDIENCE, "https://another.example.com"]}, "more than one audience"),
        ({"email_verified": False}, "names no verified e-mail"),
        ({"email_verified": "false"}, "names no verified e-mail"),
        ({"email_verified": 1}, "names no verified e-mail"),
        ({"email": 7}, "names no verified e-mail"),
        ({"without": "email"}, "names no verified e-mail"),
        ({"without": "email_verified"}, "names no verified e-mail"),
        ({"without": "exp"}, "it cannot be read (MissingRequiredClaimError)"),
        ({"without": "aud"}, "it cannot be read (MissingRequiredClaimError)"),
        ({"key": "k2"}, "its signature is wrong"),
        ({"key_id": "k2"}, "signed with a key that the issuer does not publish"),
        ({"key_id": None}, "signed with a key that the issuer does not publish"),
    ],
)
async def test_each_refusal_says_its_cause(claims: dict[str, Any], cause: str) -> None:
    """And never the token."""
    token = a_token(**claims)
    what = await refusal(f"Bearer {token}")
    assert cause in what
    assert not any(part in what for part in token.split("."))


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "é.é.é", "a b"])
async def test_what_is_no_token_is_refused_as_unreadable(token: str) -> None:
    assert "cannot be read" in await refusal(f"Bearer {token}")


async def test_a_token_signed_with_the_public_key_as_a_password_is_refused() -> None:
    """The known trick with HS256: what is published must not be good for signing."""
    header, payload, _ = a_token().split(".")
    header = _in_base64(json.dumps({"alg": "HS256", "kid": "k1", "typ": "JWT"}).encode())
    password = a_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = hmac.digest(password, f"{header}.{payload}".encode(), hashlib.sha256)
    what = await refusal(f"Bearer {header}.{payload}.{_in_base64(signature)}")
    assert "cannot be read (InvalidAlgorithmError)" in what


async def test_a_token_without_a_signature_is_refused() -> None:
    _, payload, _ = a_token().split(".")
    header = _in_base64(json.dumps({"alg": "none", "kid": "k1", "typ": "JWT"}).encode())
    assert "cannot be read (InvalidAlgorithmError)" in await refusal(f"Bearer {header}.{payload}.")


async def test_only_the_documented_algorithm_is_accepted() -> None:
    """Also if the issuer publishes a key for another one."""
    issuer = Issuer("k1")
    (published_key,) = published("k1")["keys"]
    issuer.reply = lambda: httpx.Response(200, json={"keys": [{**published_key, "alg": "RS512"}]})
    claims = jwt.decode(a_token(), options={"verify_signature": False})
    token = jwt.encode(claims, a_key("k1"), algorithm="RS512", headers={"kid": "k1"})
    of = Identity(issuer.keys, issuer=ISSUER, audience=AUDIENCE)
    assert "cannot be read (InvalidAlgorithmError)" in await refusal(f"Bearer {token}", of=of)


@pytest.mark.parametrize("given", ["new", "old"])
def test_each_of_two_secrets_opens_the_cell(given: str) -> None:
    check_secret(given, [Secret("new"), Secret("old")], cell="linux-a")


@pytest.mark.parametrize("given", [None, "", "ne", "newer", "NEW", "é", "\udcff"])
def test_any_other_secret_does_not_and_is_not_repeated(given: str | None) -> None:
    with pytest.raises(BadSecret) as refused:
        check_secret(given, [Secret("new"), Secret("old")], cell="linux-a")
    assert "linux-a" in refused.value.what
    assert not given or given not in refused.value.what.replace("linux-a", "")


def test_a_cell_without_secrets_opens_to_nobody() -> None:
    for given in (None, "", "x"):
        with pytest.raises(BadSecret):
            check_secret(given, [], cell="linux-a")


def test_every_secret_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which one was right must not show in the time it takes."""
    compared: list[bytes] = []

    def compare(shown: bytes, known: bytes) -> bool:
        compared.append(known)
        return shown == known

    monkeypatch.setattr("scaler.identity.hmac.compare_digest", compare)
    check_secret("new", [Secret("new"), Secret("old")], cell="linux-a")
    assert compared == [b"new", b"old"]
