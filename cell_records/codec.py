"""PURE: records <-> JSON text. A text that does not fit is unreadable, never empty."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, cast

from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordUnreadable
from cell_records.record import CellRecord, Gate, Ghost, Lease

FORMAT = 1


def cell_text(record: CellRecord) -> str:
    """The stored form of a cell's record."""
    return json.dumps({"format": FORMAT, **asdict(record), "gate": record.gate.value}, separators=(",", ":"))


def cell_record(text: str, *, key: str) -> CellRecord:
    """The record in a stored text. Raises RecordUnreadable."""
    fields = _fields(text, key)
    try:
        return CellRecord(
            **{
                **fields,
                "gate": Gate(fields["gate"]),
                "leases": tuple(Lease(**lease) for lease in fields["leases"]),
                "ghosts": tuple(Ghost(**ghost) for ghost in fields["ghosts"]),
                "ended_boots": tuple(fields["ended_boots"]),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordUnreadable(key=key, cause=f"{type(error).__name__}: {error}") from error


def deployment_text(record: DeploymentRecord) -> str:
    """The stored form of the deployment's record."""
    return json.dumps({"format": FORMAT, **asdict(record)}, separators=(",", ":"))


def deployment_record(text: str, *, key: str) -> DeploymentRecord:
    """The deployment's record in a stored text. Raises RecordUnreadable."""
    try:
        return DeploymentRecord(**_fields(text, key))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordUnreadable(key=key, cause=f"{type(error).__name__}: {error}") from error


def _fields(text: str, key: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise RecordUnreadable(key=key, cause=str(error)) from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise RecordUnreadable(key=key, cause=f"not a record of format {FORMAT}")
    return cast("dict[str, Any]", fields)
