"""Stands before the handlers of Google's APIs: who may not make a call gets its refusal in Google's form."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from emulator.cloud.accounts import Accounts, Obstacle
from emulator.cloud.errors import PermissionDeniedError, UnauthenticatedError

Handler = Callable[[Request], Awaitable[Response]]


def guarded(accounts: Accounts, permission: str, handler: Handler) -> Handler:
    """The handler, which raises GoogleError to callers without the permission before it looks at anything."""

    async def checked(request: Request) -> Response:
        refuse_strangers(accounts, permission, request)
        return await handler(request)

    return checked


def refuse_strangers(accounts: Accounts, permission: str, request: Request) -> None:
    """Raises UnauthenticatedError for a token that is nobody's, PermissionDeniedError for an account without the right.

    https://cloud.google.com/apis/design/errors#handling_errors; the texts are from field reports.
    """
    obstacle = accounts.obstacle(request.headers.get("authorization"), permission)
    if obstacle is None:
        return
    if obstacle is Obstacle.NOT_AUTHENTICATED:
        raise UnauthenticatedError(
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
            "valid authentication credential."
        )
    resource = request.url.path.lstrip("/").partition("/")[2].partition(":")[0]
    raise PermissionDeniedError(
        f"Permission '{permission}' denied on resource '{resource}' (or resource may not exist).",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "iam.googleapis.com",
                "metadata": {"permission": permission, "resource": resource},
            }
        ],
    )
