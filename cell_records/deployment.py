"""PURE: the record of the deployment: who leads, and how many instances have been asked for.

It serves bounds and efficiency, never safety: a job stays alive whatever stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """`requested`: the largest count each cell may have by what was asked for. `allowed`: direct mode, how
    many leases each cell may hold.

    `memory` is the decision core's own text between two runs of `once`. `successor`: a process that callers reach and that does
    not lead, and until when that is true. Times are seconds since the epoch.
    """

    owner: str
    leader: str = ""
    until: float = 0.0
    requested: Mapping[str, int] = field(default_factory=dict)
    allowed: Mapping[str, int] = field(default_factory=dict)
    memory: str = ""
    successor: str = ""
    successor_until: float = 0.0
    op_nonce: str = ""


def led_by(
    record: DeploymentRecord, *, who: str, now: float, ttl_seconds: float, heard: bool = True
) -> DeploymentRecord | None:
    """The record with `who` as leader for another `ttl_seconds`; None while somebody else leads.

    `heard`: whether callers reach `who`. Where they do not, and reach a successor, that one leads from now on.
    """
    if record.leader not in ("", who) and now <= record.until:
        return None
    successor = record.successor if now <= record.successor_until else ""
    leader = successor if successor and not heard else who
    record = replace(record, leader=leader, until=now + ttl_seconds)
    return replace(record, successor="", successor_until=0.0) if leader == record.successor else record


def claimed(record: DeploymentRecord, *, who: str, now: float, ttl_seconds: float) -> DeploymentRecord:
    """The record with the word that callers reach `who`, which does not lead."""
    return replace(record, successor=who, successor_until=now + ttl_seconds)


def given_up(record: DeploymentRecord, *, who: str) -> DeploymentRecord:
    """The record after `who` has stopped leading, so that a successor need not wait."""
    return replace(record, leader="", until=0.0) if record.leader == who else record


def asked_for(record: DeploymentRecord, *, who: str, counts: Mapping[str, int]) -> DeploymentRecord | None:
    """The record with new counts for some cells (0 removes one); None unless `who` leads."""
    if record.leader != who:
        return None
    merged = {**record.requested, **counts}
    return replace(record, requested={cell: count for cell, count in sorted(merged.items()) if count > 0})
