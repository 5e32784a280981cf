"""The verbs that change cells, on a machine whose clock is wrong: what they write is dated by Google's clock."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cell_records.change import read_cell
from cell_records.location import store_at
from scaler.rollout import verbs
from scaler.rollout.cells import Goal
from scaler.rollout.clock import sound_clock
from scaler.rollout.verbs import Wanted, run
from tests.config_text import SMALLEST
from tests.emulator_process import eventually, running_emulator


@pytest.mark.parametrize("wrong_by", [-200.0, 200.0])
def test_a_zero_that_a_wrong_clock_has_seen_is_dated_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong_by: float
) -> None:
    """Dated minutes too early, the cell could open, and boots from before the zero have leases, at once."""
    with running_emulator(tmp_path / "world", time_factor=0.01) as world:
        records = f"sqlite:{tmp_path / 'records.db'}"
        text = SMALLEST.replace("records: sqlite:/tmp/records.db", f"records: {records}")
        text = text.replace("project: my-project", f"project: {world.project}")
        text = text.replace(
            "region: us-central1",
            f"region: {world.region}\n  endpoint: {world.cloud_url}\n  credentials: anonymous",
        )
        config = tmp_path / "rp.yaml"
        config.write_text(text)
        labels = {
            "runner-pool-deployment": "acme-ci",
            "runner-pool-pool": "linux",
            "runner-pool-size": "2",
        }
        world.cloud.create_worker_pool("a", ["/bin/sleep", "100"], labels=labels)
        for count in (1, 0):
            # One that was never raised needs no rest.
            world.cloud.patch_worker_pool(
                "a", {"scaling": {"manualInstanceCount": count}}, mask="scaling.manualInstanceCount"
            )
        eventually(
            lambda: world.cloud.http.get(f"/v2/{world.cloud.parent}/workerPools/a").json(),
            lambda seen: seen["generation"] == seen["observedGeneration"] and not seen.get("reconciling"),
            what="a settled zero",
        )
        clock = SimpleNamespace(
            time=lambda: time.time() + wrong_by, monotonic=time.monotonic, strftime=time.strftime
        )
        monkeypatch.setattr(verbs, "time", clock)
        began = time.time()
        assert run(config, {}, Wanted(hold="drain", goal=Goal.STAY, timeout_seconds=60.0)) == 0
        record = read_cell(store_at(records), "a")
    assert record is not None
    assert began - 2.0 <= record.zeroed_at <= time.time() + 2.0
    way = "ahead" if wrong_by > 0 else "behind"
    assert f"s {way}: Google's is used" in capsys.readouterr().out


def test_a_clock_that_is_right_is_not_disturbed_by_the_coarser_one() -> None:
    """Google's comes in whole seconds; and before its first answer there is none."""
    said: list[str] = []
    told: list[float | None] = [None, 1_004.0, 996.0, 900.0, 900.5]
    clock = sound_clock(lambda: 1_000.0, lambda: told.pop(0), say=said.append)
    assert [clock() for _ in range(5)] == [1_000.0, 1_000.0, 1_000.0, 900.0, 900.5]
    assert said == ["this machine's clock is 100 s ahead: Google's is used"]
