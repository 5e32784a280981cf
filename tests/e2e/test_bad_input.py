"""Whatever is sent to a running scaler or written into its configuration gets the right status, its cause and a remedy."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.pool_world import POOL, PoolWorld, pool_world, wait_until

ACCOUNT = "e2e-cells@demo-project.iam.gserviceaccount.com"
CALLER = "cron@example.com"
WEBHOOK_SECRET = b"e2e-webhook-secret"


class Door:
    """A scaler in a world without jobs, and everything an honest caller has."""

    def __init__(self, world: PoolWorld) -> None:
        self.world = world
        self.http = httpx.Client(base_url=world.forwarder.url, timeout=60)
        self.cells = {
            pool["name"].rpartition("/")[2]: {
                each["name"]: each["value"] for each in pool["template"]["containers"][0]["env"]
            }["RUNNER_POOL_CELL_SECRET"]
            for pool in self._worker_pools()
        }
        self.cell, self.other = min(self.cells), max(self.cells)

    def _worker_pools(self) -> list[dict[str, Any]]:
        emulator = self.world.emulator
        listed = emulator.cloud.http.get(
            f"/v2/projects/{emulator.project}/locations/{emulator.region}/workerPools"
        )
        pools: list[dict[str, Any]] = listed.json()["workerPools"]
        return pools

    def token(self, email: str = ACCOUNT, audience: str | None = None, **more: float) -> str:
        return self.world.emulator.cloud.identity_token(
            email=email, audience=audience or self.world.forwarder.url, **more
        )

    def lease(
        self,
        path: str = "/v1/leases/start",
        *,
        token: str | None = None,
        secret: str | None = None,
        **body: object,
    ) -> httpx.Response:
        """A lease call, honest but for what the test changes."""
        fields = {
            "cell": self.cell,
            "instance": "i-1",
            "boot": secrets.token_hex(16),
            "ask": 1,
            "uptime": 0.5,
            **body,
        }
        headers = {
            "Authorization": f"Bearer {token or self.token()}",
            "X-Cell-Secret": self.cells[self.cell] if secret is None else secret,
        }
        return self.http.post(path, json=fields, headers=headers)


@contextmanager
def an_open_door(folder: Path) -> Iterator[Door]:
    """The way to a scaler that is ready, in a world of two cells."""
    with pool_world(folder, sizes=(1, 1), max_instances=2) as world:
        world.start_scaler()

        def answers() -> object:
            try:
                return httpx.get(f"{world.forwarder.url}/readyz", timeout=5).status_code == 200
            except httpx.HTTPError as error:
                return repr(error)

        wait_until(answers, seconds=60, what="the scaler is ready", world=world)
        door = Door(world)
        with door.http:
            yield door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with an_open_door(tmp_path_factory.mktemp("bad-input")) as door:
        yield door


def assert_refused(reply: httpx.Response, status: int, code: str, *words: str) -> None:
    """The status, the code, a message that names the cause, a remedy, and no trace of Python."""
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body["error"] == code, body
    assert body["message"], body
    assert body["remedy"], body
    for word in words:
        assert word in body["message"] + body["remedy"], body
    assert "Traceback" not in reply.text


def test_an_honest_instance_of_a_closed_cell_is_told_that_the_gate_is_closed(door: Door) -> None:
    """The control case: the same request with nothing wrong gets as far as the record."""
    assert_refused(door.lease(), 409, "gate_closed")


def test_without_a_token_the_answer_is_401(door: Door) -> None:
    reply = door.http.post(
        "/v1/leases/start", json={"cell": door.cell, "boot": "0" * 32, "instance": "i", "ask": 1, "uptime": 1}
    )
    assert_refused(reply, 401, "bad_identity", "bearer token")


@pytest.mark.parametrize(
    ("email", "audience", "word"),
    [
        ("stranger@demo-project.iam.gserviceaccount.com", None, "account"),
        (ACCOUNT, "https://another-scaler.example.com", "audience"),
    ],
)
def test_a_foreign_token_is_refused(door: Door, email: str, audience: str | None, word: str) -> None:
    assert_refused(door.lease(token=door.token(email, audience)), 401, "bad_identity", word)


def test_a_replayed_token_is_refused_once_it_has_expired(door: Door) -> None:
    expired = door.token(lifetime_seconds=-3600)
    assert_refused(door.lease(token=expired), 401, "bad_identity", "expired")


def test_a_token_signed_by_somebody_else_is_refused(door: Door) -> None:
    head, claims, signature = door.token().split(".")
    forged = ".".join((head, claims, signature[:-8] + ("A" * 8 if signature[-8:] != "A" * 8 else "B" * 8)))
    assert_refused(door.lease(token=forged), 401, "bad_identity")


def test_a_wrong_secret_and_the_secret_of_another_cell_are_refused(door: Door) -> None:
    assert_refused(door.lease(secret="guess"), 403, "bad_secret", door.cell)
    assert_refused(door.lease(secret=door.cells[door.other]), 403, "bad_secret", door.cell)


def test_an_unknown_cell_is_named(door: Door) -> None:
    assert_refused(door.lease(cell="no-such-cell"), 404, "unknown_cell", "no-such-cell")


def test_events_of_a_lease_that_does_not_stand_are_gone(door: Door) -> None:
    body = {"cell": door.cell, "boot": "0" * 32, "seq": 1, "state": "running"}
    headers = {"Authorization": f"Bearer {door.token()}", "X-Cell-Secret": door.cells[door.cell]}
    assert_refused(door.http.post("/v1/leases/ffff/events", json=body, headers=headers), 410, "unknown_lease")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{not json", "JSON"),
        (b"[]", "body"),
        (b'{"cell": 7}', "cell"),
        (b'{"cell":"a","instance":"i","boot":"zz","ask":1,"uptime":1}', "boot"),
        (b'{"cell":"a","instance":"i","boot":"00000000000000000000000000000000","ask":1,"uptime":NaN}', ""),
        (
            b'{"cell":"a","instance":"i","boot":"00000000000000000000000000000000","ask":1,"uptime":1,"x":1}',
            "x",
        ),
    ],
)
def test_a_body_that_does_not_fit_is_422_and_names_the_field(door: Door, content: bytes, word: str) -> None:
    assert_refused(door.http.post("/v1/leases", content=content), 422, "bad_request", word)


def test_a_lease_body_of_17_kib_is_not_read(door: Door) -> None:
    assert_refused(door.http.post("/v1/leases", content=b"x" * 17 * 1024), 413, "too_large")


def webhook(
    door: Door, body: bytes, *, signature: str | None = None, event: str = "workflow_job"
) -> httpx.Response:
    signed = "sha256=" + hmac.new(WEBHOOK_SECRET, body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": signed if signature is None else signature,
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "d-1",
        "Content-Type": "application/json",
    }
    return door.http.post("/webhooks/github", content=body, headers=headers)


def test_a_webhook_with_a_bad_signature_is_refused(door: Door) -> None:
    assert_refused(webhook(door, b"{}", signature="sha256=" + "0" * 64), 401, "webhook_refused", "signature")
    assert_refused(webhook(door, b"{}", signature=""), 401, "webhook_refused")


def test_a_signed_webhook_that_is_no_json_is_400(door: Door) -> None:
    assert_refused(webhook(door, b"{broken"), 400, "webhook_refused")


def test_a_webhook_of_more_than_25_mb_is_not_read(door: Door) -> None:
    assert_refused(webhook(door, b" " * (25 * 1024 * 1024 + 1)), 413, "too_large")


def test_a_body_without_a_length_is_cut_off_as_soon_as_it_is_too_large(door: Door) -> None:
    """The server may answer and close before all is sent; it serves the next caller either way."""

    def endless() -> Iterator[bytes]:
        for _ in range(26):
            yield b" " * 1024 * 1024

    try:
        reply = door.http.post(
            "/webhooks/github", content=endless(), headers={"X-GitHub-Event": "workflow_job"}
        )
    except httpx.WriteError:
        reply = None
    if reply is not None:
        assert_refused(reply, 413, "too_large")
    assert door.http.get("/healthz").status_code == 200


def test_tick_and_status_are_for_configured_callers_only(door: Door) -> None:
    stranger = {"Authorization": f"Bearer {door.token('stranger@example.com')}"}
    assert_refused(door.http.get("/status", headers=stranger), 403, "caller_forbidden", "service.callers")
    assert_refused(door.http.post("/tick"), 401, "bad_identity")
    caller = {"Authorization": f"Bearer {door.token(CALLER)}"}
    assert door.http.get("/status", headers=caller).json()["ready"] is True
    ticked = door.http.post("/tick", headers=caller)
    assert ticked.json()["ticked"] is True
    assert ticked.json()["pools"][0]["pool"] == POOL


def test_an_unknown_path_and_method_are_answered_in_the_same_form(door: Door) -> None:
    assert_refused(door.http.get("/nothing"), 404, "not_here")
    assert_refused(door.http.get("/v1/leases"), 405, "not_here")


def test_the_scaler_still_answers_and_its_log_holds_no_secret(door: Door) -> None:
    """After all the calls above nothing has been lost, and no line shows a key, a token or a cell's secret."""
    assert door.http.get("/healthz").json() == {"alive": True}
    assert door.lease().status_code == 409
    log = (door.world.folder / "scaler-0.log").read_text()
    assert "Traceback" not in log
    for secret in (*door.cells.values(), WEBHOOK_SECRET.decode(), "PRIVATE KEY"):
        assert secret not in log
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.", log), "an identity token stands in the log"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda text: text + "\n  broken: [", 2, ("line",)),
        (
            lambda text: text.replace("max_instances:", "max_instanses:"),
            2,
            ("max_instanses", "max_instances"),
        ),
        (
            lambda text: re.sub(r"file:\S*app\.pem", "file:/nowhere/key.pem", text),
            3,
            ("github.private_key", "/nowhere/key.pem"),
        ),
        (lambda text: re.sub(r"file:\S*app\.pem", "env:E2E_WEBHOOK_SECRET", text), 4, ("private_key",)),
    ],
    ids=["broken-yaml", "unknown-key", "missing-key-file", "wrong-key"],
)
def test_a_bad_configuration_is_explained_with_an_exit_code_and_without_a_traceback(
    door: Door, change: object, code: int, words: tuple[str, ...]
) -> None:
    good = door.world.write_config("good", port=8080).read_text()
    bad = Path(door.world.folder / "bad.yaml")
    bad.write_text(change(good))  # type: ignore[operator]
    told = subprocess.run(
        [sys.executable, "-m", "runner_pool", "check-config", "--config", str(bad)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == code, told.stderr
    assert "Traceback" not in told.stderr
    for word in words:
        assert word in told.stderr, told.stderr
    assert json.dumps("e2e-webhook-secret") not in told.stderr
