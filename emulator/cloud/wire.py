"""Small pieces of Google's JSON: timestamps, etags, page tokens, enums as numbers. Pure; knows no resource's state."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from emulator.cloud.errors import InvalidArgumentError

WORKER_POOL_TYPE = "type.googleapis.com/google.cloud.run.v2.WorkerPool"

ENUMS: dict[str, dict[str, int]] = {
    "launchStage": {
        "UNIMPLEMENTED": 6, "PRELAUNCH": 7, "EARLY_ACCESS": 1, "ALPHA": 2, "BETA": 3, "GA": 4, "DEPRECATED": 5,
    },
    # The v2 description of services has this enum; the one of worker pools does not publish it yet.
    "scalingMode": {"SCALING_MODE_UNSPECIFIED": 0, "AUTOMATIC": 1, "MANUAL": 2},
    "state": {
        "CONDITION_PENDING": 1, "CONDITION_RECONCILING": 2, "CONDITION_FAILED": 3, "CONDITION_SUCCEEDED": 4,
    },
    "severity": {"ERROR": 1, "WARNING": 2, "INFO": 3},
    # DISK is in the description of the API, and in no published client; its number is assumed.
    "medium": {"MEDIUM_UNSPECIFIED": 0, "MEMORY": 1, "DISK": 2},
    "type": {"INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST": 1, "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION": 2},
}  # fmt: skip
"""Field name -> name -> number: https://github.com/googleapis/googleapis/tree/master/google/cloud/run/v2"""

OPAQUE_FIELDS = frozenset({"labels", "annotations", "env", "limits"})
"""What the customer fills freely: nothing in there is an enum."""


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds, as Google prints times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def etag(*, version: int, name: str) -> str:
    """The fingerprint of one version of a resource; opaque to clients."""
    return f'"{_base64(str(version))}/{_base64(name)}"'


def etag_version(tag: str) -> str:
    """The version inside an etag of ours; what cannot be read stands for itself, so that it never matches."""
    try:
        return base64.urlsafe_b64decode(tag.strip('"').split("/")[0]).decode()
    except (binascii.Error, ValueError):
        return tag.strip('"')


def page_token(offset: int) -> str:
    return _base64(f"offset:{offset}")


def page_offset(token: str) -> int:
    """Where the page of this token begins. Raises InvalidArgumentError for a token that is not ours."""
    if not token:
        return 0
    try:
        word, _, offset = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "offset":
            return int(offset)
    except (binascii.Error, ValueError):
        pass  # refused below, like a token of another kind
    raise InvalidArgumentError("The page token is invalid.")


def with_numeric_enums(value: Any, *, field: str = "") -> Any:
    """The same JSON as it is sent under `$alt=json;enum-encoding=int`."""
    if isinstance(value, dict):
        if field in OPAQUE_FIELDS:
            return value
        return {key: with_numeric_enums(item, field=key) for key, item in value.items()}
    if isinstance(value, list):
        return value if field in OPAQUE_FIELDS else [with_numeric_enums(item, field=field) for item in value]
    return ENUMS.get(field, {}).get(value, value) if isinstance(value, str) else value


def enum_name(field: str, value: Any) -> Any:
    """The name of an enum value that a client may send as a number; other values are returned as they are."""
    names = {number: name for name, number in ENUMS[field].items()}
    return names.get(value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()
