"""The environment's variables -> checked settings. Pure: the environment is an argument; files are not mine.

All problems are reported at once, each with the variable's name, what was found and the remedy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from runner_agent.errors import SettingsError
from runner_agent.setting_values import (
    absolute,
    absolute_or_none,
    anonymous,
    any_url,
    command,
    labels,
    positive_duration,
    positive_integer,
    reference,
    secure_url,
    visible,
    yes_or_no,
)

REGISTRATION = "RUNNER_POOL_REGISTRATION"
SCALER_URL = "RUNNER_POOL_SCALER_URL"
SCALER_AUDIENCE = "RUNNER_POOL_SCALER_AUDIENCE"
CELL = "RUNNER_POOL_CELL"
CELL_SECRET = "RUNNER_POOL_CELL_SECRET"  # noqa: S105 - the variable's name, not a secret
RUNNER_COMMAND = "RUNNER_POOL_RUNNER_COMMAND"
RUNNER_HOME = "RUNNER_POOL_RUNNER_HOME"
RUNNER_USER = "RUNNER_POOL_RUNNER_USER"
WORK_FOLDER = "RUNNER_POOL_WORK_FOLDER"
USED_MARK = "RUNNER_POOL_USED_MARK"
ALLOW_USED_CONTAINER = "RUNNER_POOL_ALLOW_USED_CONTAINER"
ALLOW_SAME_USER = "RUNNER_POOL_ALLOW_SAME_USER"
MAX_LIFETIME = "RUNNER_POOL_MAX_LIFETIME"
DEPLOYMENT = "RUNNER_POOL_DEPLOYMENT"
POOL = "RUNNER_POOL_POOL"
RECORDS = "RUNNER_POOL_RECORDS"
STORAGE_ENDPOINT = "RUNNER_POOL_STORAGE_ENDPOINT"
STORAGE_CREDENTIALS = "RUNNER_POOL_STORAGE_CREDENTIALS"
GITHUB_URL = "RUNNER_POOL_GITHUB_URL"
GITHUB_APP_ID = "RUNNER_POOL_GITHUB_APP_ID"
GITHUB_APP_KEY = "RUNNER_POOL_GITHUB_APP_KEY"
SECRET_MANAGER_ENDPOINT = "RUNNER_POOL_SECRET_MANAGER_ENDPOINT"  # noqa: S105 - the variable's name, not a secret
GITHUB_SCOPE = "RUNNER_POOL_GITHUB_SCOPE"
RUNNER_GROUP = "RUNNER_POOL_RUNNER_GROUP"
LABELS = "RUNNER_POOL_LABELS"
JOB_TIMEOUT = "RUNNER_POOL_JOB_TIMEOUT"
LISTEN_MAX = "RUNNER_POOL_LISTEN_MAX"
WORKER_POOL = "CLOUD_RUN_WORKER_POOL"
REVISION = "CLOUD_RUN_WORKER_POOL_REVISION"
METADATA_HOST = "GCE_METADATA_HOST"

OWN_PREFIX = "RUNNER_POOL_"
"""Variables that begin like this are the agent's own and never reach the runner."""

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        REGISTRATION: "leased",
        SCALER_URL: "",
        SCALER_AUDIENCE: "",
        CELL: "",
        CELL_SECRET: "",
        RUNNER_COMMAND: "/home/runner/run.sh",
        RUNNER_HOME: "/home/runner",
        RUNNER_USER: "runner",
        WORK_FOLDER: "",
        USED_MARK: "",
        ALLOW_USED_CONTAINER: "yes",
        ALLOW_SAME_USER: "no",
        MAX_LIFETIME: "12h",
        DEPLOYMENT: "",
        POOL: "",
        RECORDS: "",
        STORAGE_ENDPOINT: "https://storage.googleapis.com",
        STORAGE_CREDENTIALS: "application-default",
        GITHUB_URL: "https://api.github.com",
        GITHUB_APP_ID: "",
        GITHUB_APP_KEY: "",
        SECRET_MANAGER_ENDPOINT: "https://secretmanager.googleapis.com",
        GITHUB_SCOPE: "",
        RUNNER_GROUP: "1",
        LABELS: "",
        JOB_TIMEOUT: "6h",
        LISTEN_MAX: "5m",
        WORKER_POOL: "",
        REVISION: "",
        METADATA_HOST: "metadata.google.internal",
    }
)
"""Every variable the agent reads, with its default; docs/reference/agent.md is the table for people."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedSettings:
    """How to reach the scaler."""

    scaler_url: str
    audience: str
    cell_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectSettings:
    """What an instance needs to register runners by itself. `app_key` is a reference, never the key."""

    deployment: str
    pool: str
    records: str
    storage_endpoint: str
    storage_anonymous: bool
    github_url: str
    app_id: str
    app_key: str
    secret_manager_endpoint: str
    scope: str
    runner_group: int
    labels: tuple[str, ...]
    job_timeout_seconds: float
    listen_max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the agent was told."""

    registration: LeasedSettings | DirectSettings
    cell: str
    revision: str
    runner_command: tuple[str, ...]
    runner_home: str
    runner_user: str
    work_folder: str
    """Empty: the runner makes one in its home."""
    used_mark: str
    """Empty: nobody looks whether the container is fresh."""
    allow_used_container: bool
    allow_same_user: bool
    max_lifetime_seconds: float
    metadata_host: str


def load_settings(env: Mapping[str, str]) -> Settings:
    """Read every setting. Raises SettingsError with one sentence for each problem."""
    reader = _Reader(env)
    mode = reader.text(REGISTRATION)
    registration: LeasedSettings | DirectSettings
    if mode == "direct":
        registration = _direct(reader)
    else:
        if mode != "leased":
            reader.problem(REGISTRATION, f"{mode!r} is not a way to register", "write leased or direct")
        registration = _leased(reader)
    settings = Settings(
        registration=registration,
        cell=_cell(reader),
        revision=reader.text(REVISION),
        runner_command=reader.parsed(RUNNER_COMMAND, command, "write a command as a shell would read it"),
        runner_home=reader.parsed(RUNNER_HOME, absolute, "write an absolute path"),
        runner_user=reader.required(RUNNER_USER, "name the runner's account, or leave it out"),
        work_folder=reader.parsed(WORK_FOLDER, absolute_or_none, "write an absolute path, or leave it out"),
        used_mark=reader.parsed(USED_MARK, absolute_or_none, "write an absolute path, or leave it out"),
        allow_used_container=reader.parsed(ALLOW_USED_CONTAINER, yes_or_no, "write yes or no"),
        allow_same_user=reader.parsed(ALLOW_SAME_USER, yes_or_no, "write yes or no"),
        max_lifetime_seconds=reader.duration(MAX_LIFETIME),
        metadata_host=reader.required(METADATA_HOST, "name the metadata server, or leave it out"),
    )
    reader.raise_problems()
    return settings


def _cell(reader: "_Reader") -> str:
    """The worker pool this instance belongs to. What Cloud Run says of itself cannot be overridden: an instance that
    leased under another cell's name could be removed in the middle of its job, when its own cell is closed as empty.
    """
    named, told = reader.text(CELL), reader.text(WORKER_POOL)
    if named and told and named != told:
        reader.problem(
            CELL,
            f"it is {named!r}, but Cloud Run started this instance in {told!r} ({WORKER_POOL}), so the template "
            "was probably copied from another cell",
            f"leave {CELL} out of the template",
        )
    return told or reader.required(CELL, f"name the worker pool; on Cloud Run {WORKER_POOL} does it")


def _leased(reader: "_Reader") -> LeasedSettings:
    remedy = "set it in the template of the worker pool"
    url = reader.parsed(
        SCALER_URL, secure_url, "write https://… (http:// only to this very machine)", required=remedy
    )
    return LeasedSettings(
        scaler_url=url,
        audience=reader.text(SCALER_AUDIENCE) or url,
        cell_secret=reader.secret(CELL_SECRET, remedy),
    )


def _direct(reader: "_Reader") -> DirectSettings:
    remedy = "direct registration needs it; set it in the template of the worker pool"
    return DirectSettings(
        deployment=reader.required(DEPLOYMENT, remedy),
        pool=reader.required(POOL, remedy),
        records=reader.required(RECORDS, f"{remedy}, for example gs://acme-ci-records/linux"),
        storage_endpoint=reader.parsed(STORAGE_ENDPOINT, secure_url, "write https://…, or leave it out"),
        storage_anonymous=reader.parsed(
            STORAGE_CREDENTIALS, anonymous, "write application-default, or anonymous for a stand-in"
        ),
        github_url=reader.parsed(GITHUB_URL, any_url, "write https://…"),
        app_id=reader.required(GITHUB_APP_ID, remedy),
        app_key=reader.parsed(
            GITHUB_APP_KEY, reference, "write file:…, env:… or secretmanager:…", required=remedy
        ),
        secret_manager_endpoint=reader.parsed(
            SECRET_MANAGER_ENDPOINT, secure_url, "write https://…, or leave it out"
        ),
        scope=reader.required(GITHUB_SCOPE, f"{remedy}: acme or acme/widgets"),
        runner_group=reader.parsed(RUNNER_GROUP, positive_integer, "write the number of a runner group"),
        labels=reader.parsed(LABELS, labels, "write labels with commas between", required=remedy),
        job_timeout_seconds=reader.duration(JOB_TIMEOUT),
        listen_max_seconds=reader.duration(LISTEN_MAX),
    )


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: list[str] = []

    def text(self, name: str) -> str:
        """The value or its default; an empty variable counts as absent."""
        return self._env.get(name, "").strip() or DEFAULTS[name]

    def required(self, name: str, remedy: str) -> str:
        """The value, which must be there."""
        value = self.text(name)
        if not value:
            self.problem(name, "it is not set", remedy)
        return value

    def secret(self, name: str, remedy: str) -> str:
        """The value, which must be there. Nothing is cut off its ends: the other side compares it to the letter."""
        value = self._env.get(name, "")
        if not value.strip():
            self.problem(name, "it is not set", remedy)
            return ""
        try:
            return visible(value)
        except ValueError as error:
            self.problem(name, str(error), "write another one there, such as that of `openssl rand -hex 32`")
            return ""

    def parsed(
        self, name: str, parse: Callable[[str], Value], remedy: str, *, required: str | None = None
    ) -> Value:
        """The value as `parse` reads it; `parse` raises ValueError with what is wrong."""
        value = self.text(name)
        if required is not None and not value:
            self.problem(name, "it is not set", required)
            return parse(_PLACEHOLDERS[name])
        try:
            return parse(value)
        except ValueError as error:
            self.problem(name, str(error), remedy)
            return parse(DEFAULTS[name] or _PLACEHOLDERS[name])

    def duration(self, name: str) -> float:
        """Seconds."""
        return self.parsed(name, positive_duration, "write a duration such as 90s, 5m or 12h")

    def problem(self, name: str, what: str, remedy: str) -> None:
        """Remember one problem."""
        self._problems.append(f"{name}: {what}; {remedy}")

    def raise_problems(self) -> None:
        """Raise SettingsError if there was any problem."""
        if self._problems:
            raise SettingsError(self._problems)


_PLACEHOLDERS = {
    SCALER_URL: "http://localhost",
    GITHUB_APP_KEY: "env:NONE",
    LABELS: "none",
    WORK_FOLDER: "/",
    USED_MARK: "/",
}
"""Stand in for a value that was reported as a problem, so that the other problems are found too."""
