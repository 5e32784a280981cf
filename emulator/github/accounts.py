"""Organizations, repositories, runner groups, Apps, their installations and tokens. Pure: no I/O, no own clock.

Must not know runners, jobs or HTTP.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emulator.github.app_jwt import claimed_issuer, verify_app_jwt
from emulator.github.refusals import ControlRefusal, RestRefusal, not_found

TOKEN_LIFE_SECONDS: Final = (
    3600.0  # https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
)
HOSTED_GROUP_ID: Final = 2  # GitHub's own machines: registering there is refused with 403 (field report)

PERMISSIONS: Final[Mapping[str, str]] = {
    "actions": "read",
    "administration": "write",
    "metadata": "read",
    "organization_self_hosted_runners": "write",
}
EVENTS: Final = ("workflow_job",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    id: int
    owner: str
    owner_id: int
    name: str
    private: bool
    created_at: float

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerGroup:
    """Who may use the runners in it. `repositories` None: every repository of the organization."""

    id: int
    name: str
    default: bool = False
    allows_public_repositories: bool = False
    repositories: frozenset[str] | None = None

    def serves(self, repository: Repository) -> bool:
        if not repository.private and not self.allows_public_repositories:
            return False
        return self.repositories is None or repository.name.casefold() in self.repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    id: int
    slug: str
    client_id: str
    owner: str
    owner_id: int
    public_keys: tuple[str, ...]
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    id: int
    app: App
    organization: str
    organization_id: int
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationToken:
    """`repositories` None: all that the installation sees."""

    token: str = field(repr=False)
    installation: Installation
    expires_at: float
    permissions: Mapping[str, str]
    repositories: frozenset[int] | None

    def sees(self, repository: Repository) -> bool:
        return self.repositories is None or repository.id in self.repositories

    def allows(self, permission: str, level: str) -> bool:
        return self.permissions.get(permission) in {level, "write"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    id: int
    url: str
    secret: str | None = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Organization:
    id: int
    login: str
    created_at: float
    installation: Installation
    repositories: dict[str, Repository] = field(default_factory=dict)
    groups: dict[int, RunnerGroup] = field(default_factory=dict)

    def repository(self, name: str) -> Repository | None:
        return self.repositories.get(name.casefold())


class Accounts:
    """Everything that has to do with who is asking and what belongs to whom."""

    def __init__(self, *, chance: random.Random) -> None:
        self._chance = chance
        self._organizations: dict[str, Organization] = {}
        self._tokens: dict[str, InstallationToken] = {}
        self._next_id = 1_000 + chance.randrange(1_000)
        self.webhook: Webhook | None = None

    def set_up(
        self,
        *,
        login: str,
        repositories: Mapping[str, bool],
        groups: tuple[RunnerGroup, ...],
        app_public_key: str,
        now: float,
    ) -> Organization:
        """An organization with its repositories (name to private) and an App that is installed on all of them."""
        if login.casefold() in self._organizations:
            raise ControlRefusal(409, f"the organization {login} exists already; choose another name")
        number = self._new_id()
        app = App(
            id=self._new_id(),
            slug=f"{login}-runners".casefold(),
            client_id="Iv23li"
            + "".join(self._chance.choices("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH", k=14)),
            owner=login,
            owner_id=number,
            public_keys=(app_public_key,),
            created_at=now,
        )
        organization = Organization(
            id=number,
            login=login,
            created_at=now,
            installation=Installation(
                id=self._new_id(), app=app, organization=login, organization_id=number, created_at=now
            ),
        )
        for name, private in repositories.items():
            repository = Repository(
                id=self._new_id(), owner=login, owner_id=number, name=name, private=private, created_at=now
            )
            organization.repositories[name.casefold()] = repository
        organization.groups = {1: RunnerGroup(id=1, name="Default", default=True)}
        for group in groups:
            known = next((g for g in organization.groups.values() if g.name == group.name), None)
            group_id = known.id if known else max(HOSTED_GROUP_ID, *organization.groups) + 1
            organization.groups[group_id] = replace(
                group, id=group_id, default=known is not None and known.default
            )
        self._organizations[login.casefold()] = organization
        return organization

    def change_app_keys(self, login: str, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        """Other public keys for an organization's App, oldest first. Raises `ControlRefusal`: GitHub keeps one at least.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/managing-private-keys-for-github-apps
        """
        organization = self.organization(login)
        if organization is None:
            raise ControlRefusal(404, f"there is no organization {login}; set it up at /_control/setup")
        installation = organization.installation
        keys = change(installation.app.public_keys)
        if not keys:
            raise ControlRefusal(409, "an App keeps one key at least; make another one first")
        organization.installation = replace(installation, app=replace(installation.app, public_keys=keys))

    def set_webhook(self, *, url: str | None, secret: str | None) -> None:
        """Where events go from now on; None switches them off."""
        self.webhook = None if url is None else Webhook(id=self._new_id(), url=url, secret=secret)

    def organization(self, login: str) -> Organization | None:
        return self._organizations.get(login.casefold())

    def repository(self, owner: str, name: str) -> Repository | None:
        organization = self.organization(owner)
        return organization.repository(name) if organization else None

    def authenticated_app(self, token: str, *, now: float) -> Installation:
        """The App that signed `token`, as its one installation. Raises `RestRefusal` 401 as GitHub words it."""
        issuer = claimed_issuer(token)
        for installation in self._installations():
            if issuer in {installation.app.client_id, str(installation.app.id)}:
                verify_app_jwt(token, public_keys=installation.app.public_keys, now=now)
                return installation
        raise RestRefusal(404, "Integration not found")

    def issue_token(
        self, installation_id: int, *, app: App, secret: str, wish: Any, now: float
    ) -> InstallationToken:
        """A token of one hour for the installation, narrowed as `wish` (the request's body) says.

        https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
        """
        installation = next(
            (i for i in self._installations() if i.id == installation_id and i.app == app), None
        )
        if installation is None:
            raise not_found()
        if not isinstance(wish, dict):
            raise RestRefusal(400, "Body should be a JSON object")
        token = InstallationToken(
            token=secret,
            installation=installation,
            expires_at=now + TOKEN_LIFE_SECONDS,
            permissions=_narrowed_permissions(wish.get("permissions")),
            repositories=self._narrowed_repositories(installation, wish),
        )
        self._tokens[secret] = token
        return token

    def authenticated_installation(self, token: str, *, now: float) -> InstallationToken:
        """The installation token that `token` is. Raises `RestRefusal` 401 when it is unknown or expired."""
        found = self._tokens.get(token)
        if found is None or now >= found.expires_at:
            raise RestRefusal(401, "Bad credentials")
        return found

    def revoke_tokens(self) -> None:
        """No installation token that was issued before is good any longer."""
        self._tokens.clear()

    def visible_repositories(self, token: InstallationToken) -> list[Repository]:
        organization = self._organizations[token.installation.organization.casefold()]
        return [repository for repository in organization.repositories.values() if token.sees(repository)]

    def _installations(self) -> Iterator[Installation]:
        return (organization.installation for organization in self._organizations.values())

    def _narrowed_repositories(
        self, installation: Installation, wish: Mapping[str, Any]
    ) -> frozenset[int] | None:
        names, numbers = wish.get("repositories"), wish.get("repository_ids")
        if names is None and numbers is None:
            return None
        known = self._organizations[installation.organization.casefold()].repositories.values()
        by_name = {repository.name.casefold(): repository.id for repository in known}
        by_number = {repository.id: repository.id for repository in known}
        try:
            return frozenset(
                [by_name[str(name).casefold()] for name in names or ()]
                + [by_number[int(number)] for number in numbers or ()]
            )
        except (KeyError, TypeError, ValueError):
            raise RestRefusal(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            ) from None

    def _new_id(self) -> int:
        self._next_id += 1 + self._chance.randrange(9)
        return self._next_id


def _narrowed_permissions(wish: object) -> Mapping[str, str]:
    if wish is None:
        return PERMISSIONS
    if not isinstance(wish, dict):
        raise RestRefusal(422, "The permissions requested are not an object.")
    for permission, level in wish.items():
        if PERMISSIONS.get(permission) not in {level, "write"}:
            raise RestRefusal(422, "The permissions requested are not granted to this installation.")
    return {**wish, "metadata": "read"}
