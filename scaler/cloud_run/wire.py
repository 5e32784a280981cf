"""Cloud Run's worker pools and errors: JSON in, values out. PURE: field names and error texts of the vendor
live here only.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from github_api.secret import Secret
from scaler.errors import (
    CapacityRefused,
    CloudRunError,
    Conflict,
    NotFound,
    PermissionDenied,
    Rejected,
    Throttled,
    Unavailable,
)

T = TypeVar("T")

CELL_SECRET = "RUNNER_POOL_CELL_SECRET"  # noqa: S105 - the name of an environment variable
COUNT_MASK = "scaling.manual_instance_count"
_LONGEST_MESSAGE = 256

# Seen texts: "Quota violated: - CpuAllocPerProjectRegion requested: 200000 allowed: 56000", "Quota exceeded
# for total allowable CPU per project per region". The write quota says "Quota exceeded for quota metric
# 'Write requests'", which is no lack of capacity.
_NO_CAPACITY = re.compile(
    r"CpuAlloc|MemAlloc|GpuAlloc|total allowable (?:CPU|memory)|insufficient capacity|no capacity",
    re.IGNORECASE,
)

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto: codes in operations, with the
# HTTP status of each.
_HTTP_STATUS_OF_CODE = dict(
    enumerate([200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401])
)


class WrongShape(ValueError):
    """A reply is not what the reference describes."""


class ScalingMode(StrEnum):
    """Who decides the count. Anything but MANUAL means that somebody beside us does."""

    MANUAL = "MANUAL"
    AUTOMATIC = "AUTOMATIC"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPool:
    """One reading of a worker pool. All fields are of the same moment, and `etag` names it.

    `count` is None when the reply has none: unknown, not zero. `env` is that of the first container; the
    values of the cell's secrets are `Secret`. `failure` is Cloud Run's own text when its last change did not
    work out; `refused_at`: since when (seconds since the epoch), when that was for want of quota or capacity.
    """

    name: str
    id: str
    uid: str
    etag: str
    count: int | None
    generation: int
    observed_generation: int
    reconciling: bool
    scaling_mode: ScalingMode
    labels: Mapping[str, str] = field(hash=False)
    service_account: str | None
    env: Mapping[str, str | Secret] = field(repr=False, hash=False)
    last_modifier: str | None
    failure: str | None
    deleted: bool
    refused_at: float | None = None

    @property
    def settled(self) -> bool:
        """Whether Cloud Run says that it has carried out all that it was asked. What has failed was not carried out."""
        return self.generation == self.observed_generation and not self.reconciling and self.failure is None

    @property
    def rests(self) -> bool:
        """Whether nothing is under way in it, be it that its last change came true or failed."""
        return self.generation == self.observed_generation and not self.reconciling

    @property
    def manual(self) -> bool:
        """Whether nobody but the writer of its count scales it."""
        return self.scaling_mode is ScalingMode.MANUAL

    @property
    def cell_secret(self) -> Secret | None:
        """The secret that this cell's instances show, when the template has one."""
        value = self.env.get(CELL_SECRET)
        return value if isinstance(value, Secret) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A worker pool as Cloud Run wrote it, with every field that this program does not know, and our reading of it."""

    reading: WorkerPool
    data: Mapping[str, Any] = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A change that Cloud Run has accepted; `name` is the way to ask for its end."""

    name: str
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """Where an operation stands; `error` only when it is done and has failed."""

    done: bool
    error: CloudRunError | None


def worker_pools(body: bytes) -> tuple[tuple[WorkerPool, ...], str | None]:
    """The worker pools of one page and the next page's token. Raises WrongShape."""
    data = _object(_parsed(body), "the list")
    items = data.get("workerPools", [])
    if not isinstance(items, list):
        raise WrongShape("workerPools should be a list")
    return tuple(_worker_pool(_object(item, "a worker pool")) for item in items), _text(
        data, "nextPageToken"
    ) or None


def worker_pool(body: bytes) -> WorkerPool:
    """A worker pool from the JSON of its resource. Raises WrongShape."""
    return _worker_pool(_object(_parsed(body), "the worker pool"))


def documents(body: bytes) -> tuple[tuple[Document, ...], str | None]:
    """As `worker_pools`, each with all that stands in it. Raises WrongShape."""
    data = _object(_parsed(body), "the list")
    pools, token = worker_pools(body)
    items = [_object(item, "a worker pool") for item in data.get("workerPools", [])]
    return tuple(Document(reading=pool, data=item) for pool, item in zip(pools, items, strict=True)), token


def document(body: bytes) -> Document:
    """As `worker_pool`, with all that stands in it. Raises WrongShape."""
    return Document(reading=worker_pool(body), data=_object(_parsed(body), "the worker pool"))


def operation(body: bytes) -> Operation:
    """The operation that a write answers with. Raises WrongShape."""
    data = _object(_parsed(body), "the operation")
    return Operation(name=_needed(_text(data, "name"), "name"), done=data.get("done", False) is True)


def operation_state(body: bytes, *, call: str) -> OperationState:
    """Where an operation stands; `call` is what it carries out, in words. Raises WrongShape.

    https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.operations#Operation
    """
    data = _object(_parsed(body), "the operation")
    done = data.get("done", False) is True
    failure = _object(data.get("error", {}), "the operation's error")
    error = operation_error(code=_whole(failure, "code"), message=_text(failure, "message"), call=call)
    return OperationState(done=done, error=error if done else None)


def refusal(*, status: int, body: bytes, call: str) -> CloudRunError:
    """The error that an HTTP reply is; `call` is the call in words."""
    try:
        document = _parsed(body)
    except WrongShape:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    return _error(
        status=status, message=_text(error, "message") if isinstance(error, dict) else "", call=call
    )


def operation_error(*, code: int, message: str, call: str) -> CloudRunError | None:
    """The error that ended an operation; None for code 0. `code` is google.rpc.Code."""
    return (
        None if code == 0 else _error(status=_HTTP_STATUS_OF_CODE.get(code, 500), message=message, call=call)
    )


def _error(*, status: int, message: str, call: str) -> CloudRunError:
    what = f"Cloud Run refused to {call} (HTTP {status})"
    said = " ".join(message.split())[:_LONGEST_MESSAGE]
    if said:
        what = f"{what}: {said}"
    if _NO_CAPACITY.search(message):
        return CapacityRefused(
            what, status=status, remedy="Ask for more CPU and memory quota in that region, or lower max."
        )
    match status:
        case 409:
            return Conflict(what, status=status, remedy="Somebody changed it in between; it is read again.")
        case 429:
            return Throttled(
                what,
                status=status,
                remedy="Tried again later; set cloud_run.writes_per_minute to your quota.",
            )
        case 401 | 403:
            return PermissionDenied(
                what,
                status=status,
                remedy="The account of this program needs run.workerpools.get, .list and .update, and .delete for `destroy` "
                "(all in roles/run.developer), and roles/iam.serviceAccountUser on the cells' service account.",
            )
        case 404:
            return NotFound(
                what,
                status=status,
                remedy="Check cloud_run.project and cloud_run.region, and that the cell exists.",
            )
        case 408 | 499:
            return Unavailable(
                what, status=status, remedy="Tried again later; whether it had an effect is not known."
            )
        case _ if 400 <= status < 500:
            return Rejected(
                what, status=status, remedy="Google's words above name the field; check the cell's settings."
            )
        case _:
            return Unavailable(
                what, status=status, remedy="Tried again later; whether it had an effect is not known."
            )


def _worker_pool(data: Mapping[str, Any]) -> WorkerPool:
    name = _text(data, "name")
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+/workerPools/[^/]+", name):
        raise WrongShape("name should be projects/…/locations/…/workerPools/…")
    scaling = _object(data.get("scaling", {}), "scaling")
    template = _object(data.get("template", {}), "template")
    labels = _object(data.get("labels", {}), "labels")
    return WorkerPool(
        name=name,
        id=name.rpartition("/")[2],
        uid=_needed(_text(data, "uid"), "uid"),
        etag=_needed(_text(data, "etag"), "etag"),
        count=None if scaling.get("manualInstanceCount") is None else _whole(scaling, "manualInstanceCount"),
        # Without it "generation seen = generation" would hold for nothing and nothing.
        generation=_needed(_whole(data, "generation"), "generation"),
        observed_generation=_whole(data, "observedGeneration"),
        reconciling=data.get("reconciling", False) is not False,
        scaling_mode=_scaling_mode(scaling.get("scalingMode")),
        labels=MappingProxyType({key: str(value) for key, value in labels.items()}),
        service_account=_text(template, "serviceAccount") or None,
        env=MappingProxyType(_env(template)),
        last_modifier=_text(data, "lastModifier") or None,
        failure=_failure(data.get("terminalCondition")),
        deleted=bool(data.get("deleteTime")),
        refused_at=_refused_at(data.get("terminalCondition")),
    )


def _scaling_mode(value: object) -> ScalingMode:
    # The published schema has manual scaling only and leaves the field out: absent is manual.
    if value in (None, "", "MANUAL", "SCALING_MODE_UNSPECIFIED"):
        return ScalingMode.MANUAL
    return ScalingMode.AUTOMATIC if value == "AUTOMATIC" else ScalingMode.OTHER


def _env(template: Mapping[str, Any]) -> dict[str, str | Secret]:
    containers = template.get("containers", [])
    if not isinstance(containers, list):
        raise WrongShape("containers should be a list")
    entries = _object(containers[0], "a container").get("env", []) if containers else []
    if not isinstance(entries, list):
        raise WrongShape("env should be a list")
    env: dict[str, str | Secret] = {}
    for entry in (_object(item, "an env entry") for item in entries):
        if "valueSource" not in entry:  # a value by reference is not ours to resolve
            name, value = _text(entry, "name"), _text(entry, "value")
            env[name] = Secret(value) if name.startswith(CELL_SECRET) else value
    return env


def _failure(condition: object) -> str | None:
    if not isinstance(condition, dict) or condition.get("state") != "CONDITION_FAILED":
        return None
    return _text(condition, "message")[:_LONGEST_MESSAGE] or "Cloud Run gives no reason"


def _refused_at(condition: object) -> float | None:
    failure = _failure(condition)
    if failure is None or not isinstance(condition, dict) or not _NO_CAPACITY.search(failure):
        return None
    try:
        return datetime.fromisoformat(_text(condition, "lastTransitionTime")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _parsed(body: bytes) -> object:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WrongShape(f"not JSON: {type(error).__name__}") from error
    return document


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WrongShape(f"{where} should be an object")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    """The text under `key`; protobuf's JSON leaves an empty text out."""
    value = data.get(key, "")
    if not isinstance(value, str):
        raise WrongShape(f"{key} should be a text")
    return value


def _needed(value: T, key: str) -> T:
    if not value:
        raise WrongShape(f"{key} is missing")
    return value


def _whole(data: Mapping[str, Any], key: str) -> int:
    """The number under `key`; protobuf's JSON writes 64-bit numbers as text and leaves out a zero."""
    value = data.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WrongShape(f"{key} should be a whole number")
    try:
        return int(value)
    except ValueError as error:
        raise WrongShape(f"{key} should be a whole number") from error
