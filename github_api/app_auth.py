"""Who we are to GitHub: the App's key, its short-lived JWT, and the token of its installation, kept for its
whole life.

Knows how tokens age, not how they travel: the exchange is an argument. GitHub's ETags differ by token, so a
token that is thrown away early makes every conditional request expensive.
"""

import asyncio
import hashlib
import itertools
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from github_api.errors import BadAppKey
from github_api.secret import Secret
from github_api.values import InstallationToken

# https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
# "iat 60 seconds in the past" against clock drift; exp at most 10 minutes ahead, 9 leaves room for the same
# drift.
_JWT_BACKDATED_SECONDS = 60
_JWT_LIFE_SECONDS = 9 * 60
# A token is not used in its last five minutes: a call that starts now must not end unauthorised.
_TOKEN_SPARE_SECONDS = 5 * 60
_SMALLEST_KEY_BITS = 2048


class AppKey:
    """The private key of a GitHub App. Its repr shows the fingerprint that GitHub's settings page shows,
    never the key.
    """

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.fingerprint = f"SHA256:{b64encode(hashlib.sha256(public).digest()).decode()}"

    @classmethod
    def from_pem(cls, pem: Secret) -> Self:
        """Read the file that GitHub gave. Raises BadAppKey, which says what the text is instead of a key."""
        text = pem.reveal().strip()
        if "\n" not in text:
            text = text.replace("\\n", "\n")  # an environment variable often carries the lines like this
        _refuse_what_is_no_private_key(text)
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        except TypeError:
            raise BadAppKey(
                "The App's private key is encrypted with a passphrase; GitHub gives it without one"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            # from None: the parser's own message may quote what it could not read.
            raise BadAppKey("The App's private key is damaged: lines are missing or changed") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise BadAppKey("The App's private key is not an RSA key; GitHub Apps sign with RSA only")
        if key.key_size < _SMALLEST_KEY_BITS:
            raise BadAppKey(
                f"The App's private key has {key.key_size} bits; GitHub's keys have {_SMALLEST_KEY_BITS}"
            )
        return cls(key)

    def __repr__(self) -> str:
        return f"AppKey({self.fingerprint})"

    def token(self, *, app_id: str, now: float) -> Secret:
        """A JWT that identifies the App itself. `app_id` is the client id (recommended) or the App id."""
        issued = int(now) - _JWT_BACKDATED_SECONDS
        claims = {"iat": issued, "exp": issued + _JWT_LIFE_SECONDS, "iss": app_id}
        return Secret(jwt.encode(claims, self._key, algorithm="RS256"))


def _refuse_what_is_no_private_key(text: str) -> None:
    if not text:
        raise BadAppKey("The App's private key is empty")
    first_line = text.partition("\n")[0]
    if "-----BEGIN" not in text:
        raise BadAppKey(
            "The App's private key is not a PEM file: it has no line -----BEGIN … PRIVATE KEY-----"
        )
    if "ENCRYPTED" in text.partition("\n\n")[0]:
        raise BadAppKey("The App's private key is encrypted with a passphrase; GitHub gives it without one")
    if "PUBLIC KEY" in first_line:
        raise BadAppKey("This is a public key; the App signs with its private key")
    if "CERTIFICATE" in first_line:
        raise BadAppKey("This is a certificate; the App signs with its private key")
    if "OPENSSH" in first_line:
        raise BadAppKey("This is an SSH key; the App's private key is made on its settings page")
    if "PRIVATE KEY" not in first_line:
        raise BadAppKey("The App's private key does not begin with the line -----BEGIN … PRIVATE KEY-----")


class InstallationTokens:
    """The current installation token: fetched once for however many callers wait, kept until five minutes
    before its end.

    `fetch` gives a fresh token's text and its end in seconds since the epoch; its errors reach every waiting
    caller.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[tuple[Secret, float]]], *, clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._serials = itertools.count(1)
        self._current: InstallationToken | None = None
        self._fetching: asyncio.Task[InstallationToken] | None = None

    async def current(self) -> InstallationToken:
        """A token with at least five minutes to live."""
        if self._current is not None and self._clock() < self._current.expires_at - _TOKEN_SPARE_SECONDS:
            return self._current
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_one())
            self._fetching.add_done_callback(self._fetched)
        # Shielded: one caller that gives up must not take the token away from the others.
        return await asyncio.shield(self._fetching)

    def drop(self, token: InstallationToken) -> None:
        """Forget `token`, which GitHub has refused; a newer one stays."""
        if self._current is not None and self._current.serial == token.serial:
            self._current = None

    async def aclose(self) -> None:
        """End a fetch that is still under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _fetch_one(self) -> InstallationToken:
        value, expires_at = await self._fetch()
        return InstallationToken(value=value, expires_at=expires_at, serial=next(self._serials))

    def _fetched(self, task: asyncio.Task[InstallationToken]) -> None:
        self._fetching = None
        # Asking for the exception also marks it as seen when every caller has left meanwhile.
        if not task.cancelled() and task.exception() is None:
            self._current = task.result()
