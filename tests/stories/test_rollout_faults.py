"""A rollout while Cloud Run refuses, falls silent and takes its time: every cell is changed, and what was lost is looked up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.pool_world import POOL, pool_world
from tests.stories.test_rollout import NEW, holds, images

FAULTS = {
    "stale-etag": {"share": 0.5, "most": 4},
    "reply-lost": {"share": 1, "after": 1, "most": 3},
    "unavailable": {"share": 0.2, "most": 6},
    "operation-stuck": {"seconds": 2, "share": 0.5},
}


@pytest.mark.timeout(120)
def test_every_cell_is_changed_though_writes_are_refused_unanswered_and_slow(tmp_path: Path) -> None:
    """Eight cells that have no record yet; each of the faults must have struck, or the story proves nothing."""
    with pool_world(tmp_path / "w", sizes=(1,) * 8, max_instances=8) as world:
        door = world.emulator.cloud.http
        door.put("/_control/faults", json={"faults": FAULTS}).raise_for_status()
        done = world.run(
            "rollout", "--pool", POOL, "--image", NEW, "--no-canary", "--at-once", "8", "--timeout", "90s"
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        struck = door.get("/_control/faults").json()["struck"]
        assert all(struck[fault] for fault in FAULTS), struck
        door.put("/_control/faults", json={"faults": {}}).raise_for_status()
        assert (set(images(world)), set(holds(world).values())) == ({NEW}, {""})
        assert {pool["status"] for pool in world.emulator.cloud.writes()} >= {200, 409, 503}
