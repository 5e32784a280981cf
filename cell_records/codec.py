"""PURE: records <-> JSON text. A text that does not fit is unreadable, never empty.

Types are checked value by value: a record is what decides whether a job may be stopped, and a text `"false"` is true.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar

from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordUnreadable
from cell_records.obstacles import Obstacle, ObstacleMet
from cell_records.record import CellRecord, Gate, Ghost, Lease, contradiction

FORMAT = 1

T = TypeVar("T")

# Reads one JSON value for the field of that name.
_Rule = Callable[[object, str], object]


class _Misfit(ValueError):
    """A value that is not what its field holds; the message names both."""


def cell_text(record: CellRecord) -> str:
    """The stored form of a cell's record."""
    return _text_of(record)


def cell_record(text: str, *, key: str) -> CellRecord:
    """The record in a stored text. Raises RecordUnreadable."""
    try:
        record = _built(CellRecord, _object(text))
    except ValueError as error:
        raise RecordUnreadable(key=key, cause=str(error)) from error
    wrong = contradiction(record)
    if wrong is not None:
        raise RecordUnreadable(key=key, cause=wrong)
    return record


def deployment_text(record: DeploymentRecord) -> str:
    """The stored form of the deployment's record."""
    return _text_of(record)


def deployment_record(text: str, *, key: str) -> DeploymentRecord:
    """The deployment's record in a stored text. Raises RecordUnreadable."""
    try:
        return _built(DeploymentRecord, _object(text))
    except ValueError as error:
        raise RecordUnreadable(key=key, cause=str(error)) from error


def _text_of(record: CellRecord | DeploymentRecord) -> str:
    return json.dumps({"format": FORMAT, **_fields(record)}, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    """What JSON has no form for; `asdict` would copy a hundred leases value by value for each write."""
    match value:
        case Enum():
            return value.value
        case Lease() | Ghost() | ObstacleMet():
            return _fields(value)
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(f"a record holds no {type(value).__name__}")


def _fields(record: CellRecord | DeploymentRecord | Lease | Ghost | ObstacleMet) -> dict[str, object]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise _Misfit("nested too deeply") from error
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise _Misfit(f"not a record of format {FORMAT}")
    return found


def _built(kind: type[T], found: object) -> T:
    """A record, lease or ghost from the object of the same fields, each of its type."""
    rules = _RULES[kind]
    if not isinstance(found, dict):
        raise _Misfit(f"{kind.__name__} should be an object")
    for name in found:
        if name not in rules:
            raise _Misfit(f"{kind.__name__} has no field {name[:40]!r}")
    try:
        return kind(**{name: rules[name](value, name) for name, value in found.items()})
    except TypeError as error:
        raise _Misfit(f"a field is missing: {error}") from error


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _Misfit(f"{name} should be a text, not {str(value)[:20]!r}")
    return value


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Misfit(f"{name} should be a whole number, not {str(value)[:20]!r}")
    return value


def _seconds(value: object, name: str) -> float:
    # A time that compares with nothing (NaN) would switch a guard off.
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _Misfit(f"{name} should be a time, not {str(value)[:20]!r}")
    return value


def _truth(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _Misfit(f"{name} should be true or false, not {str(value)[:20]!r}")
    return value


def _gate(value: object, name: str) -> Gate:
    return Gate(_text(value, name))


def _obstacle(value: object, name: str) -> Obstacle:
    return Obstacle(_text(value, name))


def _maybe(rule: _Rule) -> _Rule:
    return lambda value, name: None if value is None else rule(value, name)


def _each(rule: _Rule) -> _Rule:
    def items(value: object, name: str) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _Misfit(f"{name} should be a list")
        return tuple(rule(item, name) for item in value)

    return items


def _counts(value: object, name: str) -> dict[str, int]:
    if not isinstance(value, dict):
        raise _Misfit(f"{name} should be an object")
    return {key: _whole(count, name) for key, count in value.items()}


def _nested(kind: type[Lease | Ghost | ObstacleMet]) -> _Rule:
    return lambda value, _: _built(kind, value)


_RULES: Mapping[type, Mapping[str, _Rule]] = {
    CellRecord: {
        "owner": _text,
        "uid": _text,
        "gate": _gate,
        "leases": _each(_nested(Lease)),
        "zero_seen": _truth,
        "zeroed_at": _seconds,
        "ended_boots": _each(_text),
        "ghosts": _each(_nested(Ghost)),
        "obstacles": _each(_nested(ObstacleMet)),
        "served_at": _seconds,
        "lowered_at": _seconds,
        "hold": _text,
        "canary_since": _seconds,
        "lost_at": _seconds,
        "changed_at": _seconds,
        "location": _text,
        "op_nonce": _text,
    },
    Lease: {
        "id": _text,
        "boot": _text,
        "ask": _whole,
        "runner_name": _text,
        "started_at": _seconds,
        "hard_end": _seconds,
        "runner_id": _maybe(_whole),
        "job_id": _maybe(_whole),
        "repository": _maybe(_text),
        "dying_until": _maybe(_seconds),
    },
    Ghost: {"runner_name": _text, "runner_id": _maybe(_whole), "since": _seconds},
    ObstacleMet: {"lease": _text, "obstacle": _obstacle, "at": _seconds, "words": _text},
    DeploymentRecord: {
        "owner": _text,
        "leader": _text,
        "until": _seconds,
        "requested": _counts,
        "allowed": _counts,
        "memory": _text,
        "successor": _text,
        "successor_until": _seconds,
        "op_nonce": _text,
    },
}
