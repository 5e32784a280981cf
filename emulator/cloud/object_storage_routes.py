"""Cloud Storage's JSON API over HTTP: simple uploads, metadata, media, deletion, lists. Must not decide anything.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from json import JSONDecodeError

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud.accounts import Accounts, Obstacle
from emulator.cloud.errors import InvalidArgumentError
from emulator.cloud.object_storage import (
    BadStorageRequestError,
    ForbiddenError,
    NotAuthenticatedError,
    ObjectStore,
    Preconditions,
    StorageError,
    StoredObject,
)
from emulator.cloud.wire import page_offset, page_token

Handler = Callable[[Request], Awaitable[Response]]
MAX_RESULTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStorageApi:
    store: ObjectStore
    accounts: Accounts
    clock: Callable[[], float]

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
            Route(path, _answering(self._permitted(permission, handler)), methods=[method])
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
        if request.query_params.get("uploadType") != "media":
            raise BadStorageRequestError("The stand-in takes uploads of uploadType=media only.")
        name = request.query_params.get("name", "")
        if not name:
            raise BadStorageRequestError("Required: the parameter name.")
        data = await request.body()
        stored = self.store.write(
            request.path_params["bucket"],
            name,
            data,
            content_type=request.headers.get("content-type", "application/octet-stream"),
            preconditions=_preconditions(request),
            now=self.clock(),
        )
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
                "etag": stored.etag,
            },
        )

    async def _delete(self, request: Request) -> Response:
        self.store.delete(
            request.path_params["bucket"],
            request.path_params["object"],
            preconditions=_preconditions(request),
            generation=_integer(request, "generation"),
        )
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


def _answering(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except StorageError as error:
            if error.http_code == HTTPStatus.NOT_MODIFIED:
                return Response(status_code=error.http_code)
            return JSONResponse(error.body(), status_code=error.http_code)

    return answer


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
