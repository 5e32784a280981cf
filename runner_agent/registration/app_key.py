"""Direct registration: where the App's private key stands, and reading it. The key itself is seen by nobody else."""

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping

from github_api.app_auth import AppKey
from github_api.errors import BadAppKey
from github_api.secret import Secret
from runner_agent.errors import SettingsError, UnreachableError
from runner_agent.registration.exchange import Exchange, Request
from runner_agent.registration.metadata import MetadataServer
from runner_agent.settings import DEFAULTS, GITHUB_APP_KEY, SECRET_MANAGER_ENDPOINT

_TIMEOUT_SECONDS = 10.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_app_key(
    reference: str,
    *,
    env: Mapping[str, str],
    metadata: MetadataServer,
    exchange: Exchange,
    endpoint: str = DEFAULTS[SECRET_MANAGER_ENDPOINT],
) -> AppKey:
    """The key at `file:…`, `env:…` or `secretmanager:projects/P/secrets/S[/versions/V]`. Raises SettingsError.

    `endpoint`: Secret Manager's.
    """
    scheme, _, place = reference.partition(":")
    try:
        match scheme:
            case "file":
                text = _from_file(place)
            case "env":
                text = _from_environment(place, env)
            case _:
                text = _from_secret_manager(place, endpoint, metadata=metadata, exchange=exchange)
        return AppKey.from_pem(Secret(text))
    except BadAppKey as error:
        raise SettingsError([f"{GITHUB_APP_KEY}: {error}"]) from None


def _from_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            if os.geteuid() == 0 and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise SettingsError(
                    [
                        f"{GITHUB_APP_KEY}: {path} can be opened by others than root, and so by workflow steps; chmod 600 it"
                    ]
                )
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{GITHUB_APP_KEY}: {path} cannot be read ({type(error).__name__}); mount the key there"]
        ) from error


def _from_environment(name: str, env: Mapping[str, str]) -> str:
    if not env.get(name):
        raise SettingsError([f"{GITHUB_APP_KEY}: the variable {name} is not set; set it, or use file:…"])
    return env[name]


def _from_secret_manager(place: str, endpoint: str, *, metadata: MetadataServer, exchange: Exchange) -> str:
    """https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access"""
    version = place if "/versions/" in place else f"{place}/versions/latest"
    try:
        headers = {"Authorization": f"Bearer {metadata.access_token()}"}
        request = Request(method="GET", url=f"{endpoint}/v1/{version}:access", headers=headers)
        reply = exchange(request, _TIMEOUT_SECONDS)
        if reply.status == 200:
            return base64.b64decode(json.loads(reply.body)["payload"]["data"]).decode()
        problem = (
            f"Secret Manager answered with status {reply.status}; does the instance's account have access?"
        )
    except UnreachableError as error:
        problem = f"Secret Manager was not reached ({error}); the next container will try again"
    except (ValueError, KeyError, TypeError, binascii.Error):
        problem = "Secret Manager's reply holds no secret; is the reference complete?"
    raise SettingsError([f"{GITHUB_APP_KEY}: {problem}"])
