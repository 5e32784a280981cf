"""What may stand in the configuration file: keys, defaults, meanings, and how keys relate. No file is opened here.

Each key's `description` is its line in docs/reference/configuration.md; what a single value may be stands in `fields`.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from cell_records.cloud_storage import PUBLIC_ENDPOINT as PUBLIC_STORAGE
from github_api.values import Scope, ScopeKind
from scaler.cloud_run.client import PUBLIC_ENDPOINT, CredentialKind
from scaler.config.fields import (
    AppId,
    Duration,
    Emails,
    Labels,
    Name,
    Organization,
    PoolName,
    PositiveDuration,
    Project,
    Records,
    Reference,
    Region,
    Repositories,
    Repository,
    Url,
)
from scaler.config.schedules import ScheduleSection
from scaler.config.section import Section, relation
from scaler.config.times import TimesSection
from scaler.config.zones import TimeZone


class Mode(StrEnum):
    """Who holds the App's key."""

    LEASED = "leased"
    DIRECT = "direct"


class GitHubSection(Section):
    url: Url = Field(
        "https://api.github.com", description="The REST API; for GitHub Enterprise Server https://HOST/api/v3"
    )
    app_id: AppId = Field(description="The GitHub App's client id (recommended) or App id")
    private_key: Reference = Field(
        description="Where the App's private key (.pem) stands: `file:`, `env:` or `secretmanager:`"
    )
    webhook_secret: Reference | None = Field(
        None, description="Where the webhook's secret stands; without it `POST /webhooks/github` answers 404"
    )
    organization: Organization | None = Field(
        None,
        description="Register runners in this organization (or set `repository`: exactly one of the two)",
    )
    repository: Repository | None = Field(
        None, description="Register runners in this repository, `owner/name`"
    )
    repositories: Repositories | None = Field(
        None,
        description="Count the jobs of these repositories only; default: all that the installation may see",
    )
    registrations_per_minute: int = Field(
        150,
        ge=1,
        le=300,
        description="How many runners may be registered per minute; GitHub allows 1,500 in 5 minutes",
    )

    @property
    def scope(self) -> Scope:
        """Where runners are registered."""
        if self.repository is not None:
            return Scope(ScopeKind.REPOSITORY, self.repository)
        assert self.organization is not None
        return Scope(ScopeKind.ORGANIZATION, self.organization)

    def relations(self) -> Iterator[dict[str, str]]:
        if (self.organization is None) == (self.repository is None):
            given = "neither is set" if self.organization is None else "both are set"
            yield relation(
                "organization", f"organization and repository: {given}", "Set exactly one of the two."
            )
        if self.repository and self.repositories and self.repositories != (self.repository,):
            yield relation(
                "repositories",
                f"runners of repository {self.repository} serve no other",
                "Remove repositories.",
            )
        strangers = [
            name
            for name in self.repositories or ()
            if self.organization and name.split("/")[0].lower() != self.organization.lower()
        ]
        if strangers:
            yield relation(
                "repositories",
                f"{', '.join(strangers)} does not belong to organization {self.organization}",
                "List repositories of that organization only.",
            )


class CloudRunSection(Section):
    project: Project = Field(description="The Google Cloud project of the worker pools")
    region: Region = Field(description="Their region")
    endpoint: Url = Field(PUBLIC_ENDPOINT, description="The Admin API; change it for a stand-in only")
    credentials: Annotated[CredentialKind, Field(strict=False)] = Field(
        CredentialKind.APPLICATION_DEFAULT, description="`application-default`, or `anonymous` for a stand-in"
    )
    writes_per_minute: int = Field(
        30,
        ge=1,
        le=180,
        description="The project's write quota per region and minute: 30 on young projects, 180 at most",
    )

    def relations(self) -> Iterator[dict[str, str]]:
        host = urlsplit(self.endpoint).hostname or ""
        if self.credentials is CredentialKind.ANONYMOUS and host.endswith("googleapis.com"):
            yield relation(
                "credentials",
                f"credentials: anonymous with endpoint {self.endpoint}",
                "Google answers nobody; use application-default.",
            )


class SecretManagerSection(Section):
    endpoint: Url = Field(
        "https://secretmanager.googleapis.com",
        description="Where `secretmanager:` references are read; change it for a stand-in only",
    )


class StorageSection(Section):
    endpoint: Url = Field(
        PUBLIC_STORAGE,
        description="Where records in `gs://` buckets are read and written; change it for a stand-in only",
    )


class ServiceSection(Section):
    host: str = Field(
        "127.0.0.1", min_length=1, description="The address to listen on; `0.0.0.0` in a container"
    )
    port: int = Field(
        8080,
        ge=1,
        le=65535,
        description="The port to listen on; when left out, the environment variable `PORT` fills it, as on Cloud Run",
    )
    url: Url | None = Field(
        None,
        description="The service's own URL, the audience of every identity token; needed with `mode: leased`",
    )
    callers: Emails = Field(
        (), description="E-mails of the accounts that may `POST /tick` and read `/status`; nobody else may"
    )
    token_keys_url: Url = Field(
        "https://www.googleapis.com/oauth2/v3/certs",
        description="The public keys of the identity tokens' issuer",
    )
    token_issuer: Url = Field(
        "https://accounts.google.com", description="The issuer that identity tokens must name"
    )


class PoolSection(Section):
    name: PoolName = Field(description="The pool's name; cells carry it as label `runner-pool-pool`")
    labels: Labels = Field(
        description="What the runners offer; a job is served when its `runs-on` labels are among these"
    )
    runner_group: int = Field(
        1, ge=1, description="The id of the organization's runner group; 1 is the default group"
    )
    min: int = Field(0, ge=0, le=1000, description="Instances to keep at all times, idle or not")
    max: int = Field(ge=1, le=1000, description="Most instances of this pool")
    warm: int = Field(0, ge=0, le=1000, description="Parked instances to keep on top of the busy ones")
    priority: int = Field(
        0, ge=-1000, le=1000, description="Of two pools that fit a job equally well the higher one serves it"
    )
    public_repositories: bool = Field(
        False,
        description="Whether jobs of public repositories are served: anybody's pull request could run code here",
    )
    job_timeout: PositiveDuration = Field(
        timedelta(hours=6),
        description="The longest a job may run; the agent stops it then. At least the largest `timeout-minutes` in use",
    )
    listen_max: PositiveDuration = Field(
        timedelta(minutes=5), description="How long a runner listens without getting a job"
    )
    linger: Duration = Field(
        timedelta(seconds=10), description="How long a surplus cell without leases stays before it is closed"
    )
    paused: bool = Field(
        False,
        description="While true the pool gets no new instances and starts no jobs; what runs, runs to its end",
    )
    schedule: Annotated[tuple[ScheduleSection, ...], Field(strict=False)] = Field(
        (),
        description="Other `min`, `max` and `warm` at some hours; of entries that overlap the last one holds",
    )

    def relations(self) -> Iterator[dict[str, str]]:
        if self.min > self.max:
            yield relation("min", f"min {self.min} is more than max {self.max}", "Lower min or raise max.")
        if self.warm > self.max:
            yield relation(
                "warm", f"warm {self.warm} is more than max {self.max}", "Lower warm or raise max."
            )
        for index, entry in enumerate(self.schedule):
            most = self.max if entry.max is None else entry.max
            for key, value in (("min", entry.min), ("warm", entry.warm)):
                if value is not None and value > most:
                    yield relation(
                        f"schedule.{index}.{key}",
                        f"{key} {value} is more than the max {most} of that time",
                        f"Lower {key} or raise max.",
                    )


class Config(Section):
    """The whole file. Durations are timedeltas, secrets are references."""

    deployment: Name = Field(
        description="The owner's name, on each cell (label `runner-pool-deployment`) and in each record"
    )
    github: GitHubSection
    cloud_run: CloudRunSection
    secret_manager: SecretManagerSection = SecretManagerSection()
    storage: StorageSection = StorageSection()
    records: Records = Field(
        description="Where the cells' records stand: `gs://BUCKET/FOLDER` on Google Cloud; for one machine "
        "`sqlite:/path/records.db` (also written `sqlite:///path/records.db`)"
    )
    service: ServiceSection = ServiceSection()
    mode: Annotated[Mode, Field(strict=False)] = Field(
        Mode.LEASED,
        description="`leased`: the scaler registers runners; `direct`: an instance holds the key itself (trusted workflows only)",
    )
    timezone: TimeZone = Field(
        "UTC", description="Whose clock the schedules of pools mean: a name such as `Europe/Berlin`"
    )
    paused: bool = Field(
        False,
        description="While true no pool gets new instances or starts jobs; what runs, runs to its end",
    )
    max_instances: int = Field(
        100,
        ge=1,
        le=10000,
        description="Most instances of all pools together; a scaler on Cloud Run takes 1,000 calls at once, so 900 there at most",
    )
    pools: Annotated[tuple[PoolSection, ...], Field(strict=False, min_length=1)] = Field(
        description="One entry per class of runners"
    )
    times: TimesSection = TimesSection()

    def relations(self) -> Iterator[dict[str, str]]:
        if self.mode is Mode.LEASED and self.service.url is None:
            yield relation(
                "service",
                "mode: leased without service.url",
                "Set service.url to the URL that the instances reach.",
            )
        for name, count in Counter(pool.name for pool in self.pools).items():
            if count > 1:
                yield relation("pools", f"{count} pools have the name {name}", "Give each pool its own name.")
        least = sum(pool.min for pool in self.pools)
        if least > self.max_instances:
            yield relation(
                "max_instances",
                f"the pools' min add up to {least}, more than max_instances {self.max_instances}",
                "Lower a min or raise max_instances.",
            )
        if self.github.repository is not None:
            for index, pool in enumerate(self.pools):
                if pool.runner_group != 1:
                    yield relation(
                        f"pools.{index}.runner_group",
                        f"runner_group is {pool.runner_group}, but github.repository has no groups",
                        "Remove runner_group: groups exist in organizations only.",
                    )
