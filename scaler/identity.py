"""Who is calling: checks identity tokens that Google has signed, and the secrets of cells.

https://cloud.google.com/run/docs/securing/service-identity#identity_tokens
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import httpx
import jwt

from github_api.secret import Secret
from scaler.refusals import BadIdentity, BadSecret, NotReady

# Google's keys change every few days and are published a day ahead.
KEYS_GOOD_SECONDS = 3600.0
# A token with an unknown key id may be forged, and an issuer that does not answer costs each caller the time-out:
# with keys at hand they are not fetched more often than this.
KEYS_AGAIN_SECONDS = 30.0
# Without any key nobody can be let in, so the next try comes sooner.
FIRST_KEYS_AGAIN_SECONDS = 2.0
# Clocks of the caller and of this machine may differ by that much.
LEEWAY_SECONDS = 30.0
# Tokens that were found good are known again by their digest. An instance shows its own for an hour, several times a
# minute; when more than these are in use, the first are checked anew.
TOKENS_KNOWN = 4096


class Keys(Protocol):
    """The issuer's public keys."""

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None. Raises NotReady when the keys cannot be had."""


class PublishedKeys:
    """Keys from the issuer's JWKS document, fetched when needed and kept for an hour."""

    def __init__(self, url: str, *, http: httpx.AsyncClient, clock: Callable[[], float]) -> None:
        """`url`: the JWKS document; `clock`: seconds."""
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._good_until = float("-inf")
        self._next_try_at = float("-inf")
        self._fault = "not fetched"
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """See Keys."""
        known = self._keys.get(key_id)
        if known is not None and self._clock() <= self._good_until:
            # Without the lock: somebody's token with an invented key id may hold it for as long as the issuer is silent.
            return known
        async with self._lock:
            now = self._clock()
            if (key_id not in self._keys or now > self._good_until) and now > self._next_try_at:
                await self._fetch()
                pause = KEYS_AGAIN_SECONDS if self._keys else FIRST_KEYS_AGAIN_SECONDS
                self._next_try_at = self._clock() + pause
            if not self._keys:
                raise NotReady(
                    f"The keys that sign identity tokens could not be fetched from {self._url}: {self._fault}."
                )
            return self._keys.get(key_id)

    async def _fetch(self) -> None:
        try:
            reply = await self._http.get(self._url, timeout=10.0)
            reply.raise_for_status()
            document = reply.json()
            if not isinstance(document, dict):
                raise ValueError("a JWKS document is an object")
            found = jwt.PyJWKSet.from_dict(document)
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            self._fault = type(error).__name__  # older keys stay good
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id}
        self._good_until = self._clock() + KEYS_GOOD_SECONDS


@dataclass(frozen=True, slots=True)
class _Good:
    """A token whose signature and claims were right. `key`: the published key that it was checked with."""

    email: str
    key_id: str
    key: jwt.PyJWK
    expires_at: float


class Identity:
    """Finds out which account signed in, and whether it knows a cell's secret.

    A token that was found good is not checked again until it expires or the issuer's keys were fetched anew. That a second
    check would find more is not to be expected: it asks the issuer nothing, so an account that was disabled meanwhile is
    out of reach either way, for as long as Google has dated its token. Every token that is not known is checked in full.
    """

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`audience`: this scaler's URL, as tokens must name it. `clock`: seconds since the epoch, as tokens are dated."""
        self._keys = keys
        self._issuers = [issuer, issuer.removeprefix("https://")]
        self._audiences = [audience, audience.rstrip("/"), audience.rstrip("/") + "/"]
        self._clock = clock
        self._good: dict[bytes, _Good] = {}

    async def email(self, authorization: str | None) -> str:
        """The e-mail of the account in `Bearer <token>`. Raises BadIdentity, NotReady."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise BadIdentity("the Authorization header holds no bearer token")
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._good.get(digest)
        if known is not None:
            if self._clock() < known.expires_at and await self._keys.key(known.key_id) is known.key:
                return known.email
            self._good.pop(digest, None)
        good = await self._checked(token)
        while len(self._good) >= TOKENS_KNOWN:
            del self._good[next(iter(self._good))]
        self._good[digest] = good
        return good.email

    async def _checked(self, token: str) -> _Good:
        """What a token says, once everything about it is right. Raises BadIdentity, NotReady."""
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self._keys.key(key_id)
            if key is None:
                raise BadIdentity("it is signed with a key that the issuer does not publish")
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audiences,
                issuer=self._issuers,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise BadIdentity(_cause(error)) from None
        email = claims.get("email")
        if not isinstance(email, str) or not claims.get("email_verified", False):
            raise BadIdentity("it names no verified e-mail (ask the metadata server with format=full)")
        return _Good(email, key_id, key, expires_at=float(claims["exp"]))


def check_secret(given: str | None, known: Iterable[Secret], *, cell: str) -> None:
    """Compare the header X-Cell-Secret with the cell's secrets in constant time. Raises BadSecret."""
    shown = (given or "").encode("utf-8", "surrogateescape")
    # Every candidate is compared, so that the time does not tell which of two was right.
    fits = [hmac.compare_digest(shown, secret.reveal().encode()) for secret in known]
    if not any(fits):
        raise BadSecret(cell)


def _cause(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.InvalidAudienceError():
            return "its audience is not this scaler"
        case jwt.InvalidIssuerError():
            return "its issuer is not the configured one"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet; compare the clocks"
        case _:
            return f"it cannot be read ({type(error).__name__})"
