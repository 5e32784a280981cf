"""The stand-in for Google's token service: signed identity tokens, opaque access tokens, and the public keys.

https://cloud.google.com/docs/authentication/get-id-token. Must not know who asks or whether they may.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN_LIFETIME_SECONDS = 3600
TOKENS_KEPT = 4096


class TokenService:
    """Signs with the newest of its keys and publishes all that were not withdrawn. `issuer` is asked at each use: the url
    is known late.
    """

    def __init__(self, *, clock: Callable[[], float], issuer: Callable[[], str]) -> None:
        self._clock = clock
        self._issuer = issuer
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._key_id = self.rotate()
        self._owner_of_access_token: dict[str, str] = {}
        self._identity_tokens: deque[str] = deque(maxlen=TOKENS_KEPT)

    def rotate(self, *, withdraw: bool = False) -> str:
        """A new key, which signs and is published from now on; its id. `withdraw`: those before it are published no longer."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = secrets.token_hex(20)
        self._keys = {**({} if withdraw else self._keys), self._key_id: key}
        return self._key_id

    def identity_token(
        self,
        *,
        email: str,
        audience: str,
        with_email: bool = True,
        lifetime_seconds: float = TOKEN_LIFETIME_SECONDS,
    ) -> str:
        """An RS256 JWT for the account. `with_email` is what the metadata server calls format=full."""
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self._issuer(),
            "aud": audience,
            "azp": account_number(email),
            "sub": account_number(email),
            "iat": now,
            "exp": int(now + lifetime_seconds),
        }
        if with_email:
            claims |= {"email": email, "email_verified": True}
        token = jwt.encode(claims, self._keys[self._key_id], algorithm="RS256", headers={"kid": self._key_id})
        self._identity_tokens.append(token)
        return token

    def access_token(self, *, email: str) -> str:
        """A bearer token that `owner` knows again."""
        token = f"ya29.c.{secrets.token_urlsafe(48)}"
        self._owner_of_access_token[token] = email
        return token

    def owner(self, authorization: str | None) -> str | None:
        """The account whose access token an Authorization header shows; None for everything else."""
        scheme, _, token = (authorization or "").partition(" ")
        return self._owner_of_access_token.get(token) if scheme.lower() == "bearer" else None

    def credentials(self) -> dict[str, list[str]]:
        """Every token that was issued, by its kind; of identity tokens the last ones."""
        return {
            "identity_token": list(self._identity_tokens),
            "access_token": list(self._owner_of_access_token),
        }

    def public_keys(self) -> dict[str, Any]:
        """A JWKS, as at https://www.googleapis.com/oauth2/v3/certs."""
        published = []
        for key_id, key in self._keys.items():
            numbers = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            published.append(
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": key_id,
                    "n": numbers["n"],
                    "e": numbers["e"],
                }
            )
        return {"keys": published}


def account_number(email: str) -> str:
    """A service account's numeric id: 21 digits, always the same for one e-mail."""
    return "1" + str(int(hashlib.sha256(email.encode()).hexdigest(), 16))[:20]
