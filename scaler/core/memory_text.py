"""PURE: Memory <-> the text that `once` keeps in the deployment's record between two runs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from scaler.core.model import Capacity, Memory, PassedOver, Taken, Turns


def memory_text(memory: Memory) -> str:
    """The stored form."""
    passed = [
        {
            "repository": repository,
            "labels": sorted(labels),
            "leases": list(known.leases),
            "jobs": sorted(known.jobs),
            "until": known.until,
            "after": None if math.isinf(known.after) else known.after,
        }
        for (repository, labels), known in sorted(
            memory.passed.items(), key=lambda each: (each[0][0], sorted(each[0][1]))
        )
    ]
    turns = {"at": memory.turns.at, "before": memory.turns.before, "after": memory.turns.after}
    capacity = {**asdict(memory.capacity), "pools": sorted(memory.capacity.pools)}
    return json.dumps(
        {
            "surplus": dict(sorted(memory.surplus.items())),
            "passed": passed,
            "turns": turns,
            "capacity": capacity,
            "taken": {lease: asdict(taken) for lease, taken in sorted(memory.taken.items())},
            "shown": {pool: sorted(jobs) for pool, jobs in sorted(memory.shown.items())},
            "grew_at": memory.grew_at,
        },
        separators=(",", ":"),
    )


def memory_in(text: str) -> Memory:
    """The memory in a stored text. One that cannot be read is an empty one: that costs time, never a job."""
    try:
        document = json.loads(text) if text else {}
        return Memory(
            surplus={str(cell): float(at) for cell, at in document.get("surplus", {}).items()},
            passed={
                (str(each["repository"]), frozenset(map(str, each["labels"]))): PassedOver(
                    leases=tuple(map(str, each["leases"])),
                    jobs=frozenset(map(int, each["jobs"])),
                    until=float(each["until"]),
                    after=-math.inf if each["after"] is None else float(each["after"]),
                )
                for each in document.get("passed", [])
            },
            turns=_turns(document.get("turns", {})),
            capacity=_capacity(document.get("capacity", {})),
            taken={str(lease): _taken(each) for lease, each in document.get("taken", {}).items()},
            shown={str(pool): frozenset(map(int, jobs)) for pool, jobs in document.get("shown", {}).items()},
            grew_at=float(document.get("grew_at", 0.0)),
        )
    except (ValueError, AttributeError, TypeError, KeyError):
        return Memory()


def _taken(document: dict[str, Any]) -> Taken:
    runner_id, job_id = document.get("runner_id"), document.get("job_id")
    return Taken(
        pool=str(document["pool"]),
        at=float(document["at"]),
        runner_id=None if runner_id is None else int(runner_id),
        job_id=None if job_id is None else int(job_id),
        left_queue=bool(document.get("left_queue")),
    )


def _turns(document: dict[str, Any]) -> Turns:
    return Turns(
        at=float(document.get("at", 0.0)),
        before=tuple(map(str, document.get("before", []))),
        after=tuple(map(str, document.get("after", []))),
    )


def _capacity(document: dict[str, Any]) -> Capacity:
    limit = document.get("limit")
    return Capacity(
        limit=None if limit is None else int(limit),
        refused_at=float(document.get("refused_at", 0.0)),
        tries=int(document.get("tries", 0)),
        tried_at=float(document.get("tried_at", 0.0)),
        pools=frozenset(map(str, document.get("pools", []))),
    )
