"""Who may call the stand-in Google Cloud: a table of roles and permissions."""

import pytest

from emulator.cloud.accounts import ROLES, Accounts, Obstacle, UnknownRole

CELL = "cell@p.iam.gserviceaccount.com"


def accounts(*roles: str) -> Accounts:
    made = Accounts(owner=lambda authorization: CELL if authorization == "Bearer known" else None)
    if roles:
        made.give(CELL, roles)
    return made


@pytest.mark.parametrize("permission", sorted({one for all_of in ROLES.values() for one in all_of}))
def test_an_account_without_a_role_may_do_nothing(permission: str) -> None:
    assert accounts().obstacle("Bearer known", permission) is Obstacle.NOT_PERMITTED


@pytest.mark.parametrize(("role", "permission", "may"), [
    ("roles/run.viewer", "run.workerpools.get", True),
    ("roles/run.viewer", "run.workerpools.update", False),
    ("roles/run.developer", "run.workerpools.update", True),
    ("roles/run.developer", "run.operations.get", True),
    ("roles/run.developer", "secretmanager.versions.access", False),
    ("roles/secretmanager.secretAccessor", "secretmanager.versions.access", True),
    ("roles/storage.objectViewer", "storage.objects.get", True),
    ("roles/storage.objectViewer", "storage.objects.create", False),
    ("roles/storage.objectUser", "storage.objects.create", True),
    ("roles/storage.objectUser", "storage.buckets.create", False),
])  # fmt: skip
def test_a_role_brings_its_permissions_and_no_other(role: str, permission: str, may: bool) -> None:
    obstacle = accounts(role).obstacle("Bearer known", permission)
    assert (obstacle is None) is may


def test_roles_that_are_given_anew_replace_those_before() -> None:
    made = accounts("roles/run.viewer")
    made.give(CELL, ["roles/storage.objectViewer"])
    assert made.roles() == {CELL: ["roles/storage.objectViewer"]}
    assert made.obstacle("Bearer known", "run.workerpools.get") is Obstacle.NOT_PERMITTED
    assert made.obstacle("Bearer known", "storage.objects.get") is None


@pytest.mark.parametrize("authorization", ["Bearer other", "Basic known", "known", ""])
def test_a_token_that_is_nobodys_is_not_authenticated(authorization: str) -> None:
    assert accounts().obstacle(authorization, "run.workerpools.get") is Obstacle.NOT_AUTHENTICATED


def test_who_shows_no_token_is_let_in() -> None:
    assert accounts().obstacle(None, "run.workerpools.update") is None


def test_an_unknown_role_is_refused_and_changes_nothing() -> None:
    made = accounts("roles/run.viewer")
    with pytest.raises(UnknownRole, match="roles/owner"):
        made.give(CELL, ["roles/run.developer", "roles/owner"])
    assert made.roles() == {CELL: ["roles/run.viewer"]}
