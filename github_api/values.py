"""What GitHub's answers mean to a runner pool: frozen values, nothing else. Knows neither bytes nor HTTP.

Times are seconds since the epoch. Texts of GitHub's growing vocabularies (status, conclusion) stay texts
where we only show them.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from github_api.secret import Secret

# https://docs.github.com/en/organizations, https://docs.github.com/en/repositories: what a login and a
# repository name may contain. Checked because these texts become parts of URLs.
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}")


def is_login(name: str) -> bool:
    """Whether this can be the name of an organization or a user."""
    return _LOGIN.fullmatch(name) is not None


def is_repository_name(full_name: str) -> bool:
    """Whether this can be an `owner/name`."""
    owner, slash, name = full_name.partition("/")
    return (
        bool(slash)
        and is_login(owner)
        and _REPOSITORY.fullmatch(name) is not None
        and name not in (".", "..")
    )


class ScopeKind(StrEnum):
    """Where runners are registered."""

    ORGANIZATION = "organization"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True)
class Scope:
    """The organization (`acme`) or repository (`acme/widgets`) whose runners these are."""

    kind: ScopeKind
    name: str

    def __post_init__(self) -> None:
        fits = is_login(self.name) if self.kind is ScopeKind.ORGANIZATION else is_repository_name(self.name)
        if not fits:
            raise ValueError(f"{self.name!r} cannot be the name of a GitHub {self.kind}")

    @classmethod
    def named(cls, name: str) -> Self:
        """`acme` is an organization, `acme/widgets` a repository. Raises ValueError for neither."""
        return cls(ScopeKind.REPOSITORY if "/" in name else ScopeKind.ORGANIZATION, name)

    @property
    def path(self) -> str:
        """The beginning of every URL about this scope's runners."""
        return f"/orgs/{self.name}" if self.kind is ScopeKind.ORGANIZATION else f"/repos/{self.name}"


class JobStatus(StrEnum):
    """Only `queued` jobs are demand: waiting is a protection rule, pending a concurrency group.

    https://docs.github.com/en/rest/actions/workflow-jobs
    """

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    WAITING = "waiting"
    REQUESTED = "requested"
    PENDING = "pending"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Self:  # noqa: ARG003 - the enum calls it with the value
        # A status that GitHub adds later is not demand and not an end; it must not blind the scaler either.
        return cls(cls.OTHER.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`full_name` is `owner/name`."""

    full_name: str
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run; its status says little about its jobs, so it is only the way to them."""

    id: int
    status: str
    run_attempt: int
    created_at: float
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of a run. `labels` are lower-case, since GitHub matches them without case; `labels_as_written`
    are for people. `created_at` is when it was queued; `started_at` is set from then on, and says when a runner began only
    once there is a runner. The names of workflow and runner group are None where GitHub gives none.
    """

    id: int
    run_id: int
    run_attempt: int
    name: str
    status: JobStatus
    conclusion: str | None
    labels_as_written: tuple[str, ...]
    created_at: float
    started_at: float | None
    completed_at: float | None
    runner_id: int | None
    runner_name: str | None
    html_url: str | None
    workflow_name: str | None = None
    runner_group_name: str | None = None
    labels: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", frozenset(label.lower() for label in self.labels_as_written))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A registration. `busy` and `status` lag by up to a minute and prove nothing about a running job."""

    id: int
    name: str
    status: str
    busy: bool
    labels: frozenset[str]
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerDeprecation:
    """Until when a version of the runner may register and gets jobs, in seconds since the epoch; None: no day is set."""

    version: str
    registers_until: float | None
    gets_jobs_until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerGroup:
    """Who may use which runners in an organization."""

    id: int
    name: str
    default: bool
    visibility: str
    allows_public_repositories: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JitConfiguration:
    """A single-use registration: whoever holds `encoded` is that runner."""

    runner_id: int
    runner_name: str
    encoded: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of one of GitHub's limits; `resets_at` is seconds since the epoch."""

    limit: int
    remaining: int
    resets_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationToken:
    """A token of the App's installation. `serial` names it where the token itself must not stand."""

    value: Secret
    expires_at: float
    serial: int
