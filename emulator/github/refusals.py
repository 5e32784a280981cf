"""What the stand-in GitHub says no with. Knows no transport: a refusal is a value that routes turn into a reply.

Refusal
├── RestRefusal     the REST API's error body
├── BrokerRefusal   the message broker's and the run service's error body
├── TokenRefusal    the OAuth error body of the runner's token endpoint
└── ControlRefusal  the control door's, which is ours
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

DOCUMENTATION: Final = "https://docs.github.com/rest"
BROKER: Final = "actions-broker-listener"
RUN_SERVICE: Final = "actions-run-service"


class Refusal(Exception):
    """A reply that says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the reply."""
        return {"message": self.message}


class RestRefusal(Refusal):
    """https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api"""

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, status: int, message: str, *, documentation_url: str = DOCUMENTATION) -> None:
        super().__init__(status, message)
        self.documentation_url = documentation_url

    @property
    def body(self) -> dict[str, Any]:
        return {
            "message": self.message,
            "documentation_url": self.documentation_url,
            "status": str(self.status),
        }


class BrokerRefusal(Refusal):
    """The shapes of BrokerError and RunServiceError: `source`, `errorKind` (broker only), `statusCode`, `errorMessage`.

    https://github.com/actions/runner/tree/main/src/Sdk/RSWebApi/Contracts
    """

    def __init__(
        self, status: int, message: str, *, source: str = RUN_SERVICE, kind: str | None = None
    ) -> None:
        super().__init__(status, message)
        self.source = source
        self.kind = kind

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "source": self.source,
            "statusCode": self.status,
            "errorMessage": self.message,
        }
        return body if self.kind is None else body | {"errorKind": self.kind}


class TokenRefusal(Refusal):
    """RFC 6749, section 5.2. The runner reads such a body only under status 400 (VssOAuthTokenHttpClient.cs)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(400, description)
        self.error = error

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error, "error_description": self.message}


class ControlRefusal(Refusal):
    """The control door: `message` says what happened and what to do."""


def not_found() -> RestRefusal:
    """GitHub's answer for what does not exist and for what the caller may not know to exist."""
    return RestRefusal(404, "Not Found")


def not_accessible() -> RestRefusal:
    """The installation lacks a permission."""
    return RestRefusal(403, "Resource not accessible by integration")
