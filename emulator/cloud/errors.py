"""What the stand-in Google Cloud answers when it refuses.

    GoogleError
    |- InvalidArgumentError      400  the request is wrong
    |- FailedPreconditionError   400  the request is right, the resource's state is not
    |- UnauthenticatedError      401  the token is nobody's
    |- PermissionDeniedError     403
    |- NotFoundError             404
    |- AlreadyExistsError        409
    |- AbortedError              409  the etag is stale: read again
    |- ResourceExhaustedError    429  a quota
    |- InternalError             500  the platform failed
    '- UnavailableError          503  nothing was done: try again later

Codes: https://cloud.google.com/apis/design/errors#handling_errors. Must not know routes or worlds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class GoogleError(Exception):
    """A refusal in Google's form: an HTTP code, a status word, a message and typed details."""

    http_code: ClassVar[int] = 500
    rpc_code: ClassVar[int] = 13
    status: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, details: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)

    def body(self) -> dict[str, Any]:
        """The JSON that Google's front end sends with this error."""
        error: dict[str, Any] = {"code": self.http_code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = [dict(detail) for detail in self.details]
        return {"error": error}


class InvalidArgumentError(GoogleError):
    http_code, rpc_code, status = 400, 3, "INVALID_ARGUMENT"

    @classmethod
    def of_field(cls, field: str, description: str) -> "InvalidArgumentError":
        """A value that is wrong, named by its path in the request."""
        return cls(
            f"Violation in {field}: {description}",
            details=[
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": field, "description": description}],
                }
            ],
        )


class FailedPreconditionError(GoogleError):
    http_code, rpc_code, status = 400, 9, "FAILED_PRECONDITION"


class UnauthenticatedError(GoogleError):
    http_code, rpc_code, status = 401, 16, "UNAUTHENTICATED"


class PermissionDeniedError(GoogleError):
    http_code, rpc_code, status = 403, 7, "PERMISSION_DENIED"


class NotFoundError(GoogleError):
    http_code, rpc_code, status = 404, 5, "NOT_FOUND"


class AlreadyExistsError(GoogleError):
    http_code, rpc_code, status = 409, 6, "ALREADY_EXISTS"


class AbortedError(GoogleError):
    http_code, rpc_code, status = 409, 10, "ABORTED"


class ResourceExhaustedError(GoogleError):
    http_code, rpc_code, status = 429, 8, "RESOURCE_EXHAUSTED"


class InternalError(GoogleError):
    http_code, rpc_code, status = 500, 13, "INTERNAL"


class UnavailableError(GoogleError):
    http_code, rpc_code, status = 503, 14, "UNAVAILABLE"
