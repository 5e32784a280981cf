"""The issuer's published keys: when they are fetched, how long they are good, and what is no key."""

from __future__ import annotations

import httpx
import pytest

from scaler.identity_keys import (
    FAILED_AGAIN_SECONDS,
    FIRST_KEYS_AGAIN_SECONDS,
    KEYS_AGAIN_SECONDS,
    KEYS_GOOD_SECONDS,
    KEYS_KEPT_SECONDS,
)
from scaler.refusals import NotReady
from tests.scaler_parts import a_few_turns
from tests.unit.test_scaler_identity import URL, Issuer, published


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    issuer = Issuer("k1", "k2")
    assert await issuer.known("k1", "k2", "k1", "k1") == [True] * 4
    issuer.clock.now += KEYS_GOOD_SECONDS
    await issuer.known("k1")
    assert issuer.asked == 1


async def test_keys_are_fetched_again_after_an_hour() -> None:
    """A key that the issuer has withdrawn is good no longer."""
    issuer = Issuer("k1", "k2")
    await issuer.known("k1")
    issuer.names = ("k2",)
    issuer.clock.now += KEYS_GOOD_SECONDS + 1
    assert await issuer.known("k1", "k2") == [False, True]
    assert issuer.asked == 2


async def test_an_unknown_key_is_looked_for_but_not_in_a_hurry() -> None:
    """Forged tokens must not make us ask the issuer at their pace; a new key is found nevertheless."""
    issuer = Issuer("k1")
    assert await issuer.known("k1", *(f"forged-{number}" for number in range(50))) == [True] + [False] * 50
    assert issuer.asked == 1
    issuer.names = ("k1", "k2")
    issuer.clock.now += KEYS_AGAIN_SECONDS + 1
    assert await issuer.known("k2", "forged") == [True, False]
    assert issuer.asked == 2


async def test_an_issuer_that_fails_leaves_the_older_keys_good_and_is_not_asked_by_every_caller() -> None:
    """Each try may take until its time-out while other callers wait."""
    issuer = Issuer("k1")
    await issuer.known("k1")
    issuer.fails()
    issuer.clock.now += KEYS_GOOD_SECONDS + 1
    assert await issuer.known("k1", "k1", "k1") == [True] * 3
    assert issuer.asked == 2


async def test_a_caller_whose_key_is_at_hand_does_not_wait_for_a_silent_issuer_a_second_time() -> None:
    """Each try may take its whole time; the first past the hour has shown that it may come to nothing."""
    issuer = Issuer("k1")
    await issuer.known("k1")
    issuer.fails()
    issuer.clock.now += KEYS_GOOD_SECONDS + 1
    await issuer.known("k1")
    issuer.clock.now += FAILED_AGAIN_SECONDS + 1
    key = issuer.keys.key("k1")
    with pytest.raises(StopIteration) as done:
        key.send(None)  # its first step is its last: it waits for nothing
    assert done.value.value is not None
    await a_few_turns()
    assert issuer.asked == 3, "the keys are looked for all the same"


async def test_an_issuer_that_has_been_silent_for_a_day_leaves_no_key_good() -> None:
    """A thief of a withdrawn key who can also keep us from the issuer has a day, not for ever."""
    issuer = Issuer("k1")
    await issuer.known("k1")
    issuer.fails()
    issuer.clock.now += KEYS_KEPT_SECONDS - 1
    assert await issuer.known("k1") == [True]
    issuer.clock.now += FAILED_AGAIN_SECONDS + 2
    with pytest.raises(NotReady, match="ConnectTimeout"):
        await issuer.known("k1")


async def test_a_key_that_stays_as_it_was_stays_the_same_object() -> None:
    """So the tokens that were checked with it need no second check whenever somebody shows a forged key id."""
    issuer = Issuer("k1", "k2")
    before = await issuer.keys.key("k1")
    issuer.clock.now += KEYS_AGAIN_SECONDS + 1
    assert await issuer.known("forged") == [False]
    assert issuer.asked == 2
    assert await issuer.keys.key("k1") is before
    other = {**published("k2")["keys"][0], "kid": "k1"}
    issuer.reply = lambda: httpx.Response(200, json={"keys": [other]})
    issuer.clock.now += KEYS_AGAIN_SECONDS + 1
    await issuer.known("forged")
    after = await issuer.keys.key("k1")
    assert after is not None
    assert after is not before, "a key id that means another key is another key"


async def test_without_any_key_nobody_is_refused_for_it_and_the_next_try_comes_soon() -> None:
    """It is our fault, not the caller's: 503 and not 401."""
    issuer = Issuer("k1")
    issuer.fails()
    for _ in range(3):
        with pytest.raises(NotReady, match=rf"{URL}: ConnectTimeout"):
            await issuer.known("k1")
    assert issuer.asked == 1
    issuer.reply = None
    issuer.clock.now += FIRST_KEYS_AGAIN_SECONDS + 0.1
    assert await issuer.known("k1") == [True]


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"keys": 3}),
        httpx.Response(200, json={"keys": [{"kty": "RSA"}]}),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "k1", "n": 7, "e": "AQAB"}]}),
        httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "k1", "n": "!", "e": "AQAB"}]}),
        httpx.Response(200, json={"keys": [{"kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB"}]}),
        httpx.Response(200, json={"keys": [{"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}]}),
        httpx.Response(200, content=b"[" * 60_000),
    ],
    ids=[
        "500",
        "no JSON",
        "a list",
        "no keys",
        "keys are a number",
        "half a key",
        "an empty list",
        "a number for a modulus",
        "a modulus that is no text of one",
        "a short key",
        "a password for a key",
        "deeper than can be read",
    ],
)
async def test_a_strange_document_is_no_key(reply: httpx.Response) -> None:
    issuer = Issuer("k1")
    issuer.reply = lambda: reply
    with pytest.raises(NotReady):
        await issuer.known("k1")
