"""Reading parsed JSON with suspicion: each function returns a value of the type it names or raises
`WrongShape`. PURE.

Knows no field of GitHub's. A missing field and a field of the wrong type are the same fault, told with the
place.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class WrongShape(ValueError):
    """The document is not what its reader was told to expect; the message says where."""


def parsed(body: bytes) -> object:
    """The JSON document in `body`. Raises WrongShape for everything that is none."""
    try:
        document: object = json.loads(body)
    except RecursionError as error:
        raise WrongShape("JSON nested beyond all reason") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and numbers of thousands of digits
        raise WrongShape(f"not JSON: {type(error).__name__}") from error
    return document


def an_object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WrongShape(f"{where} should be an object, is {_kind(value)}")
    return value


def inner_object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return an_object(data.get(key), key)


def objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key)
    if not isinstance(value, list):
        raise WrongShape(f"{key} should be a list, is {_kind(value)}")
    return [an_object(item, f"{key}[{index}]") for index, item in enumerate(value)]


def text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise WrongShape(f"{key} should be a text, is {_kind(value)}")
    return value


def text_or_none(data: Mapping[str, Any], key: str) -> str | None:
    """None also for the empty text: some payloads write "" for "nobody yet"."""
    return None if data.get(key) in (None, "") else text(data, key)


def texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongShape(f"{key} should be a list of texts")
    return tuple(value)


def whole(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongShape(f"{key} should be a whole number, is {_kind(value)}")
    return value


def id_or_none(data: Mapping[str, Any], key: str) -> int | None:
    """None also for 0: some payloads write 0 for "nobody yet", and no id is 0."""
    return None if data.get(key) in (None, 0) else whole(data, key)


def flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key)
    if not isinstance(value, bool):
        raise WrongShape(f"{key} should be true or false, is {_kind(value)}")
    return value


def epoch_seconds(data: Mapping[str, Any], key: str) -> float:
    """GitHub's ISO 8601 times as seconds since the epoch."""
    written = text(data, key)
    try:
        moment = datetime.fromisoformat(written)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise WrongShape(f"{key} should be an ISO 8601 time") from error
    if not math.isfinite(seconds):
        raise WrongShape(f"{key} should be an ISO 8601 time")
    return seconds


def epoch_seconds_or_none(data: Mapping[str, Any], key: str) -> float | None:
    return None if data.get(key) in (None, "") else epoch_seconds(data, key)


def _kind(value: object) -> str:
    return {"NoneType": "missing or null", "dict": "an object", "list": "a list", "str": "a text"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )
