"""The public keys that identity tokens are signed with, as their issuer publishes them.

https://cloud.google.com/docs/authentication/token-types#id. The issuer is trusted for its keys and for nothing else: what
it sends is bounded in time and size, it leads to no other host, and no caller decides how often it is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
import jwt

from scaler.refusals import NotReady

# Google's keys change every few days and are published a day ahead.
KEYS_GOOD_SECONDS = 3600.0
# While the issuer does not answer, older keys stay good for that long; then nobody is let in rather than a thief of a
# key that was withdrawn. Running jobs do not notice.
KEYS_KEPT_SECONDS = 24 * 3600.0
# A token with an unknown key id may be forged: for such ids the keys are looked up no more often than this. So long may
# the first token of a new key have to wait while somebody sends forged ones.
KEYS_AGAIN_SECONDS = 5.0
# After a try that came to nothing.
FAILED_AGAIN_SECONDS = 30.0
# Without any key nobody can be let in, so the next try comes sooner.
FIRST_KEYS_AGAIN_SECONDS = 2.0
# All of one try, however slowly the answer comes.
FETCH_SECONDS = 10.0
# Google's document has less than 2 KiB.
DOCUMENT_MAX_BYTES = 64 * 1024
# RSA keys of other sizes are no keys: shorter ones can be forged, longer ones make each check slow.
KEY_BITS = range(2048, 8193)


class Keys(Protocol):
    """The issuer's public keys."""

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id, or None. Raises NotReady when the keys cannot be had."""


class PublishedKeys:
    """Keys from the issuer's JWKS document, fetched when needed and kept for an hour."""

    def __init__(
        self,
        url: str,
        *,
        http: httpx.AsyncClient,
        clock: Callable[[], float],
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        """`url`: the JWKS document; `clock`: seconds; `fetch_seconds`: the longest that one try may take."""
        self._url = url
        self._http = http
        self._clock = clock
        self._fetch_seconds = fetch_seconds
        self._written: dict[str, Mapping[str, Any]] = {}
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._next_try_at = float("-inf")
        self._fault: str | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """See Keys."""
        now = self._clock()
        known = self._keys.get(key_id)
        if known is not None and now <= self._fetched_at + KEYS_GOOD_SECONDS:
            return known
        if self._fetching is None and now > self._next_try_at:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._fetch_is_over)
        # Where the last try failed, a caller whose key is at hand does not wait for the next one to fail.
        if self._fetching is not None and (known is None or self._fault is None):
            # Shielded: a caller who leaves must not take the keys away from the others.
            await asyncio.shield(self._fetching)
        if self._clock() > self._fetched_at + KEYS_KEPT_SECONDS:
            raise NotReady(
                f"The keys that sign identity tokens could not be fetched from {self._url}: {self._fault}."
            )
        return self._keys.get(key_id)

    def _fetch_is_over(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            found = published_keys(await self._document())
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self._fault = str(error) if isinstance(error, ValueError) else type(error).__name__
            # Older keys stay good.
            pause = FAILED_AGAIN_SECONDS if self._keys else FIRST_KEYS_AGAIN_SECONDS
        else:
            # A key that is as it was stays the same object: what was checked with it need not be checked again.
            self._keys = {
                key_id: self._keys[key_id] if self._written.get(key_id) == written else _key(written)
                for key_id, written in found.items()
            }
            self._written = found
            self._fault = None
            self._fetched_at = self._clock()
            pause = KEYS_AGAIN_SECONDS
        self._next_try_at = self._clock() + pause

    async def _document(self) -> bytes:
        """The document as sent. Raises ValueError, TimeoutError, httpx.HTTPError."""
        read = bytearray()
        # Unpacking could make much of little, so nothing packed is asked for and nothing is unpacked.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(self._fetch_seconds),
            self._http.stream(
                "GET", self._url, headers=headers, follow_redirects=False, timeout=self._fetch_seconds
            ) as reply,
        ):
            if reply.is_redirect:
                raise ValueError(f"it answers with a redirect ({reply.status_code}), and none is followed")
            if reply.status_code != 200:
                raise ValueError(f"it answers with status {reply.status_code}")
            async for chunk in reply.aiter_raw():
                read += chunk
                if len(read) > DOCUMENT_MAX_BYTES:
                    raise ValueError(f"its answer is larger than {DOCUMENT_MAX_BYTES // 1024} KiB")
        return bytes(read)


def published_keys(document: bytes) -> dict[str, Mapping[str, Any]]:
    """Key id -> the public parts of each usable RSA key of a JWKS document; keys of other kinds are passed over.

    https://www.rfc-editor.org/rfc/rfc7517#section-5. Raises ValueError when there is none.
    """
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        raise ValueError("its answer is not JSON") from None
    listed = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(listed, list):
        raise ValueError("its answer is not a JWKS document")
    found: dict[str, Mapping[str, Any]] = {}
    for each in listed:
        if isinstance(each, dict) and isinstance(each.get("kid"), str) and each["kid"]:
            # Without anything else that may stand there: a private part would make it a key to sign with.
            written = {name: each[name] for name in ("kty", "alg", "n", "e") if name in each}
            if _is_usable(written):
                found[each["kid"]] = written
    if not found:
        raise ValueError("its answer holds no usable key")
    return found


def _is_usable(written: Mapping[str, Any]) -> bool:
    if written.get("kty") != "RSA" or not all(isinstance(written.get(name), str) for name in ("n", "e")):
        return False
    try:
        key = _key(written)
    except (jwt.PyJWTError, ValueError):
        return False
    return key.key.key_size in KEY_BITS


def _key(written: Mapping[str, Any]) -> jwt.PyJWK:
    return jwt.PyJWK.from_dict(dict(written))
