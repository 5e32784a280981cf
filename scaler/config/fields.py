"""The kinds of values in the configuration: what fits, and what to tell when it does not. PURE; knows no key."""

import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from cell_records.errors import BadStore
from cell_records.location import FORMS as STORE_FORMS
from cell_records.location import store_at
from github_api.values import is_login, is_repository_name
from scaler.config.durations import FORMS as DURATION_FORMS
from scaler.config.durations import parsed_duration
from scaler.secrets import FORMS as SECRET_FORMS
from scaler.secrets import SecretReference

# Google's labels: https://cloud.google.com/run/docs/configuring/workerpools/labels. These names become label
# values.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
# https://cloud.google.com/resource-manager/docs/creating-managing-projects, with the older domain-scoped
# form.
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{3,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]+(?:-[a-z0-9]+)+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """A value that does not fit, in the two halves that every message of ours has."""
    return PydanticCustomError("wrong", "{what}", {"what": what, "remedy": remedy})


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise wrong(
            "it has no unit" if isinstance(value, int | float) else "it is not a duration",
            f"Write {DURATION_FORMS}.",
        )
    try:
        return parsed_duration(value)
    except ValueError as error:
        raise wrong(str(error), f"Write {DURATION_FORMS}.") from None


def _longer_than_nothing(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise wrong("it must be longer than nothing", f"Write {DURATION_FORMS}.")
    return value


def _reference(value: Any) -> SecretReference:
    if isinstance(value, SecretReference):
        return value
    try:
        return SecretReference.parsed(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong(str(error), f"Store the secret elsewhere and write {SECRET_FORMS}.") from None


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise wrong("it is not a URL", "Write https:// and a host.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise wrong(
            "tokens would travel unencrypted", "Write https://; http:// is for loopback addresses only."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise wrong("it has a user, a query or a fragment", "Write only scheme, host, port and path.")
    return value.rstrip("/")


def _matching(pattern: re.Pattern[str], what: str, remedy: str, longest: int = 63) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > longest or not pattern.fullmatch(value):
            raise wrong(what, remedy)
        return value

    return AfterValidator(check)


def _app_id(value: Any) -> Any:
    # An App id is a number, and few think of quoting it.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _organization(value: str) -> str:
    if not is_login(value):
        raise wrong("it is not an organization's name", "Write the name as in https://github.com/NAME.")
    return value


def _repository(value: str) -> str:
    if not is_repository_name(value):
        raise wrong("it is not a repository's full name", "Write owner/name.")
    return value


def _records(value: str) -> str:
    try:
        store_at(value)
    except BadStore:
        names_store = False
    else:
        names_store = value.startswith("gs:") or re.fullmatch(r"sqlite:/{0,3}[^/\s?#].*", value) is not None
    if not names_store:
        raise wrong("it does not name a store of records", f"Write {STORE_FORMS}.")
    return value


def _label(value: str) -> str:
    if not value.strip() or value != value.strip() or "," in value or len(value) > 256:
        raise wrong("it cannot be a runner's label", "Write the label as in runs-on, without commas.")
    return value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    counted = Counter(value.lower() for value in values)
    repeated = sorted(value for value, count in counted.items() if count > 1)
    if repeated:
        raise wrong(
            f"{', '.join(repeated)} stands more than once (upper and lower case are the same)",
            "Keep one of each.",
        )
    return values


Duration = Annotated[timedelta, BeforeValidator(_duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_longer_than_nothing)]
Reference = Annotated[SecretReference, BeforeValidator(_reference)]
Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[
    str, _matching(_NAME, "it cannot be a name here", "Use a-z, 0-9 and -, a letter first, 63 at most.")
]
PoolName = Annotated[
    str,
    # A runner's name is <pool>-<cell>-<8 digits>, and GitHub allows 64 characters.
    _matching(
        _NAME, "it cannot be a pool's name", "Use a-z, 0-9 and -, a letter first, 30 at most.", longest=30
    ),
]
Repository = Annotated[str, AfterValidator(_repository)]
Email = Annotated[
    str, _matching(_EMAIL, "it is not an e-mail address", "Write the service account's address.", 320)
]
Organization = Annotated[str, AfterValidator(_organization)]
Repositories = Annotated[
    tuple[Repository, ...], Field(strict=False, min_length=1), AfterValidator(_each_once)
]
Label = Annotated[str, AfterValidator(_label)]
Labels = Annotated[
    tuple[Label, ...], Field(strict=False, min_length=1, max_length=100), AfterValidator(_each_once)
]
Emails = Annotated[tuple[Email, ...], Field(strict=False), AfterValidator(_each_once)]
AppId = Annotated[str, BeforeValidator(_app_id), Field(min_length=1, max_length=64)]
Project = Annotated[
    str, _matching(_PROJECT, "it is not a project id", "Write the id, not the name or number.")
]
Region = Annotated[str, _matching(_REGION, "it is not a region", "Write one region, such as us-central1.")]
Records = Annotated[str, AfterValidator(_records)]
