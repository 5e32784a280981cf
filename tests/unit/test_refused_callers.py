"""Callers that were not let in are told of, by their kind and number, and cannot flood the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaler.refused_callers import TOLD_AGAIN_SECONDS, RefusedCallers
from tests.scaler_parts import Clock
from tests.scaler_service_world import AS_CELL, ASK, CRON, World


def test_the_first_of_a_kind_is_told_at_once_and_the_others_once_a_minute_with_their_number() -> None:
    lines: list[dict[str, Any]] = []
    clock = Clock()
    refused = RefusedCallers(lambda event, **facts: lines.append({"event": event, **facts}), clock=clock)
    for _ in range(1000):
        refused.note("bad_secret", "so it was")
    refused.note("bad_identity", "not good")
    clock.now += TOLD_AGAIN_SECONDS
    refused.note("bad_secret", "so it is")
    assert [(line["code"], line["refused"], line["last"]) for line in lines] == [
        ("bad_secret", 1, "so it was"),
        ("bad_identity", 1, "not good"),
        ("bad_secret", 1000, "so it is"),
    ]
    assert all(line["warning"] and line["event"] == "callers_refused" for line in lines)
    assert refused.totals() == {"bad_identity": 1, "bad_secret": 1001}


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({}, "/v1/leases", "bad_identity"),
        ({**AS_CELL, "X-Cell-Secret": "guess"}, "/v1/leases", "bad_secret"),
        ({"Authorization": "Bearer stranger@example.com"}, "/tick", "caller_forbidden"),
        (
            {"X-Hub-Signature-256": "sha256=0", "X-GitHub-Event": "ping"},
            "/webhooks/github",
            "webhook_refused",
        ),
    ],
)
async def test_each_way_of_not_being_let_in_is_noted(headers: dict[str, str], path: str, code: str) -> None:
    """With the sentence that the caller gets, never with what the caller has shown."""
    world = World()
    body = json.dumps(ASK) if path.startswith("/v1") else "{}"
    answer = await world.http.post(path, content=body, headers=headers)
    assert answer.json()["error"] == code
    assert world.refused == [(code, answer.json()["message"])]
    assert "guess" not in str(world.refused)


async def test_who_is_let_in_or_asks_wrongly_is_no_such_caller() -> None:
    world = World()
    await world.call("/v1/leases")
    await world.call("/v1/leases", {"cell": 7})
    await world.http.post("/tick", headers={"Authorization": f"Bearer {CRON}"})
    await world.http.get("/nothing")
    assert world.refused == []
