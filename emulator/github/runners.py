"""Registrations of self-hosted runners and their sessions with the message broker. Pure: no I/O, no own clock.

Must not know HTTP, nor how jobs are chosen. The life of an ephemeral registration:

    REGISTERED ── a job is assigned ──> ASSIGNED ── the job ends, or nobody picked it up ──> CONSUMED
        └──────── deleted by REST ─────────────────────────────────────────────────────────> DELETED

REGISTERED and ASSIGNED stand in GitHub's lists, the other two do not. A consumed registration's listener goes on
polling and is never told (https://github.com/actions/runner/issues/4617); a deleted one's is told "runner not
found".
"""

import enum
import math
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from emulator.github.accounts import HOSTED_GROUP_ID, Organization, Repository, RunnerGroup
from emulator.github.delays import Delays
from emulator.github.faults import Fault, GitHubFaults
from emulator.github.refusals import BROKER, BrokerRefusal, RestRefusal, TokenRefusal, not_found
from emulator.github.registration_wish import REGISTRATION_DOCUMENTATION, RegistrationWish


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
    Its runner can be too old: `unserved` gets no job, `refused` no message.
    """

    id: str
    opened_at: float
    last_seen: float
    polls: int = 0
    assignment: str | None = None
    cancellation: str | None = None
    messages: int = 0
    unserved: bool = False
    refused: bool = False


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
    assigned_at: float | None = None
    gone_at: float | None = None
    online_from: float | None = None
    closed_at: float | None = None

    def leave(self, state: RegistrationState, *, now: float) -> None:
        """It is consumed or deleted; whichever came first stays."""
        if self.state in LISTED:
            self.state, self.gone_at = state, now

    def was_busy(self, moment: float) -> bool:
        """Whether it held a job then."""
        return (
            self.assigned_at is not None
            and self.assigned_at <= moment
            and (self.gone_at is None or moment < self.gone_at)
        )

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
            and not (self.session.unserved or self.session.refused)
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


class Runners:
    """All registrations there ever were, and who is listening."""

    def __init__(self, *, delays: Delays, chance: random.Random, faults: GitHubFaults) -> None:
        self._delays = delays
        self._faults = faults
        self._chance = chance
        self._registrations: dict[int, Registration] = {}
        self._removals: dict[int, float] = {}  # registrations that are taken away if they are idle then
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

    def listed_at(self, scope: Scope, moment: float) -> list[Registration]:
        """What was listed then."""
        return [
            registration
            for registration in self._registrations.values()
            if registration.created_at <= moment
            and (registration.gone_at is None or moment < registration.gone_at)
            and _same_scope(registration.scope, scope)
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

    def delete(self, runner_id: int, scope: Scope, *, now: float) -> Registration:
        """Take a registration away. Raises `RestRefusal` 404, and 422 while it runs a job."""
        registration = self.find(runner_id, scope)
        if registration.state is RegistrationState.ASSIGNED and not self._faults.strike(Fault.BUSY_DELETED):
            raise RestRefusal(
                422,
                f'Runner "{registration.name}" is still running a job',
                documentation_url="https://docs.github.com/rest/actions/self-hosted-runners",
            )
        registration.leave(RegistrationState.DELETED, now=now)
        return registration

    def remove_idle(self, *, now: float) -> list[Registration]:
        """Take away what GitHub has seen idle for too long; whoever listened has to be told."""
        due = [self._registrations[number] for number, at in self._removals.items() if at <= now]
        removed = [one for one in due if one.state is RegistrationState.REGISTERED]
        for registration in removed:
            registration.leave(RegistrationState.DELETED, now=now)
        self._removals = {number: at for number, at in self._removals.items() if now < at}
        return removed

    def next_removal(self) -> float:
        """When `remove_idle` has something to do; infinite when never."""
        return min(self._removals.values(), default=math.inf)

    def is_online(self, registration: Registration, *, now: float) -> bool:
        """`now` may be a moment that has passed."""
        session = registration.session
        if registration.online_from is None or now < registration.online_from:
            return False
        if session is None:
            return registration.closed_at is not None and now < registration.closed_at
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
        if idle := self._faults.strike(Fault.IDLE_RUNNER_REMOVED):
            self._removals[registration.id] = now + self._faults.drawn_seconds(idle)
        registration.session = Session(
            id=str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            opened_at=now,
            last_seen=now,
            unserved=self._faults.strike(Fault.VERSION_UNSERVED) is not None,
            refused=self._faults.strike(Fault.VERSION_REFUSED) is not None,
        )
        registration.online_from = registration.online_from or now
        registration.instance = instance
        registration.version = version
        registration.os = os or registration.os
        return registration.session

    def close_session(self, registration: Registration, *, now: float) -> None:
        registration.session = None
        registration.closed_at = now

    def session_of(self, registration: Registration, session_id: str) -> Session:
        """Raises `BrokerRefusal` RunnerSessionInvalid when the session is not the runner's living one."""
        session = registration.session
        if session is None or session.id != session_id:
            raise BrokerRefusal(401, "The session is not valid", source=BROKER, kind="RunnerSessionInvalid")
        return session

    def listening(self) -> list[Registration]:
        return [registration for registration in self._registrations.values() if registration.is_listening]


def _same_scope(one: Scope, other: Scope) -> bool:
    return (one.organization.casefold(), (one.repository or "").casefold()) == (
        other.organization.casefold(),
        (other.repository or "").casefold(),
    )
