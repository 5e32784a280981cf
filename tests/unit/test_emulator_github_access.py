"""Who may ask the stand-in GitHub, how often, and in which pages: pure parts, one table each."""

import json
from typing import Any

import jwt
import pytest

from emulator.github.accounts import Accounts, Organization
from emulator.github.app_jwt import BAD_EXP, BAD_IAT, FAR_EXP, NO_ISSUER, UNREADABLE
from emulator.github.keys import new_key, public_pem
from emulator.github.refusals import ControlRefusal, RestRefusal
from tests.emulator_github_world import EPOCH, PureWorld

KEY = new_key()
OTHER_KEY = new_key()
NOW = int(EPOCH)


@pytest.fixture
def accounts() -> Accounts:
    github = PureWorld()
    github.world.accounts.set_up(
        login="octo",
        repositories={"cat": True, "dog": True},
        groups=(),
        app_public_key=public_pem(KEY),
        now=EPOCH,
    )
    return github.world.accounts


def octo(accounts: Accounts) -> Organization:
    organization = accounts.organization("OCTO")
    assert organization is not None
    return organization


def app_jwt(accounts: Accounts, *, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    good = {"iat": NOW - 60, "exp": NOW + 540, "iss": octo(accounts).installation.app.client_id}
    chosen = {name: value for name, value in {**good, **claims}.items() if value is not None}
    # Signed below PyJWT's own checks, which would not let a bad token out.
    return jwt.PyJWS().encode(json.dumps(chosen).encode(), key, algorithm=algorithm)


def test_an_app_proves_itself_with_its_client_id_or_its_number(accounts: Accounts) -> None:
    installation = octo(accounts).installation
    for issuer in (installation.app.client_id, str(installation.app.id), installation.app.id):
        assert accounts.authenticated_app(app_jwt(accounts, iss=issuer), now=EPOCH) == installation


@pytest.mark.parametrize(
    ("claims", "status", "message"),
    [
        ({"exp": NOW}, 401, BAD_EXP),
        ({"exp": None}, 401, BAD_EXP),
        ({"exp": NOW + 601}, 401, FAR_EXP),
        ({"iat": NOW + 61}, 401, BAD_IAT),
        ({"iat": None}, 401, BAD_IAT),
        ({"iss": None}, 401, NO_ISSUER),
        ({"iss": "Iv1.somebody"}, 404, "Integration not found"),
        ({"key": OTHER_KEY}, 401, UNREADABLE),
        ({"key": "a shared secret that is long enough, really", "algorithm": "HS256"}, 401, UNREADABLE),
    ],
)
def test_a_bad_app_token_is_refused_in_githubs_words(
    accounts: Accounts, claims: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(RestRefusal) as refused:
        accounts.authenticated_app(app_jwt(accounts, **claims), now=EPOCH)
    assert (refused.value.status, refused.value.message) == (status, message)


@pytest.mark.parametrize("text", ["", "ghs_abc", "a.b.c", "…"])
def test_what_is_no_token_at_all_is_refused(accounts: Accounts, text: str) -> None:
    with pytest.raises(RestRefusal) as refused:
        accounts.authenticated_app(text, now=EPOCH)
    assert refused.value.message == UNREADABLE


def test_an_app_may_have_several_keys_and_keeps_one(accounts: Accounts) -> None:
    """Each signs until it is deleted."""

    def proves(key: Any) -> bool:
        try:
            accounts.authenticated_app(app_jwt(accounts, key=key), now=EPOCH)
        except RestRefusal as refused:
            return refused.message != UNREADABLE
        return True

    token = issued(accounts, {})
    assert [proves(KEY), proves(OTHER_KEY)] == [True, False]
    accounts.change_app_keys("octo", lambda keys: (*keys, public_pem(OTHER_KEY)))
    assert [proves(KEY), proves(OTHER_KEY)] == [True, True]
    accounts.change_app_keys("octo", lambda keys: keys[1:])
    assert [proves(KEY), proves(OTHER_KEY)] == [False, True]
    with pytest.raises(ControlRefusal, match="one key at least"):
        accounts.change_app_keys("octo", lambda keys: keys[1:])
    assert accounts.authenticated_installation(token.token, now=EPOCH) is token, "tokens outlive the key"


def test_an_unsigned_app_token_is_refused(accounts: Accounts) -> None:
    claims = {"iat": NOW, "exp": NOW + 60, "iss": octo(accounts).installation.app.client_id}
    with pytest.raises(RestRefusal) as refused:
        accounts.authenticated_app(jwt.encode(claims, "", algorithm="none"), now=EPOCH)
    assert refused.value.message == UNREADABLE


def issued(accounts: Accounts, wish: Any, *, installation_id: int | None = None) -> Any:
    installation = octo(accounts).installation
    number = installation.id if installation_id is None else installation_id
    return accounts.issue_token(number, app=installation.app, secret="ghs_1", wish=wish, now=EPOCH)


def test_an_installation_token_lives_one_hour(accounts: Accounts) -> None:
    token = issued(accounts, {})
    assert accounts.authenticated_installation("ghs_1", now=EPOCH + 3599) is token
    with pytest.raises(RestRefusal) as refused:
        accounts.authenticated_installation("ghs_1", now=EPOCH + 3600)
    assert (refused.value.status, refused.value.message) == (401, "Bad credentials")


def test_an_installation_token_can_be_narrowed(accounts: Accounts) -> None:
    cat, dog = (octo(accounts).repositories[name] for name in ("cat", "dog"))
    token = issued(accounts, {"repositories": ["Cat"], "permissions": {"actions": "read"}})
    assert (token.sees(cat), token.sees(dog)) == (True, False)
    assert accounts.visible_repositories(token) == [cat]
    assert token.allows("actions", "read")
    assert not token.allows("organization_self_hosted_runners", "write")
    assert issued(accounts, {"repository_ids": [dog.id]}).sees(dog)


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"repositories": ["nowhere"]}, 422),
        ({"repository_ids": ["x"]}, 422),
        ({"permissions": {"actions": "write"}}, 422),
        ({"permissions": {"contents": "read"}}, 422),
        ([], 400),
    ],
)
def test_a_token_cannot_be_wider_than_the_installation(accounts: Accounts, wish: Any, status: int) -> None:
    with pytest.raises(RestRefusal) as refused:
        issued(accounts, wish)
    assert refused.value.status == status


def test_an_app_cannot_have_a_token_of_another_apps_installation(accounts: Accounts) -> None:
    acme = accounts.organization("acme")
    assert acme is not None
    with pytest.raises(RestRefusal) as refused:
        issued(accounts, {}, installation_id=acme.installation.id)
    assert refused.value.status == 404


def test_secrets_do_not_show_when_a_value_is_printed(accounts: Accounts) -> None:
    accounts.set_webhook(url="http://127.0.0.1:1/", secret="hush")
    assert "ghs_1" not in repr(issued(accounts, {}))
    assert "hush" not in repr(accounts.webhook)
