"""The accounts of the stand-in cloud and what they may: tokens to callers, roles to permissions. Pure.

https://cloud.google.com/iam/docs/understanding-roles. An account has no role until the control door gives it one. Who shows
no token at all is let in: the demo and most tests are such callers. Must not know routes.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

_SEE_POOLS = frozenset(
    {"run.workerpools.get", "run.workerpools.list", "run.operations.get", "run.operations.list"}
)
_SEE_OBJECTS = frozenset({"storage.objects.get", "storage.objects.list"})
_USE_OBJECTS = _SEE_OBJECTS | {"storage.objects.create", "storage.objects.delete", "storage.objects.update"}

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "roles/run.viewer": _SEE_POOLS,
        "roles/run.developer": _SEE_POOLS
        | {
            "run.workerpools.create",
            "run.workerpools.update",
            "run.workerpools.delete",
            "run.operations.delete",
        },
        "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
        "roles/storage.objectViewer": _SEE_OBJECTS,
        "roles/storage.objectUser": _USE_OBJECTS,
        "roles/storage.admin": _USE_OBJECTS | {"storage.buckets.create", "storage.buckets.get"},
    }
)
"""Google's predefined roles, as far as the stand-in has calls that need their permissions:
https://cloud.google.com/run/docs/reference/iam/roles, https://cloud.google.com/secret-manager/docs/access-control,
https://cloud.google.com/storage/docs/access-control/iam-roles
"""


class UnknownRole(ValueError):
    """A role that the stand-in does not have."""


class Obstacle(StrEnum):
    """Why a call is not let through; each API says it in its own form."""

    NOT_AUTHENTICATED = "not authenticated"
    NOT_PERMITTED = "not permitted"


@dataclass(slots=True, kw_only=True)
class Accounts:
    """`owner` tells whose access token an Authorization header shows; None for a token that is nobody's."""

    owner: Callable[[str | None], str | None]
    _roles: dict[str, frozenset[str]] = field(default_factory=dict)

    def give(self, email: str, roles: Collection[str]) -> None:
        """The account has exactly these roles from now on. Raises UnknownRole."""
        for role in roles:
            if role not in ROLES:
                raise UnknownRole(f"There is no role {role!r} here; there are {', '.join(sorted(ROLES))}.")
        self._roles[email] = frozenset(roles)

    def roles(self) -> dict[str, list[str]]:
        """Every account that was given roles, by its e-mail."""
        return {email: sorted(roles) for email, roles in self._roles.items()}

    def obstacle(self, authorization: str | None, permission: str) -> Obstacle | None:
        """What stands in the way of a call that needs this permission; None when nothing does."""
        if authorization is None:
            return None
        email = self.owner(authorization)
        if email is None:
            return Obstacle.NOT_AUTHENTICATED
        held = self._roles.get(email, frozenset())
        return None if any(permission in ROLES[role] for role in held) else Obstacle.NOT_PERMITTED
