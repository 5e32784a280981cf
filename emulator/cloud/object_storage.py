"""The stand-in Cloud Storage: objects with generations, and preconditions that make them compare-and-set registers.

Pure: the caller brings the time. https://cloud.google.com/storage/docs/request-preconditions
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

from emulator.cloud.crc32c import crc32c
from emulator.cloud.wire import timestamp


class StorageError(Exception):
    """A refusal; Cloud Storage's JSON API has its own error form, older than the other services'."""

    http_code: ClassVar[int] = 500
    reason: ClassVar[str] = "backendError"

    def body(self) -> dict[str, Any]:
        message = str(self)
        item = {"message": message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.http_code, "message": message, "errors": [item]}}


class NoSuchThingError(StorageError):
    http_code, reason = 404, "notFound"


class NotAuthenticatedError(StorageError):
    http_code, reason = 401, "authError"


class ForbiddenError(StorageError):
    http_code, reason = 403, "forbidden"


class PreconditionFailedError(StorageError):
    http_code, reason = 412, "conditionNotMet"


class NotModifiedError(StorageError):
    http_code, reason = 304, "notModified"


class BadStorageRequestError(StorageError):
    http_code, reason = 400, "invalid"


class BucketExistsError(StorageError):
    http_code, reason = 409, "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of the object; generation 0 stands for "there is none"."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    def check(self, current: "StoredObject | None", *, reading: bool = False) -> None:
        """Raises PreconditionFailedError, or NotModifiedError for a not-match of a reader."""
        generation = current.generation if current else 0
        metageneration = current.metageneration if current else 0
        for wanted, found in (
            (self.generation_match, generation),
            (self.metageneration_match, metageneration),
        ):
            if wanted is not None and wanted != found:
                raise PreconditionFailedError(
                    "At least one of the pre-conditions you specified did not hold."
                )
        for unwanted, found in (
            (self.generation_not_match, generation),
            (self.metageneration_not_match, metageneration),
        ):
            if unwanted is not None and unwanted == found:
                if reading:
                    raise NotModifiedError("Not Modified")
                raise PreconditionFailedError(
                    "At least one of the pre-conditions you specified did not hold."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    bucket: str
    name: str
    data: bytes = field(repr=False)
    content_type: str
    generation: int
    metageneration: int
    created_at: float

    @property
    def etag(self) -> str:
        return base64.b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()

    def document(self, *, base_url: str) -> dict[str, Any]:
        """storage#object; 64-bit integers are strings."""
        link = f"{base_url}/storage/v1/b/{self.bucket}/o/{self.name.replace('/', '%2F')}"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": link,
            "mediaLink": f"{link}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(len(self.data)),
            "md5Hash": base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode(),
            "crc32c": base64.b64encode(crc32c(self.data).to_bytes(4, "big")).decode(),
            "etag": self.etag,
            "timeCreated": timestamp(self.created_at),
            "updated": timestamp(self.created_at),
        }


class ObjectStore:
    """Buckets and their objects; only the newest generation of each."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, StoredObject]] = {}
        self._last_generation = 0

    def create_bucket(self, name: str) -> None:
        """Raises BucketExistsError or BadStorageRequestError."""
        if not name:
            raise BadStorageRequestError("Required: a bucket name.")
        if name in self._buckets:
            raise BucketExistsError(
                "Your previous request to create the named bucket succeeded and you already own it."
            )
        self._buckets[name] = {}

    def bucket(self, name: str) -> dict[str, StoredObject]:
        """Raises NoSuchThingError."""
        if name not in self._buckets:
            raise NoSuchThingError("The specified bucket does not exist.")
        return self._buckets[name]

    def write(
        self,
        bucket: str,
        name: str,
        data: bytes,
        *,
        content_type: str,
        preconditions: Preconditions,
        now: float,
    ) -> StoredObject:
        """Raises PreconditionFailedError or NoSuchThingError."""
        objects = self.bucket(bucket)
        preconditions.check(objects.get(name))
        self._last_generation = max(self._last_generation + 1, int(now * 1_000_000))
        objects[name] = StoredObject(
            bucket=bucket,
            name=name,
            data=data,
            content_type=content_type,
            generation=self._last_generation,
            metageneration=1,
            created_at=now,
        )
        return objects[name]

    def read(
        self, bucket: str, name: str, *, preconditions: Preconditions, generation: int | None = None
    ) -> StoredObject:
        """Raises NoSuchThingError, PreconditionFailedError or NotModifiedError."""
        found = self.bucket(bucket).get(name)
        if found is None or generation not in (None, found.generation):
            raise NoSuchThingError(f"No such object: {bucket}/{name}")
        preconditions.check(found, reading=True)
        return found

    def delete(
        self, bucket: str, name: str, *, preconditions: Preconditions, generation: int | None = None
    ) -> None:
        """Raises NoSuchThingError or PreconditionFailedError."""
        found = self.bucket(bucket).get(name)
        if found is None or generation not in (None, found.generation):
            raise NoSuchThingError(f"No such object: {bucket}/{name}")
        preconditions.check(found)
        del self._buckets[bucket][name]

    def objects(self, bucket: str, *, prefix: str) -> list[StoredObject]:
        """The objects whose names begin with the prefix, by name. Raises NoSuchThingError."""
        return [item for name, item in sorted(self.bucket(bucket).items()) if name.startswith(prefix)]
