"""Tokens that were found good are known again: for how long, how many, and what makes them be checked anew."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from scaler.identity import Identity
from scaler.identity_keys import KEYS_GOOD_SECONDS
from tests.scaler_parts import Clock
from tests.unit.test_scaler_identity import AUDIENCE, EMAIL, ISSUER, Issuer, a_token, identity, now, refusal


class Checks:
    """Counts how often a signature is really checked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made = 0
        self._decode = jwt.decode
        patch.setattr("scaler.identity.jwt.decode", self._counted)

    def _counted(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        self.made += 1
        return self._decode(*arguments, **options)


async def test_a_token_that_was_good_is_not_checked_again_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An instance shows the same one several times a minute."""
    checks, of, token = Checks(monkeypatch), identity(), a_token()
    assert [await of.email(f"Bearer {token}") for _ in range(5)] == [EMAIL] * 5
    assert checks.made == 1
    assert await of.email(f"Bearer {a_token(email='other@p.example')}") == "other@p.example"
    assert checks.made == 2


async def test_a_token_is_known_no_longer_than_it_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its expiry on it is checked in full, and so refused."""
    checks, clock = Checks(monkeypatch), Clock(now=now())
    of = Identity(Issuer("k1").keys, issuer=ISSUER, audience=AUDIENCE, clock=clock)
    token = a_token(exp=now() + 100.0)
    made = []
    for seconds in (0.0, 99.0, 2.0):
        clock.now += seconds
        await of.email(f"Bearer {token}")
        made.append(checks.made)
    assert made == [1, 1, 2]


async def test_a_known_token_is_checked_anew_when_the_issuers_keys_were_fetched_again() -> None:
    """A key that the issuer has withdrawn takes its tokens with it."""
    issuer = Issuer("k1")
    of, token = Identity(issuer.keys, issuer=ISSUER, audience=AUDIENCE), a_token()
    assert await of.email(f"Bearer {token}") == EMAIL
    issuer.names = ("k2",)
    issuer.clock.now += KEYS_GOOD_SECONDS + 1
    assert "does not publish" in await refusal(f"Bearer {token}", of=of)


async def test_a_token_that_differs_in_anything_is_checked_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known is the whole token, so a known payload lends nothing to another signature."""
    checks, of, token = Checks(monkeypatch), identity(), a_token()
    await of.email(f"Bearer {token}")
    forged = token[:-8] + ("A" * 8 if not token.endswith("A" * 8) else "B" * 8)
    assert "its signature is wrong" in await refusal(f"Bearer {forged}", of=of)
    assert checks.made == 2


async def test_no_more_tokens_are_known_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may mint tokens of an account cannot fill the memory with them; those that were refused leave nothing."""
    monkeypatch.setattr("scaler.identity.TOKENS_KNOWN", 3)
    checks, of = Checks(monkeypatch), identity()
    tokens = [a_token(sub=str(number)) for number in range(5)]
    for token in tokens:
        await of.email(f"Bearer {token}")
        await refusal(f"Bearer {token}x", of=of)
    assert len(of._good) == 3
    made = checks.made
    assert [await of.email(f"Bearer {token}") for token in tokens[2:]] == [EMAIL] * 3
    assert checks.made == made
    await of.email(f"Bearer {tokens[0]}")
    assert checks.made == made + 1
