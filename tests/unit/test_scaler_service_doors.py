"""The service's other doors: GitHub's webhooks, the admin's calls, health and readiness."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from scaler.service import WEBHOOK_BODIES_AT_ONCE, WEBHOOK_BODY_MAX_BYTES, WEBHOOK_SMALL_BYTES
from tests.scaler_parts import a_few_turns, until
from tests.scaler_service_world import ACCOUNT, CRON, World, held_back, in_pieces, problem

JOB_EVENT = {
    "action": "queued",
    "repository": {"full_name": "acme/widgets", "private": True},
    "workflow_job": {"id": 1, "run_id": 7, "status": "queued", "labels": ["linux"], "runner_id": None},
}


@pytest.fixture
def world() -> World:
    return World()


async def test_a_webhook_about_a_job_says_where_to_look_and_nothing_more(world: World) -> None:
    answer = await world.delivers(json.dumps(JOB_EVENT).encode())
    assert (answer.status_code, answer.json()) == (202, {"looking_at": "acme/widgets"})
    assert world.looked_at == ["acme/widgets"]


async def test_any_other_webhook_is_taken_and_ignored(world: World) -> None:
    answer = await world.delivers(b'{"zen": "Keep it logically awesome."}', event="ping")
    assert (answer.status_code, answer.json()) == (202, {"ignored": "ping"})
    assert world.looked_at == []


@pytest.mark.parametrize(
    ("body", "changed", "status"),
    [
        (json.dumps(JOB_EVENT).encode(), {"signature": None}, 401),
        (json.dumps(JOB_EVENT).encode(), {"signature": "sha256=00"}, 401),
        (json.dumps(JOB_EVENT).encode(), {"event": None}, 400),
        (b"no JSON", {}, 400),
        (b"{}", {}, 400),
    ],
    ids=["no signature", "wrong signature", "no event", "no JSON", "another shape"],
)
async def test_a_webhook_that_cannot_be_trusted_or_read_is_refused(
    world: World, body: bytes, changed: dict[str, str | None], status: int
) -> None:
    assert problem(await world.delivers(body, **changed)) == (status, "webhook_refused")
    assert world.looked_at == []


async def test_a_webhook_larger_than_githubs_limit_is_refused_unread(world: World) -> None:
    headers = {"Content-Length": str(WEBHOOK_BODY_MAX_BYTES + 1)}
    answer = await world.http.post("/webhooks/github", content=in_pieces(0), headers=headers)
    assert problem(answer) == (413, "too_large")


async def test_no_more_than_two_webhooks_are_held_at_once(world: World) -> None:
    """Each may be 25 MB, and whose it is shows only when all of it was read. The others wait their turn."""
    all_sent, begun = asyncio.Event(), list[int]()
    deliveries = [
        asyncio.ensure_future(world.http.post("/webhooks/github", content=held_back(all_sent, begun)))
        for _ in range(WEBHOOK_BODIES_AT_ONCE + 3)
    ]
    await until(lambda: len(begun) == WEBHOOK_BODIES_AT_ONCE, seen=lambda: begun)
    await a_few_turns()
    assert len(begun) == WEBHOOK_BODIES_AT_ONCE
    all_sent.set()
    answers = await asyncio.gather(*deliveries)
    assert [problem(answer) for answer in answers] == [(401, "webhook_refused")] * len(deliveries)
    assert len(begun) == len(deliveries)


async def test_an_ordinary_delivery_waits_for_no_stranger_whose_large_body_does_not_come(
    world: World,
) -> None:
    """A few of them, again and again, would else have GitHub give its deliveries up after ten seconds."""
    never, begun = asyncio.Event(), list[int]()
    strangers = [
        asyncio.ensure_future(world.http.post("/webhooks/github", content=held_back(never, begun)))
        for _ in range(WEBHOOK_BODIES_AT_ONCE)
    ]
    await until(lambda: len(begun) == WEBHOOK_BODIES_AT_ONCE, seen=lambda: begun)
    small = json.dumps(JOB_EVENT).encode().ljust(WEBHOOK_SMALL_BYTES)
    assert (await world.delivers(small)).status_code == 202
    large = asyncio.ensure_future(world.delivers(small + b" "))
    await a_few_turns()
    assert not large.done()
    never.set()
    assert (await large).status_code == 202
    await asyncio.gather(*strangers)


async def test_a_body_that_grows_beyond_a_small_one_that_was_announced_is_refused(world: World) -> None:
    headers = {"Content-Length": "2"}
    answer = await world.http.post(
        "/webhooks/github", content=in_pieces(WEBHOOK_SMALL_BYTES), headers=headers
    )
    assert problem(answer) == (413, "too_large")


async def test_a_webhook_that_does_not_come_is_given_up_and_the_next_one_is_read() -> None:
    world = World(body_within_seconds=0.01)
    never, begun = asyncio.Event(), list[int]()
    for _ in range(WEBHOOK_BODIES_AT_ONCE + 1):
        answer = await world.http.post("/webhooks/github", content=held_back(never, begun))
        assert problem(answer) == (408, "too_slow")
    assert (await world.delivers(json.dumps(JOB_EVENT).encode())).status_code == 202
    assert world.looked_at == ["acme/widgets"]


async def test_without_a_secret_no_webhook_is_trusted() -> None:
    world = World(webhook_secret=None)
    assert problem(await world.delivers(json.dumps(JOB_EVENT).encode())) == (404, "not_here")
    assert world.looked_at == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/tick"), ("GET", "/status")])
async def test_the_admins_calls_are_for_the_configured_callers(world: World, method: str, path: str) -> None:
    def call(email: str) -> httpx.Request:
        headers = {"Authorization": f"Bearer {email}"} if email else {}
        return world.http.build_request(method, path, headers=headers)

    assert problem(await world.http.send(call(""))) == (401, "bad_identity")
    assert problem(await world.http.send(call(ACCOUNT))) == (403, "caller_forbidden")
    assert world.heard == []
    assert (await world.http.send(call(CRON))).json() in ({"ticked": True}, {"pools": []})


async def test_health_needs_nobody_and_nothing(world: World) -> None:
    world.not_ready = "Cloud Run has not been read"
    answer = await world.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


@pytest.mark.parametrize(("why", "status"), [(None, 200), ("Cloud Run has not been read", 503)])
async def test_readiness_says_what_is_missing(world: World, why: str | None, status: int) -> None:
    world.not_ready = why
    answer = await world.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (status, {"ready": why is None, "why": why})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/leases", 405), ("DELETE", "/tick", 405)],
)
async def test_what_is_not_here_is_said_in_the_same_shape(
    world: World, method: str, path: str, status: int
) -> None:
    assert problem(await world.http.request(method, path)) == (status, "not_here")
