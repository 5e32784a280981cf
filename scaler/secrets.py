"""Secrets by reference: the configuration says where a secret stands, this module goes and reads it.

A reference is not secret and may be printed; what it leads to comes out as `Secret`. Knows nothing of what
secrets are for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self, assert_never

from github_api.secret import Secret
from scaler.errors import SecretUnreadable

_SECRET_VERSION = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+(?:/versions/[^/\s]+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Secret Manager's own limit: https://cloud.google.com/secret-manager/quotas. A larger file is not a secret
# but a mistake.
_LARGEST_BYTES = 64 * 1024

FORMS = "file:/absolute/path, env:VARIABLE or secretmanager:projects/PROJECT/secrets/NAME/versions/latest"

SecretReader = Callable[[str], bytes]
"""Reads `projects/P/secrets/S/versions/V` from Secret Manager."""


class SecretSource(StrEnum):
    """Where a secret can stand."""

    FILE = "file"
    ENVIRONMENT = "env"
    SECRET_MANAGER = "secretmanager"  # noqa: S105 - the name of a source


@dataclass(frozen=True, slots=True)
class SecretReference:
    """`file:/run/secrets/key`, `env:NAME` or `secretmanager:projects/P/secrets/S/versions/V`."""

    source: SecretSource
    place: str

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The reference that `text` is. Raises ValueError, whose message does not repeat `text`: it may be
        the secret.
        """
        scheme, colon, place = text.partition(":")
        try:
            source = SecretSource(scheme)
        except ValueError:
            source = None
        if source is None or not colon:
            raise ValueError(
                "it is not a reference to a secret, and a secret itself must not stand in this file"
            )
        if source is SecretSource.FILE and not place.startswith("/"):
            raise ValueError("file: needs an absolute path")
        if source is SecretSource.ENVIRONMENT and not _VARIABLE.fullmatch(place):
            raise ValueError("env: needs the name of an environment variable")
        if source is SecretSource.SECRET_MANAGER:
            if not _SECRET_VERSION.fullmatch(place):
                raise ValueError("secretmanager: needs projects/PROJECT/secrets/NAME/versions/VERSION")
            if "/versions/" not in place:
                place += "/versions/latest"
        return cls(source, place)

    @property
    def may_change(self) -> bool:
        """Whether another secret can come to stand there while this program runs.

        A version that is given by its number never changes: https://cloud.google.com/secret-manager/docs/add-secret-version;
        `latest` and an alias do. The environment of a process is its own.
        """
        match self.source:
            case SecretSource.FILE:
                return True
            case SecretSource.ENVIRONMENT:
                return False
            case SecretSource.SECRET_MANAGER:
                return not self.place.rpartition("/")[2].isdecimal()
            case _:
                assert_never(self.source)

    def __str__(self) -> str:
        return f"{self.source}:{self.place}"


def resolve(reference: SecretReference, env: Mapping[str, str], secret_reader: SecretReader) -> Secret:
    """The secret that `reference` leads to, without the line end that editors and `echo` add.

    Blocks (a file or a network call). Raises SecretUnreadable when there is nothing, or nothing readable.
    """
    match reference.source:
        case SecretSource.FILE:
            content = _file(reference)
        case SecretSource.ENVIRONMENT:
            content = _variable(reference, env)
        case SecretSource.SECRET_MANAGER:
            content = secret_reader(reference.place)
        case _:
            assert_never(reference.source)
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretUnreadable(
            f"The secret at {reference} is not text", remedy="Store the secret as plain UTF-8 text."
        ) from None
    if not text.strip():
        raise SecretUnreadable(
            f"The secret at {reference} is empty", remedy="Store the secret there, or correct the reference."
        )
    return Secret(text)


def _file(reference: SecretReference) -> bytes:
    try:
        with Path(reference.place).open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise SecretUnreadable(
            f"The secret at {reference} cannot be read: {error.strerror or type(error).__name__}",
            remedy="Check that the file is there and that this program's user may read it.",
        ) from error
    if len(content) > _LARGEST_BYTES:
        raise SecretUnreadable(
            f"The file at {reference} is larger than {_LARGEST_BYTES // 1024} KiB, so it is no secret",
            remedy="Correct the path.",
        )
    return content


def _variable(reference: SecretReference, env: Mapping[str, str]) -> bytes:
    if reference.place not in env:
        raise SecretUnreadable(
            f"The environment variable of {reference} is not set",
            remedy="Set it for this program, or use file: instead.",
        )
    return env[reference.place].encode(errors="surrogateescape")


def secret_manager_reader(
    *, endpoint: str, anonymous: bool, timeout_seconds: float = 10.0, tries_again: bool = True
) -> SecretReader:
    """Reads through Google's own client over REST; `anonymous` is for a stand-in that asks for no
    credentials. `tries_again`: for a minute at most, when the service is unavailable.

    https://cloud.google.com/python/docs/reference/secretmanager/latest. The client is imported at the first
    read: a configuration without `secretmanager:` never pays for it.
    """

    def read(name: str) -> bytes:
        from google.api_core import exceptions as google_errors
        from google.api_core import gapic_v1
        from google.auth import exceptions as auth_errors
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import secretmanager_v1
        from google.protobuf import json_format
        from requests import RequestException

        try:
            client = secretmanager_v1.SecretManagerServiceClient(
                credentials=AnonymousCredentials() if anonymous else None,
                transport="rest",
                client_options={"api_endpoint": endpoint},
            )
            with client:
                reply = client.access_secret_version(
                    request={"name": name},
                    timeout=timeout_seconds,
                    retry=gapic_v1.method.DEFAULT if tries_again else None,
                )
            return bytes(reply.payload.data)
        except google_errors.NotFound:
            what, remedy = (
                "does not exist",
                "Create the secret and a version of it, or correct the reference.",
            )
        except google_errors.PermissionDenied:
            what = "may not be read by this program's account"
            remedy = "Grant the account roles/secretmanager.secretAccessor on that secret."
        except (
            google_errors.GoogleAPICallError,
            auth_errors.GoogleAuthError,
            RequestException,
            json_format.Error,  # what came is no reply of Secret Manager: a proxy's page
            ValueError,
        ) as error:
            what = f"cannot be read ({type(error).__name__})"
            remedy = "Check network, credentials (gcloud auth application-default login) and the reference."
        raise SecretUnreadable(f"The secret at secretmanager:{name} {what}", remedy=remedy)

    return read
