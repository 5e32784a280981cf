"""Read a JSON Web Token: its signature and its claims, and nothing about times. Pure.

Who asks judges the times by a clock of its own, which a library that asks the system's clock would not let it.
"""

import json
from collections.abc import Sequence
from typing import Any

import jwt


def signed_claims(token: str, *, key: str | bytes, algorithms: Sequence[str]) -> dict[str, Any] | None:
    """The claims of a token that is signed with `key`; None when it is not."""
    try:
        return _object(jwt.PyJWS().decode(token, key, algorithms=list(algorithms)))
    except (jwt.InvalidTokenError, jwt.InvalidKeyError):
        return None


def unproven_claims(token: str) -> dict[str, Any] | None:
    """What a token says, proven by nothing; None when it is no token."""
    try:
        return _object(jwt.PyJWS().decode(token, options={"verify_signature": False}))
    except jwt.InvalidTokenError:
        return None


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        claims = json.loads(payload)
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None
