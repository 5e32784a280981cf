"""Who is calling: checks identity tokens that Google has signed, and the secrets of cells.

https://cloud.google.com/run/docs/securing/service-identity#identity_tokens
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from github_api.secret import Secret
from scaler.identity_keys import Keys
from scaler.refusals import BadIdentity, BadSecret

# Clocks of the caller and of this machine may differ by that much.
LEEWAY_SECONDS = 30.0
# The last second of the year 9999; a later one is no date.
LATEST = 253_402_300_800
# Tokens that were found good are known again by their digest. An instance shows its own for an hour, several times a
# minute; when more than these are in use, the first are checked anew.
TOKENS_KNOWN = 4096


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
                # The times are compared below, with the clock that was given.
                options={
                    "require": ["exp", "iat", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise BadIdentity(_cause(error)) from None
        expires_at = _checked_times(claims, now=self._clock())
        if not isinstance(claims["aud"], str):
            # Google's tokens have one audience. One that others were meant to see as well could be shown by them.
            raise BadIdentity("it is meant for more than one audience")
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise BadIdentity("it names no verified e-mail (ask the metadata server with format=full)")
        return _Good(email, key_id, key, expires_at=expires_at)


def _checked_times(claims: Mapping[str, Any], *, now: float) -> float:
    """When a token expires, in seconds since the epoch; clocks may differ by LEEWAY_SECONDS. Raises BadIdentity.

    https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4 (exp), 4.1.5 (nbf), 4.1.6 (iat).
    """
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    for name, value in times.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LATEST:
            raise BadIdentity(f"its {name} is no time")
    if now >= times["exp"] + LEEWAY_SECONDS:
        raise BadIdentity("it has expired")
    if max(times["iat"], times.get("nbf", times["iat"])) > now + LEEWAY_SECONDS:
        raise BadIdentity("it is not valid yet; compare the clocks")
    return float(times["exp"])


def check_secret(given: str | None, known: Iterable[Secret], *, cell: str) -> None:
    """Compare the header X-Cell-Secret with the cell's secrets in constant time. Raises BadSecret."""
    if not is_secret_of(given, known):
        raise BadSecret(cell)


def is_secret_of(given: str | None, known: Iterable[Secret]) -> bool:
    """Whether the header X-Cell-Secret holds one of a cell's secrets; compared in constant time."""
    shown = (given or "").encode("utf-8", "surrogateescape")
    # Every candidate is compared, so that the time does not tell which of two was right.
    fits = [hmac.compare_digest(shown, secret.reveal().encode()) for secret in known]
    return any(fits)


def _cause(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.InvalidAudienceError():
            return "its audience is not this scaler"
        case jwt.InvalidIssuerError():
            return "its issuer is not the configured one"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case _:
            return f"it cannot be read ({type(error).__name__})"
