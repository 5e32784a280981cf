"""A lease request that is sent again, with everything right in it, gets nothing a second time and changes no record."""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.pool_world import PoolWorld, pool_world, wait_until
from tests.e2e.test_bad_input import Door, assert_refused


def one_parked(world: PoolWorld) -> object:
    """True once the kept instance runs and waits."""
    instances = world.emulator.cloud.instances(state="running")
    return True if len(instances) == 1 else instances


def record_of(world: PoolWorld, cell: str) -> str:
    """The stored text of a cell's record."""
    with sqlite3.connect(world.folder / "records.db") as connection:
        (text,) = connection.execute("SELECT text FROM records WHERE key = ?", (f"cells/{cell}",)).fetchone()
    connection.close()
    return str(text)


@pytest.mark.timeout(180)
def test_a_replayed_start_gets_no_second_registration_before_or_after_its_lease(tmp_path: Path) -> None:
    """The pool keeps one instance, so a cell is open; the test speaks for an instance with all its credentials."""
    with pool_world(tmp_path, sizes=(1,), max_instances=1, pool_settings={"min": 1}) as world:
        world.start_scaler()
        wait_until(lambda: one_parked(world), seconds=60, what="the kept instance runs", world=world)
        door = Door(world)
        with door.http:
            boot = secrets.token_hex(16)
            granted = _start_when_open(door, boot)
            lease = granted.json()["lease"]
            standing = record_of(world, door.cell)
            assert lease in standing
            assert_refused(door.lease(boot=boot), 409, "stale_ask")
            assert_refused(door.lease(boot=secrets.token_hex(16)), 409, "no_room")
            assert record_of(world, door.cell) == standing
            assert len(world.emulator.github.registrations()) == 1
            headers = {"Authorization": f"Bearer {door.token()}", "X-Cell-Secret": door.cells[door.cell]}
            body = {"cell": door.cell, "boot": boot, "seq": 9, "outcome": "unused", "cause": "a test"}
            for _ in range(2):
                ended = door.http.post(f"/v1/leases/{lease}/end", json=body, headers=headers)
                assert (ended.status_code, ended.json()["reply"]) == (200, "exit")
            assert_refused(door.lease(boot=boot), 410, "boot_retired")
            assert lease not in record_of(world, door.cell)


def _start_when_open(door: Door, boot: str) -> httpx.Response:
    """The gate opens a moment before the instance starts."""
    deadline = time.monotonic() + 30
    while True:
        reply = door.lease(boot=boot)
        if reply.status_code == 200 or time.monotonic() > deadline:
            assert reply.status_code == 200, reply.text
            return reply
