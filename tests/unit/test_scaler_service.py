"""The lease calls over HTTP: who is let in, what each refusal becomes, how large a body may be."""

from __future__ import annotations

import asyncio
import json

import pytest

from cell_records.errors import RecordUnreadable, StoreUnavailable
from cell_records.record import Refusal
from github_api.errors import RateLimited, Unavailable
from scaler.core.model import LeaseState
from scaler.lease_desk import Ask, EndReply
from scaler.lease_ends import LeaseOutcome
from scaler.refusals import (
    BootRetired,
    LeaseRefused,
    NotReady,
    RecordMissing,
    RegistrationsPaused,
    UnknownLease,
)
from scaler.service import LEASE_BODY_MAX_BYTES
from tests.scaler_service_world import (
    AS_CELL,
    ASK,
    BOOT,
    CALLS,
    CELL,
    CRON,
    World,
    held_back,
    in_pieces,
    problem,
)


@pytest.fixture
def world() -> World:
    return World()


async def test_an_offer_is_a_word_and_no_offer_is_nothing(world: World) -> None:
    answer = await world.call("/v1/leases")
    assert (answer.status_code, answer.json()) == (200, {"offer": True})
    world.offers = False
    answer = await world.call("/v1/leases")
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.heard[0] == (CELL, Ask(cell="linux-a", boot=BOOT, ask=3, uptime_seconds=1.5))


async def test_a_lease_comes_with_its_registration_and_its_times(world: World) -> None:
    answer = await world.call("/v1/leases/start")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "lease": "lease-1",
            "runner": {"id": 41, "name": "linux-linux-a-1"},
            "encoded_jit_config": "the-configuration",
            "heartbeat_seconds": 20.0,
            "listen_max_seconds": 300.0,
            "job_timeout_seconds": 3600.0,
            "hard_end_in_seconds": 4000.0,
        },
    )


async def test_an_event_is_handed_on_in_the_scalers_words(world: World) -> None:
    answer = await world.call("/v1/leases/lease-1/events")
    assert (answer.status_code, answer.json()) == (200, {"reply": "continue", "queued": None})
    assert world.heard == [(CELL, "lease-1", BOOT, 4, LeaseState.DYING, "build")]


@pytest.mark.parametrize("reply", EndReply)
async def test_an_end_is_answered_with_exit_or_hold(world: World, reply: EndReply) -> None:
    world.end_reply = reply
    answer = await world.call("/v1/leases/lease-1/end")
    assert (answer.status_code, answer.json()) == (200, {"reply": reply.value})
    assert world.heard == [(CELL, "lease-1", BOOT, LeaseOutcome.TIMED_OUT, "too long", None)]


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (LeaseRefused(cell="linux-a", reason=Refusal.GATE_CLOSED), (409, "gate_closed", None)),
        (LeaseRefused(cell="linux-a", reason=Refusal.NO_ROOM), (409, "no_room", None)),
        (LeaseRefused(cell="linux-a", reason=Refusal.STALE_ASK), (409, "stale_ask", None)),
        (BootRetired(cell="linux-a"), (410, "boot_retired", None)),
        (UnknownLease(lease="lease-1"), (410, "unknown_lease", None)),
        (RecordMissing(cell="linux-a"), (503, "unavailable", "5")),
        (RegistrationsPaused(per_minute=150), (503, "unavailable", "5")),
        (NotReady("the first reading is missing"), (503, "unavailable", "5")),
        (StoreUnavailable("the disk is full"), (503, "unavailable", "5")),
        (RecordUnreadable(key="cells/linux-a", cause="no JSON"), (503, "unavailable", "5")),
        (Unavailable("GitHub did not answer", status=502), (503, "unavailable", "5")),
        (RateLimited("too many requests", until=0.0), (503, "unavailable", "5")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_each_refusal_has_its_status_and_only_what_may_pass_says_when_to_ask_again(
    world: World, path: str, raised: Exception, expected: tuple[int, str, str | None]
) -> None:
    world.raises = raised
    answer = await world.call(path)
    assert (*problem(answer), answer.headers.get("retry-after")) == expected


async def test_a_defect_is_a_500_that_tells_nothing(world: World) -> None:
    world.raises = ValueError("the-configuration")
    answer = await world.call("/v1/leases/start")
    assert answer.status_code == 500
    assert "the-configuration" not in answer.text


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": ""}, (401, "bad_identity")),
        ({"Authorization": f"Bearer {CRON}"}, (401, "bad_identity")),
        ({"X-Cell-Secret": ""}, (403, "bad_secret")),
        ({"X-Cell-Secret": "any"}, (403, "bad_secret")),
    ],
    ids=["no token", "another account", "no secret", "another cell's secret"],
)
async def test_only_an_instance_of_the_cell_is_let_in(
    world: World, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Account and secret are both needed: a workflow step can have the first."""
    answer = await world.call(path, headers={**AS_CELL, **headers})
    assert problem(answer) == expected
    assert world.heard == []


async def test_the_older_of_two_secrets_is_good_too(world: World) -> None:
    assert (await world.call("/v1/leases", headers={**AS_CELL, "X-Cell-Secret": "old"})).status_code == 200


@pytest.mark.parametrize("path", CALLS)
async def test_a_cell_without_an_account_of_its_own_lets_nobody_in(world: World, path: str) -> None:
    """Cloud Run names none for the project's default one, and any program of the project may run as that."""
    body = {**CALLS[path], "cell": "linux-any"}
    answer = await world.call(path, body, headers={"Authorization": f"Bearer {CRON}", "X-Cell-Secret": "any"})
    assert problem(answer) == (401, "bad_identity")
    assert "names no account" in answer.json()["message"]
    assert world.heard == []


@pytest.mark.parametrize("path", CALLS)
async def test_before_the_first_reading_no_cell_is_called_unknown(world: World, path: str) -> None:
    """After a restart an instance asks again soon, instead of taking its cell for gone."""
    world.cells_read = False
    answer = await world.call(path)
    assert (*problem(answer), answer.headers.get("retry-after")) == (503, "unavailable", "5")
    assert world.heard == []


@pytest.mark.parametrize("path", ["/v1/leases", "/v1/leases/start"])
async def test_nothing_begins_in_a_cell_at_fault(world: World, path: str) -> None:
    world.faults["linux-a"] = "it is in automatic scaling"
    answer = await world.call(path)
    assert problem(answer) == (503, "unavailable")
    assert "it is in automatic scaling" in answer.json()["message"]
    assert world.heard == []


@pytest.mark.parametrize("path", ["/v1/leases/lease-1/events", "/v1/leases/lease-1/end"])
async def test_what_stands_in_a_cell_at_fault_is_heard_to_its_end(world: World, path: str) -> None:
    world.faults["linux-a"] = "it is in automatic scaling"
    assert (await world.call(path)).status_code == 200
    assert len(world.heard) == 1


async def test_the_fault_of_a_cell_is_told_to_its_own_instances_only(world: World) -> None:
    world.faults["linux-a"] = "it is in automatic scaling"
    answer = await world.call("/v1/leases", headers={**AS_CELL, "X-Cell-Secret": "guessed"})
    assert problem(answer) == (403, "bad_secret")


@pytest.mark.parametrize("path", CALLS)
async def test_a_body_that_does_not_come_is_given_up(path: str) -> None:
    world = World(body_within_seconds=0.01)
    answer = await world.http.post(path, content=held_back(asyncio.Event(), []), headers=AS_CELL)
    assert (*problem(answer), answer.headers.get("connection")) == (408, "too_slow", "close")
    assert world.heard == []


async def test_an_unknown_cell_is_told_to_those_who_signed_in_only(world: World) -> None:
    body = {**ASK, "cell": "nobody"}
    assert problem(await world.call("/v1/leases", body)) == (404, "unknown_cell")
    assert problem(await world.call("/v1/leases", body, headers={}))[0] == 401


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "body"),
        (b"no JSON", "body"),
        (b"[]", "body"),
        (b"[" * 10_000, "body"),
        (b'{"cell": "\xff"}', "body"),
        (b'{"uptim": 3}', "uptim"),
        (b'{"boot": "hunter2"}', "boot"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_by_the_name_of_its_field(
    world: World, path: str, content: bytes, named: str
) -> None:
    """And not repeated: a misplaced secret must not come back."""
    answer = await world.http.post(path, content=content, headers=AS_CELL)
    assert problem(answer) == (422, "bad_request")
    assert named in answer.json()["message"]
    assert "hunter2" not in answer.text


async def test_a_body_that_is_announced_too_large_is_refused_unread(world: World) -> None:
    content = b" " * (LEASE_BODY_MAX_BYTES + 1)
    assert problem(await world.http.post("/v1/leases", content=content)) == (413, "too_large")


async def test_a_body_that_grows_too_large_is_refused_whatever_was_announced(world: World) -> None:
    headers = {**AS_CELL, "Content-Length": "2"}
    answer = await world.http.post("/v1/leases", content=in_pieces(LEASE_BODY_MAX_BYTES), headers=headers)
    assert problem(answer) == (413, "too_large")


async def test_a_body_of_the_largest_size_is_read(world: World) -> None:
    content = json.dumps(ASK).encode().ljust(LEASE_BODY_MAX_BYTES)
    answer = await world.http.post("/v1/leases", content=content, headers=AS_CELL)
    assert answer.status_code == 200


@pytest.mark.parametrize("announced", ["²", "-1", "1e9", "many"])
async def test_a_length_that_is_no_number_is_not_believed(world: World, announced: str) -> None:
    headers = [(b"content-length", announced.encode("latin-1"))]
    headers += [(name.encode(), value.encode()) for name, value in AS_CELL.items()]
    answer = await world.http.post("/v1/leases", content=json.dumps(ASK).encode(), headers=headers)
    assert answer.status_code == 200
