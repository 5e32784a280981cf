"""A store in a Cloud Storage bucket: one object per key, whose generation is the version. For Google Cloud.

A write names the generation that it replaces (0: there must be none), so it is a compare-and-set:
https://cloud.google.com/storage/docs/request-preconditions. Reading after a write, and listing after one, are strongly
consistent (https://cloud.google.com/storage/docs/consistency), unless a public object is cached on its way: each object
says `no-store`.

Writes are never repeated by the client: one that had landed would be refused as stale when it is sent again, and look like
another hand's. What is unknown is said to be unknown, and `change` finds out by the nonce.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from cell_records.errors import Conflict, StoreBusy, StoreRefused, StoreUnavailable
from cell_records.store import CELL_PREFIX, DEPLOYMENT_KEY, Stored, StoreLimits

PUBLIC_ENDPOINT = "https://storage.googleapis.com"

# Connecting, and each piece of a reply. A write of a few kilobytes takes a tenth of a second.
TIMEOUT_SECONDS = 5.0

# Reads may be repeated, since they change nothing; no longer than that, because a tick waits for them.
REPEAT_READS_SECONDS = 2.0

# As many connections as the client keeps by itself, so none is opened for one call and thrown away.
CALLS_AT_ONCE = 10

# https://cloud.google.com/storage/quotas: one write a second to the same object name.
WRITES_APART_SECONDS = 1.0

# https://cloud.google.com/storage/docs/json_api/v1/status-codes: 408 and 429 ask for a pause, and so does every 5xx.
_PAUSE_CODES = (408, 429)
# No right, or no such bucket: a missing object is told before by those who read or remove one.
_REFUSAL_CODES = (401, 403, 404)

_NETWORK = "Check the network and the credentials (gcloud auth application-default login)."


class CloudStorageStore:
    """Any number of threads and processes may share it; the client is made, and imported, at the first call."""

    limits = StoreLimits(writes_apart_seconds=WRITES_APART_SECONDS, calls_at_once=CALLS_AT_ONCE)

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        endpoint: str = PUBLIC_ENDPOINT,
        anonymous: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """`prefix`: the folder of this deployment's records. `anonymous`: for a stand-in that asks for no credentials; else
        they are the application default ones (https://cloud.google.com/docs/authentication/application-default-credentials).
        """
        self._bucket_name = bucket
        self._prefix = f"{prefix}/"
        self._endpoint = endpoint
        self._anonymous = anonymous
        self._timeout_seconds = timeout_seconds
        self._making = threading.Lock()
        self._client: Any = None
        self._at_once = threading.BoundedSemaphore(CALLS_AT_ONCE)
        # What each generation holds never changes, so a listing tells what need not be fetched.
        self._known: dict[str, Stored] = {}

    def __repr__(self) -> str:
        """For messages."""
        return f"gs://{self._bucket_name}/{self._prefix.rstrip('/')}"

    def read(self, key: str) -> Stored | None:
        """See RecordStore."""
        found = self._fetched(key)
        # Not found may also mean that the bucket has gone, and unknown is not empty: only a listing tells.
        return self._fetched(key) if found is None and key in self._listed(key) else found

    def read_all(self) -> Mapping[str, Stored]:
        """See RecordStore. One listing, and a call for each record that has changed since it was last seen here."""
        listed = self._listed()
        for gone in self._known.copy().keys() - listed.keys():  # other threads add to it meanwhile
            self._known.pop(gone, None)
        stored = {key: self._known.get(key) for key in listed}
        changed = [key for key, known in stored.items() if known is None or known.version != listed[key]]
        if changed:
            with ThreadPoolExecutor(min(CALLS_AT_ONCE, len(changed))) as threads:
                stored.update(zip(changed, threads.map(self._fetched, changed), strict=True))
        return {key: text for key, text in stored.items() if text is not None}

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        """See RecordStore."""
        with self._call(f"write {key!r}") as bucket:
            blob = bucket.blob(self._prefix + key)
            blob.cache_control = "no-store"
            blob.upload_from_string(
                text.encode(),
                content_type="application/json",
                if_generation_match=0 if expected is None else expected,
                timeout=self._timeout_seconds,
                retry=None,
            )
            version = _generation(blob)
        self._known[key] = Stored(text, version)
        return version

    def remove(self, key: str, *, expected: int) -> None:
        """See RecordStore. No generation is ever given twice."""
        from google.api_core import exceptions

        with self._call(f"remove {key!r}") as bucket:
            try:
                bucket.blob(self._prefix + key).delete(
                    if_generation_match=expected, timeout=self._timeout_seconds, retry=None
                )
            except exceptions.NotFound:
                found = False
            else:
                found = True
        self._known.pop(key, None)
        if not found:
            self._listed(key)  # a bucket that has gone is no record that has: this raises then
            raise Conflict(f"{self!r} could not remove {key!r}: there is none")

    def _fetched(self, key: str) -> Stored | None:
        from google.api_core import exceptions

        with self._call(f"read {key!r}") as bucket:
            blob = bucket.blob(self._prefix + key)
            # The client's own repetition of a download leaves the refused reply's connection open, so it is repeated as a whole.
            download = _repeated_reads()(
                partial(blob.download_as_bytes, timeout=self._timeout_seconds, retry=None)
            )
            try:
                content = download()
            except exceptions.NotFound:
                return None
            # What is no UTF-8 becomes no JSON, so that this one record is unreadable and no other.
            stored = Stored(content.decode(errors="backslashreplace"), _generation(blob))
        self._known[key] = stored
        return stored

    def _listed(self, key: str = "") -> Mapping[str, int]:
        """The generation of each record whose key begins so."""
        with self._call("list the records") as bucket:
            blobs = bucket.list_blobs(
                prefix=self._prefix + key,
                fields="items(name,generation),nextPageToken",
                timeout=self._timeout_seconds,
                retry=_repeated_reads(),
            )
            found = {blob.name.removeprefix(self._prefix): _generation(blob) for blob in blobs}
        return {
            each: version
            for each, version in found.items()
            if each == DEPLOYMENT_KEY or each.startswith(CELL_PREFIX)
        }

    @contextlib.contextmanager
    def _call(self, what: str) -> Iterator[Any]:
        """The bucket, for one call. Raises what a store raises, and nothing of the client's."""
        from google.api_core import exceptions
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
        from requests import RequestException

        try:
            with self._at_once:
                yield self._made().bucket(self._bucket_name)
        except exceptions.PreconditionFailed as error:
            raise Conflict(f"{self!r} could not {what}: another generation stands there") from error
        except exceptions.GoogleAPIError as error:
            # Repeated reads end with the last error inside another.
            last = error.cause if isinstance(error, exceptions.RetryError) else error
            code = getattr(last, "code", None)
            if code is None:
                raise StoreUnavailable(self._sentence(what, type(last).__name__, _NETWORK)) from error
            raise _refusal(int(code))(
                self._sentence(what, f"it answered {int(code)}", _remedy(int(code)))
            ) from error
        except DefaultCredentialsError as error:
            raise StoreRefused(self._sentence(what, type(error).__name__, _NETWORK)) from error
        except (GoogleAuthError, RequestException, DataCorruption, InvalidResponse, OSError) as error:
            raise StoreUnavailable(self._sentence(what, type(error).__name__, _NETWORK)) from error

    def _sentence(self, what: str, why: str, remedy: str) -> str:
        return (
            f"The record store {self!r} did not {what}: {why}. {remedy} "
            "Running jobs do not notice; nothing is started or lowered meanwhile."
        )

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = _client(self._endpoint, anonymous=self._anonymous)
                weakref.finalize(self, self._client.close)
        return self._client


def _client(endpoint: str, *, anonymous: bool) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    # No call here needs a project: buckets have names of their own. Without one the client would ask around for it.
    client = Client(
        project="-",
        credentials=AnonymousCredentials() if anonymous else None,
        client_options={"api_endpoint": endpoint},
    )
    # For traces that nobody collects here it would ask about the bucket from a thread of its own, which needs a permission
    # that records do not, and outlives `close`.
    client._bucket_metadata_cache = None  # noqa: SLF001 - the only other way is this whole process's environment
    return client


def _repeated_reads() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(initial=0.1, maximum=0.5).with_timeout(REPEAT_READS_SECONDS)


def _generation(blob: Any) -> int:
    if blob.generation is None:
        raise StoreUnavailable(
            f"Cloud Storage told no generation of {blob.name!r}: something in between drops its headers."
        )
    return int(blob.generation)


def _refusal(code: int) -> type[StoreUnavailable]:
    if code in _PAUSE_CODES or code >= 500:
        return StoreBusy
    return StoreRefused if code in _REFUSAL_CODES else StoreUnavailable


def _remedy(code: int) -> str:
    match code:
        case 401 | 403:
            return "Grant this program's account roles/storage.objectUser on the bucket."
        case 404:
            return "Make the bucket, or correct its name."
        case 408 | 429 | 500 | 502 | 503 | 504:
            return "It is tried again with growing pauses."
        case _:
            return "Check the bucket's name and its settings (retention, holds, versions)."
