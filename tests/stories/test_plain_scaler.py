"""The world can tell a good scaler from a bad one: `count = queued + running` stops busy instances and loses jobs."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.emulator_process import Emulator, running_emulator

JOBS = 24
MOST = 12


def workflow(ledger: Path) -> str:
    """Jobs of uneven length, so that some end while others still run."""
    numbers = ", ".join(map(str, range(JOBS)))
    return f"""
name: burst
on: push
jobs:
  one:
    strategy: {{fail-fast: false, matrix: {{number: [{numbers}]}}}}
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          sleep $(( 1 + (${{{{ matrix.number }}}} % 4) * 3 ))
          echo "${{{{ matrix.number }}}}" >> {ledger}
"""


def reconcile_plainly(emulator: Emulator) -> None:
    """The whole of a plain scaler's wisdom, once."""
    jobs = emulator.github.jobs()
    wanted = min(MOST, sum(job["status"] in ("queued", "in_progress") for job in jobs))
    pool = emulator.cloud.worker_pool("plain")
    if int(pool["scaling"].get("manualInstanceCount", 0)) != wanted:
        try:
            emulator.cloud.set_count("plain", wanted)
        except (httpx.HTTPError, AssertionError):
            return  # an operation is still under way; the next look comes soon


@pytest.mark.timeout(240)
def test_a_plain_scaler_loses_jobs_in_this_world(tmp_path: Path) -> None:
    """With one worker pool of up to twelve instances and count = queued + running, busy instances are victims."""
    ledger = tmp_path / "ledger"
    ledger.touch()
    with running_emulator(tmp_path / "world", time_factor=0.05) as emulator:
        app = emulator.github.setup()
        key = tmp_path / "app.pem"
        key.write_text(app["private_key"])
        emulator.cloud.create_worker_pool(
            "plain",
            [sys.executable, "-m", "tests.stories.plain_instance"],
            environment={
                "PLAIN_KEY": str(key),
                "PLAIN_APP": app["client_id"],
                "PLAIN_GITHUB": emulator.github_api_url,
                "PYTHONPATH": str(Path.cwd()),
            },
        )
        emulator.github.push("acme/widgets", {"burst.yml": workflow(ledger)})
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            reconcile_plainly(emulator)
            if all(job["status"] == "completed" for job in emulator.github.jobs()):
                break
            time.sleep(0.3)
        outcomes = Counter(str(job["conclusion"]) for job in emulator.github.jobs())
        victims = [stop for stop in emulator.cloud.stops("plain") if stop["was_busy"]]
    assert victims, f"no busy instance was stopped; outcomes: {outcomes}"
    assert outcomes["success"] < JOBS, f"no job was lost: {outcomes}"
