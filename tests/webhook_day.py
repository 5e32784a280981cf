"""The webhooks of a day as GitHub delivers them: of many jobs, each event twice, in no order; and some that are not for us.

Pure: a seed gives the deliveries, each with the answer that it earns. Sends nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

# Of a hundred events so many are of jobs; the rest is what an App's webhook brings besides.
JOBS_OF_A_HUNDRED = 84
ACTIONS = ("queued", "in_progress", "completed")
OTHER_EVENTS = ("push", "check_run", "workflow_run", "ping", "installation_repositories")
OUR_LABELS = ("self-hosted", "linux")
FOREIGN_LABELS = (("ubuntu-latest",), ("self-hosted", "windows"), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST to the webhook's URL. `answer`: the status that is right; `looks_at`: the repository it makes us look at."""

    headers: Mapping[str, str]
    body: bytes
    answer: int
    looks_at: str | None


def a_day(
    *, seed: int, deliveries: int, repositories: Sequence[str], foreign: Sequence[str], secret: str
) -> list[Delivery]:
    """So many deliveries, each of them twice, shuffled. `repositories`: ours; `foreign`: such as nobody can look at."""
    chance = Random(seed)
    numbers = count(1)
    day: list[Delivery] = []
    while len(day) < deliveries:
        drawn = chance.randrange(100)
        number = next(numbers)
        if drawn < JOBS_OF_A_HUNDRED:
            repository = chance.choice(foreign if drawn < 6 else repositories)
            day += _of_a_job(number, repository, chance, secret)
        elif drawn < 94:
            day.append(_of_something_else(number, chance.choice(repositories), chance, secret))
        else:
            day.append(_bad(number, chance.choice(repositories), chance, secret))
    twice = day[:deliveries] * 2
    chance.shuffle(twice)
    return twice


def _of_a_job(number: int, repository: str, chance: Random, secret: str) -> list[Delivery]:
    """All that is told of one job; some are cancelled before they start."""
    labels = OUR_LABELS if chance.random() < 0.8 else chance.choice(FOREIGN_LABELS)
    actions = ACTIONS if chance.random() < 0.9 else ("queued", "completed")
    return [
        _signed(
            "workflow_job",
            f"{number}-{action}",
            _job_payload(number, action, repository, labels),
            secret,
            looks_at=repository,
        )
        for action in actions
    ]


def _job_payload(number: int, action: str, repository: str, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "action": action,
        "workflow_job": {
            "id": number * 10,
            "run_id": number,
            "status": action,
            "labels": list(labels),
            "runner_id": None if action == "queued" else number,
        },
        "repository": {"full_name": repository, "private": True},
    }


def _of_something_else(number: int, repository: str, chance: Random, secret: str) -> Delivery:
    event = chance.choice(OTHER_EVENTS)
    about = {} if event == "ping" else {"repository": {"full_name": repository, "private": True}}
    return _signed(event, f"{number}-other", {"action": "created", **about}, secret, looks_at=None)


def _bad(number: int, repository: str, chance: Random, secret: str) -> Delivery:
    """Signed by nobody or by somebody else, or signed and not to be understood."""
    payload = _job_payload(number, "queued", repository, OUR_LABELS)
    match chance.randrange(3):
        case 0:
            good = _signed("workflow_job", f"{number}-bad", payload, secret, looks_at=None)
            headers = {name: value for name, value in good.headers.items() if name != "X-Hub-Signature-256"}
            return Delivery(headers=headers, body=good.body, answer=401, looks_at=None)
        case 1:
            return _signed(
                "workflow_job", f"{number}-bad", payload, f"not {secret}", looks_at=None, answer=401
            )
        case _:
            payload["workflow_job"] = {"id": "many"}
            return _signed("workflow_job", f"{number}-bad", payload, secret, looks_at=None, answer=400)


def _signed(
    event: str,
    delivery: str,
    payload: Mapping[str, Any],
    secret: str,
    *,
    looks_at: str | None,
    answer: int = 202,
) -> Delivery:
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
    return Delivery(headers=headers, body=body, answer=answer, looks_at=looks_at)
