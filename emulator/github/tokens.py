"""Bearer tokens: signed, short-lived, readable as JSON Web Tokens. Pure: the time is an argument.

The real runner parses the tokens it gets, so they must be real JSON Web Tokens; that ours are HS256 is our choice.
An installation token holds one only to look like GitHub's; the accounts know which are good.
"""

import enum
from typing import Final

import jwt

from emulator.github.signed_tokens import signed_claims

LIFE_SECONDS: Final = 3600.0


class Bearer(enum.Enum):
    """What a token speaks for."""

    RUNNER = "runner"
    JOB = "job"
    INSTALLATION = "installation"


class Tokens:
    """Issues and reads tokens. `secret` is at least 32 bytes."""

    def __init__(self, *, secret: bytes) -> None:
        self._secret = secret

    def issue(self, bearer: Bearer, subject: str, *, now: float, life_seconds: float = LIFE_SECONDS) -> str:
        claims = {
            "iss": "stand-in-github",
            "sub": subject,
            "scp": bearer.value,
            "iat": int(now),
            "exp": int(now + life_seconds),
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def subject(self, token: str, *, now: float) -> tuple[Bearer, str] | None:
        """Whom a token speaks for; None when it is not ours or has expired."""
        claims = signed_claims(token, key=self._secret, algorithms=["HS256"])
        if claims is None or now >= claims["exp"]:
            return None
        return Bearer(claims["scp"]), claims["sub"]
