"""The v2 worker pool API over HTTP: reading requests, writing Google's JSON. Must not decide anything.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud.accounts import Accounts
from emulator.cloud.documents import operation_document, worker_pool_document
from emulator.cloud.doorkeeper import guarded
from emulator.cloud.errors import (
    GoogleError,
    InvalidArgumentError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnavailableError,
)
from emulator.cloud.faults import Fault
from emulator.cloud.identity import TokenService
from emulator.cloud.instance_host import InstanceHost
from emulator.cloud.quota import WriteQuota
from emulator.cloud.wire import page_offset, page_token, with_numeric_enums
from emulator.cloud.worker_pool import Operation, Write
from emulator.cloud.worker_pool_config import instance_count
from emulator.cloud.world import CloudWorld
from emulator.lost_reply import LostReply

ANONYMOUS = "anonymous@stand-in.invalid"
SYSTEM_PARAMETERS = frozenset({"$alt", "alt", "key", "fields", "$fields", "prettyPrint", "quotaUser"})
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 100
LONGEST_WAIT_SECONDS = 60.0

PARENT = "/v2/projects/{project}/locations/{location}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPoolApi:
    """Everything the routes of one project and region need."""

    world: CloudWorld
    host: InstanceHost
    quota: WriteQuota
    tokens: TokenService
    accounts: Accounts
    clock: Callable[[], float]
    project: str
    project_number: str
    region: str

    def routes(self) -> list[Route]:
        pools, pool = f"{PARENT}/workerPools", f"{PARENT}/workerPools/{{pool}}"
        operations, operation = f"{PARENT}/operations", f"{PARENT}/operations/{{operation}}"
        calls = [
            (pools, "GET", "run.workerpools.list", self._list),
            (pools, "POST", "run.workerpools.create", self._create),
            (pool, "GET", "run.workerpools.get", self._get),
            (pool, "PATCH", "run.workerpools.update", self._patch),
            (pool, "DELETE", "run.workerpools.delete", self._delete),
            (operations, "GET", "run.operations.list", self._list_operations),
            (f"{operation}:wait", "POST", "run.operations.get", self._wait_operation),
            (operation, "GET", "run.operations.get", self._get_operation),
            (operation, "DELETE", "run.operations.delete", self._delete_operation),
        ]
        return [
            Route(path, guarded(self.accounts, permission, handler), methods=[method])
            for path, method, permission, handler in calls
        ]

    async def _list(self, request: Request) -> Response:
        query = self._query(request, {"pageSize", "pageToken", "showDeleted"})
        pools = self.world.worker_pools(show_deleted=_flag(query, "showDeleted"))
        return _page(request, query, "workerPools", [worker_pool_document(pool) for pool in pools])

    async def _get(self, request: Request) -> Response:
        self._query(request, set())
        return _json(request, worker_pool_document(self.world.worker_pool(request.path_params["pool"])))

    async def _create(self, request: Request) -> Response:
        query = self._query(request, {"workerPoolId", "validateOnly"})
        body = await _body(request)
        pool_id = query.get("workerPoolId", "")
        return self._written(
            request,
            pool_id,
            body,
            lambda: self.world.create(
                pool_id,
                body,
                caller=self._caller(request),
                now=self.clock(),
                validate_only=_flag(query, "validateOnly"),
            ),
        )

    async def _patch(self, request: Request) -> Response:
        query = self._query(request, {"updateMask", "validateOnly", "allowMissing", "forceNewRevision"})
        body = await _body(request)
        pool_id = request.path_params["pool"]
        return self._written(
            request,
            pool_id,
            body,
            lambda: self.world.patch(
                pool_id,
                body,
                mask=[path for path in query.get("updateMask", "").split(",") if path],
                caller=self._caller(request),
                now=self.clock(),
                validate_only=_flag(query, "validateOnly"),
                allow_missing=_flag(query, "allowMissing"),
                force_new_revision=_flag(query, "forceNewRevision"),
            ),
        )

    async def _delete(self, request: Request) -> Response:
        query = self._query(request, {"etag", "validateOnly"})
        pool_id = request.path_params["pool"]
        return self._written(
            request,
            pool_id,
            {},
            lambda: self.world.delete(
                pool_id,
                tag=query.get("etag"),
                caller=self._caller(request),
                now=self.clock(),
                validate_only=_flag(query, "validateOnly"),
            ),
        )

    async def _list_operations(self, request: Request) -> Response:
        query = self._query(request, {"pageSize", "pageToken", "filter", "returnPartialSuccess"})
        newest_first = reversed(self.world.operations.values())
        documents = [operation_document(operation) for operation in newest_first]
        return _page(request, query, "operations", documents)

    async def _get_operation(self, request: Request) -> Response:
        self._query(request, set())
        return _json(request, operation_document(self._operation(request)))

    async def _wait_operation(self, request: Request) -> Response:
        self._query(request, set())
        operation = self._operation(request)
        seconds = _seconds((await _body(request)).get("timeout", f"{LONGEST_WAIT_SECONDS}s"))
        await self.host.wait_until(lambda: operation.done, timeout_seconds=min(seconds, LONGEST_WAIT_SECONDS))
        return _json(request, operation_document(operation))

    async def _delete_operation(self, request: Request) -> Response:
        self._query(request, set())
        self.world.forget_operation(self._operation(request).name)
        return _json(request, {})

    def _operation(self, request: Request) -> Operation:
        return self.world.operation(f"{self.world.parent}/operations/{request.path_params['operation']}")

    def _written(
        self, request: Request, pool_id: str, body: dict[str, Any], write: Callable[[], Operation]
    ) -> Response:
        """Performs a write under the quota and keeps a line of it, whatever comes of it."""
        now = self.clock()
        before = self._count(pool_id)
        status = 200
        try:
            self._strike_unavailable()
            self._take_quota(now)
            operation = write()
        except GoogleError as error:
            status = error.http_code
            raise
        finally:
            asked = body.get("scaling")
            refused = asked.get("manualInstanceCount") if isinstance(asked, dict) else None
            after = 0 if request.method == "DELETE" else self._count(pool_id) if status == 200 else refused
            self.world.writes.append(
                Write(
                    method=request.method,
                    worker_pool=pool_id,
                    from_count=before,
                    to_count=after if isinstance(after, int) else None,
                    status=status,
                    at=now,
                )
            )
        self.host.nudge()
        if self.world.faults.strike(Fault.REPLY_LOST):
            return LostReply()
        return _json(request, operation_document(operation))

    def _take_quota(self, now: float) -> None:
        numbers = self.world.faults.numbers(Fault.WRITE_QUOTA)
        if numbers is None or numbers["writes_per_minute"] >= self.quota.writes_per_minute:
            self.quota.take(now)
            return
        try:
            self.quota.take(now, at_most=numbers["writes_per_minute"])
        except ResourceExhaustedError:
            self.world.faults.count(Fault.WRITE_QUOTA)
            raise

    def _strike_unavailable(self) -> None:
        if self.world.faults.strike(Fault.UNAVAILABLE):
            raise UnavailableError("The service is currently unavailable.")

    def _count(self, pool_id: str) -> int | None:
        found = [pool for pool in self.world.worker_pools() if pool.id == pool_id]
        return instance_count(found[0].config) if found else None

    def _query(self, request: Request, allowed: set[str]) -> dict[str, str]:
        """The parameters, after project and region were checked. Raises GoogleError."""
        project, location = request.path_params["project"], request.path_params["location"]
        if location == "-":
            raise InvalidArgumentError("Location '-' is not supported: name one region.")
        if project not in (self.project, self.project_number):
            raise PermissionDeniedError(f"Permission denied on resource project {project}.")
        if location != self.region:
            raise PermissionDeniedError(f"Permission denied on 'locations/{location}' (or it may not exist).")
        for name in request.query_params:
            if name not in allowed and name not in SYSTEM_PARAMETERS:
                raise InvalidArgumentError(
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message."
                )
        if request.method in ("GET", "HEAD"):  # writes are struck where their line is kept
            self._strike_unavailable()
        return dict(request.query_params)

    def _caller(self, request: Request) -> str:
        return self.tokens.owner(request.headers.get("authorization")) or ANONYMOUS


def _page(request: Request, query: dict[str, str], key: str, items: list[dict[str, Any]]) -> Response:
    text = query.get("pageSize") or "0"
    if not re.fullmatch(r"\d{1,9}", text):
        raise InvalidArgumentError.of_field("page_size", f"must not be {text!r}.")
    size = min(int(text) or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    offset = page_offset(query.get("pageToken", ""))
    body: dict[str, Any] = {}
    if items[offset:]:
        body[key] = items[offset : offset + size]
    if items[offset + size :]:
        body["nextPageToken"] = page_token(offset + size)
    return _json(request, body)


def _json(request: Request, body: dict[str, Any]) -> Response:
    numeric = "enum-encoding=int" in request.query_params.get("$alt", "")
    return JSONResponse(with_numeric_enums(body) if numeric else body)


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        raise InvalidArgumentError("Invalid JSON payload received. Parser error.") from None
    if not isinstance(body, dict):
        raise InvalidArgumentError("Invalid JSON payload received. Root element must be a message.")
    return body


def _flag(query: dict[str, str], name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise InvalidArgumentError.of_field(name, f"must be true or false, not {text!r}.")
    return text == "true"


def _seconds(duration: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", duration) if isinstance(duration, str) else None
    if match is None:
        raise InvalidArgumentError.of_field("timeout", f"must look like '10s', not {duration!r}.")
    return float(match[1])
