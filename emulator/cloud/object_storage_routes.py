"""Cloud Storage's JSON API over HTTP: simple and multipart uploads, metadata, media, deletion, lists. Must not decide
anything but whether a fault strikes.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from json import JSONDecodeError

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud.accounts import Accounts, Obstacle
from emulator.cloud.errors import InvalidArgumentError
from emulator.cloud.faults import CloudFaults, Fault
from emulator.cloud.multipart import BadMultipartError, Upload, parsed_upload
from emulator.cloud.object_storage import (
    BackendUnavailableError,
    BadStorageRequestError,
    ForbiddenError,
    NotAuthenticatedError,
    ObjectStore,
    Preconditions,
    StorageError,
    StoredObject,
    TooManyWritesError,
)
from emulator.cloud.wire import page_offset, page_token
from emulator.lost_reply import LostReply

Handler = Callable[[Request], Awaitable[Response]]
MAX_RESULTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStorageApi:
    store: ObjectStore
    accounts: Accounts
    clock: Callable[[], float]
    faults: CloudFaults

    def routes(self) -> list[Route]:
        bucket = "/storage/v1/b/{bucket}"
        calls = [
            ("/storage/v1/b", "POST", "storage.buckets.create", self._create_bucket),
            (bucket, "GET", "storage.buckets.get", self._get_bucket),
            ("/upload" + bucket + "/o", "POST", "storage.objects.create", self._upload),
            (bucket + "/o", "GET", "storage.objects.list", self._listed),
            (bucket + "/o/{object:path}", "GET", "storage.objects.get", self._read),
            ("/download" + bucket + "/o/{object:path}", "GET", "storage.objects.get", self._read),
            (bucket + "/o/{object:path}", "DELETE", "storage.objects.delete", self._delete),
        ]
        return [
            Route(path, self._answering(self._permitted(permission, handler)), methods=[method])
            for path, method, permission, handler in calls
        ]

    def _permitted(self, permission: str, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            match self.accounts.obstacle(request.headers.get("authorization"), permission):
                case Obstacle.NOT_AUTHENTICATED:
                    raise NotAuthenticatedError("Invalid Credentials")
                case Obstacle.NOT_PERMITTED:
                    raise ForbiddenError(
                        f"Permission '{permission}' denied on resource (or it may not exist)."
                    )
                case None:
                    return await handler(request)

        return checked

    async def _create_bucket(self, request: Request) -> Response:
        try:
            body = await request.json()
        except JSONDecodeError:
            raise BadStorageRequestError("Parse Error") from None
        name = body.get("name", "") if isinstance(body, dict) else ""
        self.store.create_bucket(name)
        return JSONResponse({"kind": "storage#bucket", "id": name, "name": name})

    async def _get_bucket(self, request: Request) -> Response:
        name = request.path_params["bucket"]
        self.store.bucket(name)
        return JSONResponse({"kind": "storage#bucket", "id": name, "name": name})

    async def _upload(self, request: Request) -> Response:
        upload = await _uploaded(request)
        bucket, now = request.path_params["bucket"], self.clock()
        name = request.query_params.get("name") or upload.metadata.get("name")
        if not isinstance(name, str) or not name:
            raise BadStorageRequestError("Required: the parameter name.")
        preconditions = _preconditions(request)
        if preconditions.generation_match and self.faults.strike(Fault.STORAGE_RACED):
            self.store.written_again(bucket, name, now=now)
        limit = self.faults.numbers(Fault.STORAGE_WRITE_RATE)
        try:
            stored = self.store.write(
                bucket,
                name,
                upload.content,
                content_type=upload.metadata.get("contentType") or upload.content_type,
                cache_control=upload.metadata.get("cacheControl"),
                preconditions=preconditions,
                now=now,
                apart_seconds=0.0 if limit is None else 1.0 / limit["writes_per_second"],
            )
        except TooManyWritesError:
            self.faults.count(Fault.STORAGE_WRITE_RATE)
            raise
        told = upload.metadata.get("crc32c")
        if told is not None and told != stored.hashes["crc32c"]:
            raise BadStorageRequestError("Provided CRC32C does not match the content.")
        if self.faults.strike(Fault.STORAGE_REPLY_LOST):
            return LostReply()
        return JSONResponse(_document(stored, request))

    async def _read(self, request: Request) -> Response:
        stored = self.store.read(
            request.path_params["bucket"],
            request.path_params["object"],
            preconditions=_preconditions(request),
            generation=_integer(request, "generation"),
        )
        if request.query_params.get("alt", "json") != "media":
            return JSONResponse(_document(stored, request))
        return Response(
            stored.data,
            media_type=stored.content_type,
            headers={
                "x-goog-generation": str(stored.generation),
                "x-goog-metageneration": str(stored.metageneration),
                "x-goog-hash": ",".join(f"{name}={text}" for name, text in stored.hashes.items()),
                "x-goog-storage-class": "STANDARD",
                "etag": stored.etag,
                "cache-control": stored.cache_control or "private, max-age=0",
            },
        )

    async def _delete(self, request: Request) -> Response:
        self.store.delete(
            request.path_params["bucket"],
            request.path_params["object"],
            preconditions=_preconditions(request),
            generation=_integer(request, "generation"),
        )
        if self.faults.strike(Fault.STORAGE_REPLY_LOST):
            return LostReply()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _listed(self, request: Request) -> Response:
        found = self.store.objects(
            request.path_params["bucket"], prefix=request.query_params.get("prefix", "")
        )
        try:
            offset = page_offset(request.query_params.get("pageToken", ""))
        except InvalidArgumentError:
            raise BadStorageRequestError("Invalid argument: pageToken.") from None
        size = min(_integer(request, "maxResults") or MAX_RESULTS, MAX_RESULTS)
        body: dict[str, object] = {"kind": "storage#objects"}
        if found[offset:]:
            body["items"] = [_document(stored, request) for stored in found[offset : offset + size]]
        if found[offset + size :]:
            body["nextPageToken"] = page_token(offset + size)
        return JSONResponse(body)

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                if self.faults.strike(Fault.STORAGE_UNAVAILABLE):
                    raise BackendUnavailableError("We encountered an internal error. Please try again.")
                response = await handler(request)
            except StorageError as error:
                if error.http_code == HTTPStatus.NOT_MODIFIED:
                    return Response(status_code=error.http_code)
                return JSONResponse(error.body(), status_code=error.http_code)
            slow = self.faults.strike(Fault.STORAGE_SLOW)
            if slow is not None:
                await _held_back(request, slow["seconds"])
            return response

        return answer


async def _held_back(request: Request, seconds: float) -> None:
    """For so long, or until the client has hung up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass


async def _uploaded(request: Request) -> Upload:
    body, content_type = await request.body(), request.headers.get("content-type", "application/octet-stream")
    match request.query_params.get("uploadType"):
        case "media":
            return Upload(metadata={}, content_type=content_type, content=body)
        case "multipart":
            try:
                return parsed_upload(body, content_type=content_type)
            except BadMultipartError as error:
                raise BadStorageRequestError(str(error)) from None
        case _:
            raise BadStorageRequestError("The stand-in takes uploads of uploadType=media or multipart only.")


def _preconditions(request: Request) -> Preconditions:
    return Preconditions(
        generation_match=_integer(request, "ifGenerationMatch"),
        generation_not_match=_integer(request, "ifGenerationNotMatch"),
        metageneration_match=_integer(request, "ifMetagenerationMatch"),
        metageneration_not_match=_integer(request, "ifMetagenerationNotMatch"),
    )


def _integer(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadStorageRequestError(f"Invalid value for {name}: {text!r}.")
    return int(text)


def _document(stored: StoredObject, request: Request) -> dict[str, object]:
    return stored.document(base_url=str(request.base_url).rstrip("/"))
