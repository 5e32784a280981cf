"""Calls to Cloud Run, each once: through Google's own client in a few threads, with a time-out and without
hidden retries.

Reads are raw GETs over the same credentials: the client's message has no scaling mode, and a mode read by a
second call would belong to another moment than count and etag. Decides nothing; knows neither gates nor
leases.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from scaler.cloud_run.wire import (
    COUNT_MASK,
    Document,
    Operation,
    OperationState,
    WorkerPool,
    WrongShape,
    document,
    documents,
    operation,
    operation_state,
    refusal,
    worker_pool,
    worker_pools,
)
from scaler.errors import CloudRunError, PermissionDenied, Unavailable

PUBLIC_ENDPOINT = "https://run.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PER_PAGE = 100
_MOST_PAGES = 100  # a region holds 1,000 worker pools: https://cloud.google.com/run/quotas
_THREADS = 8
_NOT_UNDERSTOOD = (
    "Whether it had an effect is not known. Is there a proxy in between, or is Google's client too old?"
)

T = TypeVar("T")


class CredentialKind(StrEnum):
    """Whom Google should take us for."""

    APPLICATION_DEFAULT = "application-default"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class _Google:
    """What the first call opens: Google's client, a session with the same credentials, and the errors they
    raise.
    """

    client: Any
    session: Any


class CloudRun:
    """The worker pools of one project and region. Call `aclose` at the end."""

    def __init__(
        self,
        *,
        project: str,
        region: str,
        endpoint: str = PUBLIC_ENDPOINT,
        credentials: CredentialKind = CredentialKind.APPLICATION_DEFAULT,
        timeout_seconds: float = 20.0,
    ) -> None:
        self._parent = f"projects/{project}/locations/{region}"
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloud-run")
        self._opening = threading.Lock()
        self._google: _Google | None = None
        # By Google's clock and by one that never jumps, at the last answer.
        self._dated: tuple[float, float] | None = None

    @property
    def told_time(self) -> float | None:
        """What Google's clock says now, in seconds since the epoch to about one, by the last answer read raw; None before one.

        https://www.rfc-editor.org/rfc/rfc9110#field.date
        """
        dated = self._dated
        return None if dated is None else dated[0] + time.monotonic() - dated[1]

    @staticmethod
    def load() -> None:
        """Import Google's client now. Left to the first call, its import in a thread would hold up the event loop for
        a third of a second, in which a service has its first answers to give and GitHub to read.
        """
        import google.auth.transport.requests
        import google.cloud.run_v2  # noqa: F401

    async def aclose(self) -> None:
        """End the threads; a call under way goes on to its end or time-out, unheard."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._google is not None:
            self._google.session.close()
            self._google.client.transport.close()

    async def list_worker_pools(self) -> list[WorkerPool]:
        """All worker pools of the region, of whomever. Raises CloudRunError, also when only one page is
        missing.
        """
        return await self._in_thread(lambda: self._all_pages(worker_pools))

    async def get_worker_pool(self, worker_pool_id: str) -> WorkerPool:
        """One worker pool as it is now. Raises NotFound when there is none."""
        call, name = f"read worker pool {worker_pool_id}", self._name(worker_pool_id)
        return await self._in_thread(lambda: self._get(name, {}, worker_pool, call=call))

    async def set_count(self, pool: WorkerPool, count: int) -> Operation:
        """Ask for `count` instances, if the worker pool is still as `pool` was read; nothing else of it is
        touched.

        Sent once. Conflict: it has changed since. Unavailable: it may or may not come true, even later.
        """
        return await self._in_thread(lambda: self._patch(pool, count))

    async def list_documents(self) -> list[Document]:
        """As `list_worker_pools`, with all that stands in each."""
        return await self._in_thread(lambda: self._all_pages(documents))

    async def get_document(self, worker_pool_id: str) -> Document:
        """As `get_worker_pool`, with all that stands in it."""
        call, name = f"read worker pool {worker_pool_id}", self._name(worker_pool_id)
        return await self._in_thread(lambda: self._get(name, {}, document, call=call))

    async def set_field(self, of: Document, name: str, value: object) -> Operation:
        """Write one top-level field (`template`, `labels`) whole, if the worker pool is still as `of` was read.

        Sent once and raw: Google's client would drop the fields that its message does not have. A changed template is a
        revision, which replaces every instance at once.
        https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools/patch
        """
        body = {"etag": of.reading.etag, name: value}
        return await self._in_thread(
            lambda: self._send(
                "PATCH",
                of.reading,
                {"updateMask": name},
                body,
                call=f"change the {name} of {of.reading.id}",
            )
        )

    async def delete_worker_pool(self, pool: WorkerPool) -> Operation:
        """Delete a worker pool, if it is still as `pool` was read. Sent once.

        https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools/delete
        """
        call = f"delete worker pool {pool.id}"
        return await self._in_thread(lambda: self._send("DELETE", pool, {"etag": pool.etag}, None, call=call))

    async def operation(self, name: str) -> OperationState:
        """Where the operation of that name stands."""
        return await self._in_thread(lambda: self._operation(name))

    def _name(self, worker_pool_id: str) -> str:
        return f"{self._parent}/workerPools/{quote(worker_pool_id, safe='')}"

    def _all_pages(self, parse: Callable[[bytes], tuple[tuple[T, ...], str | None]]) -> list[T]:
        call = f"list the worker pools of {self._parent}"
        found: list[T] = []
        token: str | None = ""
        for _ in range(_MOST_PAGES):
            query = {"pageSize": str(_PER_PAGE), **({"pageToken": token} if token else {})}
            pools, token = self._get(f"{self._parent}/workerPools", query, parse, call=call)
            found.extend(pools)
            if token is None:
                return found
        raise Unavailable(f"The list did not end after {_MOST_PAGES} pages when asked to {call}")

    def _get(self, path: str, query: dict[str, str], parse: Callable[[bytes], T], *, call: str) -> T:
        return self._exchange("GET", path, query, None, parse, call=call)

    def _send(
        self, method: str, pool: WorkerPool, query: dict[str, str], body: object | None, *, call: str
    ) -> Operation:
        return self._exchange(method, pool.name, query, body, operation, call=call)

    def _exchange(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: object | None,
        parse: Callable[[bytes], T],
        *,
        call: str,
    ) -> T:
        session = self._opened().session
        url = f"{self._endpoint}/v2/{path}{f'?{urlencode(query)}' if query else ''}"
        response = _told(
            call,
            lambda: session.request(
                method, url, json=body, timeout=self._timeout_seconds, allow_redirects=False
            ),
        )
        self._note_date(response.headers.get("Date"))
        if response.status_code != 200:
            raise refusal(status=response.status_code, body=response.content, call=call)
        try:
            return parse(response.content)
        except WrongShape as error:
            raise Unavailable(
                f"Cloud Run's reply was not understood when asked to {call}: {error}", status=200
            ) from error

    def _note_date(self, date: str | None) -> None:
        try:
            # Whole seconds are written: on average it is half a second later.
            self._dated = parsedate_to_datetime(date or "").timestamp() + 0.5, time.monotonic()
        except (ValueError, OverflowError):
            return

    def _patch(self, pool: WorkerPool, count: int) -> Operation:
        from google.cloud.run_v2 import UpdateWorkerPoolRequest, WorkerPoolScaling
        from google.cloud.run_v2 import WorkerPool as Message
        from google.protobuf.field_mask_pb2 import FieldMask

        request = UpdateWorkerPoolRequest(
            worker_pool=Message(
                name=pool.name, etag=pool.etag, scaling=WorkerPoolScaling(manual_instance_count=count)
            ),
            update_mask=FieldMask(paths=[COUNT_MASK]),
        )
        client = self._opened().client
        sent = _told(
            f"set worker pool {pool.id} to {count}",
            # retry=None: a hidden second PATCH could arrive after a decision that supersedes it.
            lambda: client.update_worker_pool(request=request, timeout=self._timeout_seconds, retry=None),
        )
        if not sent.operation.name:
            # Google's reader takes what is no operation for an empty one.
            raise Unavailable(
                f"Cloud Run's reply was not understood when asked to set worker pool {pool.id} to {count}",
                remedy=_NOT_UNDERSTOOD,
            )
        return Operation(name=sent.operation.name, done=sent.operation.done)

    def _operation(self, name: str) -> OperationState:
        # Raw: Google's client breaks at an operation that shows a worker pool with more than its message has.
        parse = partial(operation_state, call=f"carry out {name.rpartition('/')[2]}")
        return self._get(quote(name), {}, parse, call=f"read operation {name}")

    def _opened(self) -> _Google:
        """Google's client, made once; its import takes a third of a second and 60 MiB, so not before it is
        needed.
        """
        with self._opening:
            if self._google is None:
                self._google = _told("prepare Google's client", self._open)
            return self._google

    def _open(self) -> _Google:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud.run_v2 import WorkerPoolsClient

        credentials: Any
        if self._credentials is CredentialKind.ANONYMOUS:
            credentials = AnonymousCredentials()
        else:
            credentials, _ = google.auth.default(scopes=[_SCOPE])
        client = WorkerPoolsClient(
            credentials=credentials, transport="rest", client_options={"api_endpoint": self._endpoint}
        )
        return _Google(client, AuthorizedSession(credentials))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _told(call: str, work: Callable[[], Any]) -> Any:
    """The result of `work`, with what Google's libraries raise told as CloudRunError."""
    from google.api_core import exceptions as api_errors
    from google.auth import exceptions as auth_errors
    from google.protobuf import json_format
    from requests import RequestException

    try:
        return work()
    except api_errors.GoogleAPICallError as error:
        raise _refusal_of(error, call) from error
    except auth_errors.TransportError as error:
        raise Unavailable(
            f"Google's token service did not answer when asked to {call}", remedy="Tried again later."
        ) from error
    except auth_errors.GoogleAuthError as error:
        raise PermissionDenied(
            f"There are no usable Google credentials to {call}: {error}",
            remedy="On Google Cloud give the program a service account; elsewhere run "
            "gcloud auth application-default login.",
        ) from error
    except (json_format.Error, UnicodeDecodeError) as error:
        raise Unavailable(
            f"Cloud Run's reply was not understood when asked to {call} ({type(error).__name__})",
            remedy=_NOT_UNDERSTOOD,
        ) from error
    except (RequestException, api_errors.RetryError) as error:
        raise Unavailable(
            f"Cloud Run did not answer when asked to {call} ({type(error).__name__})",
            remedy="Tried again later; whether it had an effect is not known.",
        ) from error


def _refusal_of(error: Any, call: str) -> CloudRunError:
    response = getattr(error, "response", None)
    if response is not None:
        return refusal(status=response.status_code, body=response.content, call=call)
    return refusal(status=int(error.code or 500), body=b"", call=call)
