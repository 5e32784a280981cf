"""Whether a JSON Web Token proves that the caller is a GitHub App. Pure: the time is an argument.

The rules: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
The words of the refusals are those that github.com answers with.
"""

from collections.abc import Collection
from typing import Final, TypeGuard

from emulator.github.refusals import RestRefusal
from emulator.github.signed_tokens import signed_claims, unproven_claims

LONGEST_LIFE_SECONDS: Final = 600
CLOCK_DRIFT_SECONDS: Final = (
    60  # GitHub advises iat = now - 60 against drift; that it forgives as much is assumed
)

UNREADABLE: Final = "A JSON web token could not be decoded"
BAD_EXP: Final = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
    "assertion expires"
)
FAR_EXP: Final = "'Expiration time' claim ('exp') is too far in the future"
BAD_IAT: Final = (
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
)
NO_ISSUER: Final = "Missing 'issuer' claim ('iss')"


def claimed_issuer(token: str) -> str:
    """Who the token says it is from: a client id or an App id. Not proven yet. Raises `RestRefusal` 401."""
    claims = unproven_claims(token)
    if claims is None:
        raise RestRefusal(401, UNREADABLE)
    issuer = claims.get("iss")
    if issuer is None or isinstance(issuer, bool) or not isinstance(issuer, str | int):
        raise RestRefusal(401, NO_ISSUER)
    return str(issuer)


def verify_app_jwt(token: str, *, public_keys: Collection[str], now: float) -> None:
    """Return when `token` is signed (RS256) with one of the App's keys and valid at `now`; else raise `RestRefusal` 401."""
    read = (signed_claims(token, key=public_key, algorithms=["RS256"]) for public_key in public_keys)
    claims = next((found for found in read if found is not None), None)
    if claims is None:
        raise RestRefusal(401, UNREADABLE)
    issued, expires = claims.get("iat"), claims.get("exp")
    if not _is_number(expires) or expires <= now:
        raise RestRefusal(401, BAD_EXP)
    if expires > now + LONGEST_LIFE_SECONDS:
        raise RestRefusal(401, FAR_EXP)
    if not _is_number(issued) or issued > now + CLOCK_DRIFT_SECONDS:
        raise RestRefusal(401, BAD_IAT)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
