"""Identity tokens against an issuer on a real socket: one that behaves, one whose keys change, and one that means harm."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scaler.identity import LEEWAY_SECONDS, Identity
from scaler.identity_keys import DOCUMENT_MAX_BYTES, KEYS_AGAIN_SECONDS, KEYS_GOOD_SECONDS, PublishedKeys
from scaler.refusals import BadIdentity, NotReady
from tests.emulator_process import running_emulator
from tests.issuer import GOOGLE, Handler, Issuer
from tests.scaler_parts import Clock

AUDIENCE = "https://s.example"
EMAIL = "cells@p.iam.gserviceaccount.com"
# An honest issuer on this machine answers within milliseconds; one that drips is cut off after this.
FETCH_SECONDS = 1.0


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """One that behaves, until it is told otherwise."""
    with Issuer() as running:
        yield running


class Scaler:
    """What checks tokens, with a clock for its pauses that only the test moves."""

    def __init__(self, url: str, http: httpx.AsyncClient, *, issuer: str = GOOGLE) -> None:
        self.clock = Clock()
        self.keys = PublishedKeys(url, http=http, clock=self.clock, fetch_seconds=FETCH_SECONDS)
        self.identity = Identity(self.keys, issuer=issuer, audience=AUDIENCE)

    async def says(self, token: str) -> str:
        """The e-mail, or why there is none."""
        try:
            return await self.identity.email(f"Bearer {token}")
        except (BadIdentity, NotReady) as refused:
            return refused.what


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    ("algorithm", "claims", "said"),
    [
        ("RS256", {}, EMAIL),
        ("RS256", {"iss": "accounts.google.com"}, EMAIL),
        (
            "RS256",
            {"iss": "https://accounts.google.com.evil.example"},
            "its issuer is not the configured one",
        ),
        ("RS256", {"iss": "http://accounts.google.com"}, "its issuer is not the configured one"),
        ("RS256", {"aud": f"{AUDIENCE}/"}, EMAIL),
        ("RS256", {"aud": "https://other.example"}, "its audience is not this scaler"),
        ("RS256", {"aud": [AUDIENCE, "https://other.example"]}, "more than one audience"),
        ("RS256", {"exp": now() - LEEWAY_SECONDS - 1}, "it has expired"),
        ("RS256", {"iat": now() + 3600}, "it is not valid yet"),
        ("RS256", {"nbf": now() + 3600}, "it is not valid yet"),
        ("RS256", {"nbf": now() - 1}, EMAIL),
        ("RS256", {"email_verified": False}, "names no verified e-mail"),
        ("RS256", {"email_verified": "false"}, "names no verified e-mail"),
        ("RS256", {"without": "email"}, "names no verified e-mail"),
        ("RS256", {"without": "exp"}, "cannot be read (MissingRequiredClaimError)"),
        ("RS256", {"without": "iat"}, "cannot be read (MissingRequiredClaimError)"),
        ("RS512", {}, "cannot be read (InvalidAlgorithmError)"),
        ("PS256", {}, "cannot be read (InvalidAlgorithmError)"),
    ],
)
async def test_a_token_is_taken_or_refused_for_what_it_says(
    issuer: Issuer, algorithm: str, claims: dict[str, Any], said: str
) -> None:
    async with httpx.AsyncClient() as http:
        assert said in await Scaler(issuer.url, http).says(issuer.signed(algorithm=algorithm, **claims))
    assert issuer.asked == ["/certs"]


async def test_the_first_token_of_a_new_key_is_taken_though_somebody_sends_forged_key_ids(
    issuer: Issuer,
) -> None:
    """However many invented key ids cost one look each five seconds, and after one such pause the new key is known."""
    async with httpx.AsyncClient() as http:
        scaler = Scaler(issuer.url, http)
        old = issuer.signed()
        assert await scaler.says(old) == EMAIL
        with Issuer() as stranger:
            for _ in range(10):
                stranger.tokens.rotate()
                assert "does not publish" in await scaler.says(stranger.signed())
        assert len(issuer.asked) == 1
        issuer.tokens.rotate()
        scaler.clock.now += KEYS_AGAIN_SECONDS + 0.1
        assert await scaler.says(issuer.signed()) == EMAIL
        assert await scaler.says(old) == EMAIL, "the older key is still published"
        assert len(issuer.asked) == 2
        issuer.tokens.rotate(withdraw=True)
        scaler.clock.now += KEYS_GOOD_SECONDS + 1
        assert "does not publish" in await scaler.says(old)
        assert await scaler.says(issuer.signed()) == EMAIL


async def test_without_forged_ids_a_new_key_is_known_at_once(issuer: Issuer) -> None:
    async with httpx.AsyncClient() as http:
        scaler = Scaler(issuer.url, http)
        await scaler.says(issuer.signed())
        scaler.clock.now += 60.0
        issuer.tokens.rotate()
        assert await scaler.says(issuer.signed()) == EMAIL


def drips(handler: Handler) -> None:
    """One byte at a time, each soon enough for a time-out that counts from the last one."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    issuer: Issuer = handler.server.issuer  # type: ignore[attr-defined]
    try:
        while not issuer.is_closing.wait(0.05):
            handler.wfile.write(b" ")
    except OSError:
        handler.close_connection = True


def silent(handler: Handler) -> None:
    """Takes the question and says nothing."""
    issuer: Issuer = handler.server.issuer  # type: ignore[attr-defined]
    issuer.is_closing.wait(30)
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Sends as long as somebody reads."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    sent = 0
    try:
        while sent < 100 * DOCUMENT_MAX_BYTES:
            sent += handler.wfile.write(b" " * 4096)
    except OSError:
        pass
    handler.close_connection = True
    assert sent < 100 * DOCUMENT_MAX_BYTES, "all of it was read"


def packed(handler: Handler) -> None:
    """Little that would become much."""
    bomb = gzip.compress(b" " * 50_000_000)
    handler.reply(bomb, {"Content-Encoding": "gzip", "Content-Type": "application/json"})


def cut_off(handler: Handler) -> None:
    """Half of what it announces."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"keys": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def other_kinds(handler: Handler) -> None:
    """Keys that cannot verify RS256, among them a password."""
    keys = [
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "kid": "e", "x": "AA", "y": "AA"},
    ]
    handler.reply(json.dumps({"keys": keys}).encode())


@pytest.mark.parametrize(
    ("manners", "fault"),
    [
        (drips, "TimeoutError"),
        (silent, "Time"),
        (endless, "its answer is larger than 64 KiB"),
        (packed, "its answer is not JSON"),
        (cut_off, "RemoteProtocolError"),
        (other_kinds, "its answer holds no usable key"),
        (lambda handler: handler.reply(b"<html>busy</html>"), "its answer is not JSON"),
        (lambda handler: handler.reply(b"[" * 60_000), "its answer is not JSON"),
        (lambda handler: handler.reply(b'{"keys": {"a": 1}}'), "its answer is not a JWKS document"),
        (lambda handler: handler.reply(b"no", status=503), "it answers with status 503"),
        (lambda handler: handler.reply(b"", status=204), "it answers with status 204"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)).strip("<>") if callable(value) else "",
)
async def test_an_issuer_that_misbehaves_is_our_fault_and_costs_bounded_time_and_memory(
    issuer: Issuer, manners: Callable[[Handler], None], fault: str
) -> None:
    """503, not 401, while there is no key; afterwards the same issuer is believed again."""
    async with httpx.AsyncClient() as http:
        scaler = Scaler(issuer.url, http)
        issuer.answer = manners
        token = issuer.signed()
        begun = time.monotonic()
        said = await scaler.says(token)
        assert fault in said
        assert "could not be fetched" in said
        assert time.monotonic() - begun < FETCH_SECONDS + 2
        issuer.answer = issuer.publish
        scaler.clock.now += 60
        assert await scaler.says(token) == EMAIL


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed_not_even_to_a_host_that_has_the_keys(
    issuer: Issuer, status: int
) -> None:
    """Whoever can answer in the issuer's place for one moment must not name who is believed."""
    with Issuer() as stranger:
        issuer.answer = lambda handler: handler.reply(b"", {"Location": stranger.url}, status=status)
        async with httpx.AsyncClient(follow_redirects=True) as http:
            said = await Scaler(issuer.url, http).says(stranger.signed())
        assert f"a redirect ({status}), and none is followed" in said
        assert stranger.asked == []


async def test_a_good_issuer_that_turns_bad_leaves_its_keys_good(issuer: Issuer) -> None:
    """And is asked once for many callers."""
    async with httpx.AsyncClient() as http:
        scaler = Scaler(issuer.url, http)
        token = issuer.signed()
        assert await scaler.says(token) == EMAIL
        issuer.answer = drips
        scaler.clock.now += KEYS_GOOD_SECONDS + 1
        begun = time.monotonic()
        assert [await scaler.says(token) for _ in range(20)] == [EMAIL] * 20
        assert time.monotonic() - begun < FETCH_SECONDS + 2
        assert len(issuer.asked) == 2


async def test_the_stand_ins_own_issuer_rotates_as_googles_does(tmp_path: Any) -> None:
    """The program `python -m emulator`: its tokens, its document, its change of keys."""
    with running_emulator(tmp_path / "world") as emulator:
        door = emulator.cloud
        async with httpx.AsyncClient() as http:
            scaler = Scaler(f"{emulator.cloud_url}/oauth2/v3/certs", http, issuer=emulator.cloud_url)
            old = door.identity_token(email=EMAIL, audience=AUDIENCE)
            assert await scaler.says(old) == EMAIL
            door.rotate_identity_keys()
            scaler.clock.now += KEYS_AGAIN_SECONDS + 1
            new = door.identity_token(email=EMAIL, audience=AUDIENCE)
            assert [await scaler.says(each) for each in (new, old)] == [EMAIL, EMAIL]
            door.rotate_identity_keys(withdraw=True)
            scaler.clock.now += KEYS_GOOD_SECONDS + 1
            assert "does not publish" in await scaler.says(new)
