"""The stand-in Secret Manager: versions of secrets and `:access`, the one call that programs make at run time.

https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
"""

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud.accounts import Accounts
from emulator.cloud.crc32c import crc32c
from emulator.cloud.doorkeeper import guarded
from emulator.cloud.errors import InvalidArgumentError, NotFoundError


class SecretStore:
    """Secrets of all projects; versions count from 1. Pure."""

    def __init__(self, *, project_number: str) -> None:
        self._project_number = project_number
        self._versions: dict[tuple[str, str], list[str]] = {}

    def add_version(self, project: str, secret: str, value: str) -> int:
        """Makes the secret at its first version; the number of the new version."""
        versions = self._versions.setdefault((project, secret), [])
        versions.append(value)
        return len(versions)

    def exists(self, project: str, secret: str) -> bool:
        return (project, secret) in self._versions

    def value(self, project: str, secret: str, version: str) -> str | None:
        """The text of a version (`latest` or a number), None where there is none."""
        versions = self._versions.get((project, secret), [])
        number = len(versions) if version == "latest" else int(version) if version.isdecimal() else 0
        return versions[number - 1] if 0 < number <= len(versions) else None

    def access(self, project: str, secret: str, version: str) -> dict[str, Any]:
        """AccessSecretVersionResponse. Raises NotFoundError or InvalidArgumentError."""
        if version != "latest" and not version.isdecimal():
            raise InvalidArgumentError(f"The version '{version}' is neither a number nor 'latest'.")
        if not self.exists(project, secret):
            raise NotFoundError(
                f"Secret [projects/{self._project_number}/secrets/{secret}] not found or has no versions."
            )
        value = self.value(project, secret, version)
        if value is None:
            raise NotFoundError(
                f"Secret Version [projects/{self._project_number}/secrets/{secret}/versions/{version}] not found."
            )
        number = len(self._versions[project, secret]) if version == "latest" else int(version)
        data = value.encode()
        return {
            "name": f"projects/{self._project_number}/secrets/{secret}/versions/{number}",
            "payload": {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))},
        }


def secret_manager_routes(store: SecretStore, accounts: Accounts) -> list[Route]:
    async def access(request: Request) -> Response:
        path = request.path_params
        return JSONResponse(store.access(path["project"], path["secret"], path["version"]))

    handler = guarded(accounts, "secretmanager.versions.access", access)
    return [Route("/v1/projects/{project}/secrets/{secret}/versions/{version}:access", handler)]
