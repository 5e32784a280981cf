"""Registrations of self-hosted runners and their sessions with the message broker. Pure: no I/O, no own clock.

Must not know HTTP, nor how jobs are chosen. The life of an ephemeral registration:

    REGISTERED ── a job is assigned ──> ASSIGNED ── the job ends, or nobody picked it up ──> CONSUMED
        └──────── deleted by REST ─────────────────────────────────────────────────────────> DELETED

REGISTERED and ASSIGNED stand in GitHub's lists, the other two do not. A consumed registration's listener goes on
polling and is never told (https://github.com/actions/runner/issues/4617); a deleted one's is told "runner not
found".
"""

import enum
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from emulator.github.accounts import HOSTED_GROUP_ID, Organization, Repository, RunnerGroup
from emulator.github.delays import Delays
from emulator.github.refusals import BROKER, BrokerRefusal, RestRefusal, TokenRefusal, not_found

LONGEST_NAME: Final = 64  # https://github.com/actions/runner/pull/1710
MOST_LABELS: Final = 100
REGISTRATION_DOCUMENTATION: Final = (
    "https://docs.github.com/rest/actions/self-hosted-runners"
    "#create-configuration-for-a-just-in-time-runner-for-an-organization"
)


class RegistrationState(enum.Enum):
    REGISTERED = "registered"
    ASSIGNED = "assigned"
    CONSUMED = "consumed"
    DELETED = "deleted"


LISTED: Final = frozenset({RegistrationState.REGISTERED, RegistrationState.ASSIGNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a runner is registered: an organization, or one repository of it."""

    organization: str
    repository: str | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """One listener's session. `polls` counts its open polls for work.

    What it has to be told: `assignment`, the request id of a job; `cancellation`, the uuid of a job to stop.
    """

    id: str
    opened_at: float
    last_seen: float
    polls: int = 0
    assignment: str | None = None
    cancellation: str | None = None
    messages: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Registration:
    id: int
    name: str
    scope: Scope
    group: RunnerGroup
    labels: tuple[str, ...]
    work_folder: str
    client_id: str
    created_at: float
    public_key: str = field(repr=False)
    state: RegistrationState = RegistrationState.REGISTERED
    session: Session | None = None
    instance: str | None = None
    os: str = "unknown"
    version: str | None = None

    @property
    def is_busy(self) -> bool:
        """It has been given a job that has not ended."""
        return self.state is RegistrationState.ASSIGNED

    @property
    def is_listening(self) -> bool:
        """A job given now would be heard at once."""
        return (
            self.state is RegistrationState.REGISTERED
            and self.session is not None
            and self.session.polls > 0
            and self.session.assignment is None
        )

    def serves(self, *, repository: Repository, labels: Iterable[str], group: str | None) -> bool:
        """Whether GitHub would give this runner a job of `repository` that asks for `labels` and `group`.

        https://docs.github.com/en/actions/reference/runners/self-hosted-runners#routing-precedence-for-self-hosted-runners
        """
        if self.scope.organization.casefold() != repository.owner.casefold():
            return False
        if self.scope.repository is None:
            if not self.group.serves(repository):
                return False
        elif self.scope.repository.casefold() != repository.name.casefold():
            return False
        if group is not None and group.casefold() != self.group.name.casefold():
            return False
        wanted = {label.casefold() for label in labels}
        return (bool(wanted) or group is not None) and wanted <= {label.casefold() for label in self.labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWish:
    """What a caller of generate-jitconfig asks for, checked."""

    name: str
    group_id: int
    labels: tuple[str, ...]
    work_folder: str


class Runners:
    """All registrations there ever were, and who is listening."""

    def __init__(self, *, delays: Delays, chance: random.Random) -> None:
        self._delays = delays
        self._chance = chance
        self._registrations: dict[int, Registration] = {}
        self._next_id = 1

    def group_for(self, wish: RegistrationWish, scope: Scope, organization: Organization) -> RunnerGroup:
        """The runner group that the registration goes to. Raises `RestRefusal` 403 or 404."""
        if scope.repository is not None:
            if wish.group_id != 1:  # groups exist only in organizations and enterprises
                raise not_found()
            return RunnerGroup(id=1, name="Default", default=True, allows_public_repositories=True)
        if wish.group_id == HOSTED_GROUP_ID:
            raise RestRefusal(403, "Cannot register a self-hosted runner in a group of GitHub-hosted runners")
        group = organization.groups.get(wish.group_id)
        if group is None:
            raise not_found()
        return group

    def refuse_taken_name(self, name: str, scope: Scope) -> None:
        """Raise `RestRefusal` 409 when a runner of that name is registered in the scope."""
        if any(registration.name == name for registration in self.listed(scope)):
            raise RestRefusal(
                409,
                f"Already exists - A runner with the name {name} already exists",
                documentation_url=REGISTRATION_DOCUMENTATION,
            )

    def register(
        self, wish: RegistrationWish, *, scope: Scope, group: RunnerGroup, public_key: str, now: float
    ) -> Registration:
        """A new ephemeral registration. Raises `RestRefusal` 409 when the name is taken."""
        self.refuse_taken_name(wish.name, scope)
        registration = Registration(
            id=self._next_id,
            name=wish.name,
            scope=scope,
            group=group,
            labels=wish.labels,
            work_folder=wish.work_folder,
            client_id=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            public_key=public_key,
            created_at=now,
        )
        self._next_id += 1 + self._chance.randrange(3)
        self._registrations[registration.id] = registration
        return registration

    def listed(self, scope: Scope) -> list[Registration]:
        """What GitHub lists for the scope: its own registrations, oldest first."""
        return [
            registration
            for registration in self._registrations.values()
            if registration.state in LISTED and _same_scope(registration.scope, scope)
        ]

    def every(self) -> Iterator[Registration]:
        """Everything that GitHub still lists anywhere."""
        return (registration for registration in self._registrations.values() if registration.state in LISTED)

    def find(self, runner_id: int, scope: Scope) -> Registration:
        """Raises `RestRefusal` 404."""
        registration = self._registrations.get(runner_id)
        if (
            registration is None
            or registration.state not in LISTED
            or not _same_scope(registration.scope, scope)
        ):
            raise not_found()
        return registration

    def delete(self, runner_id: int, scope: Scope) -> Registration:
        """Take a registration away. Raises `RestRefusal` 404, and 422 while it runs a job."""
        registration = self.find(runner_id, scope)
        if registration.state is RegistrationState.ASSIGNED:
            raise RestRefusal(
                422,
                f'Runner "{registration.name}" is still running a job',
                documentation_url="https://docs.github.com/rest/actions/self-hosted-runners",
            )
        registration.state = RegistrationState.DELETED
        return registration

    def is_online(self, registration: Registration, *, now: float) -> bool:
        session = registration.session
        if session is None:
            return False
        return session.polls > 0 or now - session.last_seen < self._delays.offline_after_seconds

    def with_client_id(self, client_id: str) -> Registration:
        """The registration that may get a token. Raises `TokenRefusal` invalid_client when it is used up or gone."""
        for registration in self._registrations.values():
            if registration.client_id == client_id and registration.state in LISTED:
                return registration
        raise TokenRefusal("invalid_client", "Invalid client: the runner's registration does not exist")

    def with_id(self, runner_id: int) -> Registration:
        """Whatever its state. Raises `BrokerRefusal` RunnerNotFound for an id that never was or was deleted."""
        registration = self._registrations.get(runner_id)
        if registration is None or registration.state is RegistrationState.DELETED:
            raise BrokerRefusal(404, "Runner not found", source=BROKER, kind="RunnerNotFound")
        return registration

    def open_session(
        self,
        registration: Registration,
        *,
        instance: str | None,
        version: str | None,
        os: str | None,
        now: float,
    ) -> Session:
        """The runner's one session. Raises `BrokerRefusal` 409 while another of it lives."""
        session = registration.session
        if session is not None and (
            session.polls > 0 or now - session.last_seen < self._delays.session_silence_seconds
        ):
            raise BrokerRefusal(409, "A session for this runner already exists.", source=BROKER)
        registration.session = Session(
            id=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)), opened_at=now, last_seen=now
        )
        registration.instance = instance
        registration.version = version
        registration.os = os or registration.os
        return registration.session

    def close_session(self, registration: Registration) -> None:
        registration.session = None

    def session_of(self, registration: Registration, session_id: str) -> Session:
        """Raises `BrokerRefusal` RunnerSessionInvalid when the session is not the runner's living one."""
        session = registration.session
        if session is None or session.id != session_id:
            raise BrokerRefusal(401, "The session is not valid", source=BROKER, kind="RunnerSessionInvalid")
        return session

    def listening(self) -> list[Registration]:
        return [registration for registration in self._registrations.values() if registration.is_listening]


def registration_wish(body: object) -> RegistrationWish:
    """The body of generate-jitconfig as a checked value. Raises `RestRefusal` 422 as GitHub words it."""
    if not isinstance(body, dict):
        raise _invalid("object is expected")
    for key in ("name", "runner_group_id", "labels"):
        if key not in body:
            raise _invalid(f"object is missing required key: {key}")
    name, group_id, labels = body["name"], body["runner_group_id"], body["labels"]
    work_folder = body.get("work_folder", "_work")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise _invalid(f"name must be a text of 1 to {LONGEST_NAME} characters")
    if isinstance(group_id, bool) or not isinstance(group_id, int):
        raise _invalid("runner_group_id must be an integer")
    if not _is_texts(labels) or not 1 <= len(labels) <= MOST_LABELS:
        raise _invalid(f"labels must be 1 to {MOST_LABELS} texts")
    if not isinstance(work_folder, str):
        raise _invalid("work_folder must be a text")
    return RegistrationWish(name=name, group_id=group_id, labels=tuple(labels), work_folder=work_folder)


def _is_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(v, str) and v for v in value)
    )


def _invalid(what: str) -> RestRefusal:
    return RestRefusal(422, f"Invalid input: {what}", documentation_url=REGISTRATION_DOCUMENTATION)


def _same_scope(one: Scope, other: Scope) -> bool:
    return (one.organization.casefold(), (one.repository or "").casefold()) == (
        other.organization.casefold(),
        (other.repository or "").casefold(),
    )
