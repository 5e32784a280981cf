"""One world of the grid: a burst of jobs under a case's faults, then calm, then the count of what is left."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

from tests.e2e.pool_world import PoolWorld, pool_world
from tests.faults.case import Case
from tests.faults.disturber import Disturber
from tests.faults.store import write_faults

SIZES = (1, 1, 1, 2, 2, 3)
MOST_INSTANCES = 4
JOBS = 6
READY_SECONDS = 90.0
JOBS_DONE_SECONDS = 150.0
AT_REST_SECONDS = 150.0
LOOK_EVERY_SECONDS = 0.3

# As short as the relations between the times allow: a lease that nobody ends is over after its hard end.
TIMES = {"hard_end_margin": "1s", "back_off": "10s"}
POOL = {"listen_max": "6s", "job_timeout": "15s", "linger": "1s"}

# Whose writes of a count are the scaler's: it is anonymous to the stand-in cloud.
SCALER = "anonymous@stand-in.invalid"

WORKFLOW = """
name: burst
on: push
jobs:
  one:
    strategy:
      fail-fast: false
      matrix:
        number: [{numbers}]
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          echo "${{{{ matrix.number }}}} begins" >> {ledger}
          sleep 0.${{{{ matrix.number }}}}
          sleep {seconds}
          echo "${{{{ matrix.number }}}} ends" >> {ledger}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row of the table. `lost`: jobs that did not succeed and whose cause was reported; `silent`: without a report."""

    case: Case
    jobs: int = 0
    done: int = 0
    lost: int = 0
    silent: int = 0
    stopped: int = 0
    twice: int = 0
    wait_p95: float | None = None
    left: int = 0
    struck: Mapping[str, int] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    problem: str | None = None
    seconds: float = 0.0

    @property
    def faultless(self) -> bool:
        """Whether the row is as promised."""
        wrong = self.silent or self.stopped or self.twice or self.left or self.problem is not None
        return not wrong and self.done + self.lost == self.jobs


def lived(case: Case, folder: Path, *, jobs: int = JOBS, keep: bool = False) -> Result:
    """Live through a case. A world that breaks is a row with a problem, and its folder stays."""
    begun = time.monotonic()
    try:
        result = _lived(case, folder, jobs=jobs)
    except Exception as error:  # noqa: BLE001 - one broken world must not hide the others
        result = Result(case=case, jobs=jobs, problem=f"{type(error).__name__}: {error}")
    if result.faultless and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "problem.txt").write_text(f"{case}\n\n{result}\n")
    return replace(result, seconds=time.monotonic() - begun)


def _lived(case: Case, folder: Path, *, jobs: int) -> Result:
    ledger, store_faults = folder / "ledger", folder / "store-faults.json"
    folder.mkdir(parents=True)
    write_faults(store_faults, {})
    with pool_world(
        folder / "w",
        sizes=SIZES,
        max_instances=MOST_INSTANCES,
        times=TIMES,
        pool_settings=POOL,
        seed=case.seed,
        store_faults=store_faults,
    ) as world:
        world.start_scaler()
        # What happens to a cell before it has a record is somebody's to mend by hand: unknown is not empty.
        if not _waited(lambda: len(world.records()) == len(SIZES), READY_SECONDS):
            raise RuntimeError(f"the cells got no records within {READY_SECONDS:g} s\n{world.logs()}")
        _switch(world, case.cloud, case.github)
        disturber = Disturber(world, case.machine, store_faults=store_faults, seed=case.seed)
        workflow = WORKFLOW.format(
            numbers=", ".join(map(str, range(1, jobs + 1))), ledger=ledger, seconds="1.5"
        )
        world.emulator.github.push("acme/widgets", {"burst.yml": workflow})
        disturber.start()
        try:
            _waited(lambda: not _open_jobs(world), case.storm_seconds)
        finally:
            disturber.stop()
        struck = {**disturber.struck, **_strokes(world)}
        _switch(world, {}, {})
        done = _waited(lambda: not _open_jobs(world), JOBS_DONE_SECONDS)
        rest = _waited(lambda: not left_behind(world), AT_REST_SECONDS)
        problem = None
        if not done:
            problem = f"jobs are still open: {_open_jobs(world)}"
        elif not rest:
            problem = f"this is left: {left_behind(world)}"
        elif not any(process.poll() is None for process in world.scalers):
            problem = "no scaler process lives"
        return _judged(world, case, ledger, struck=struck, problem=problem)


def _judged(
    world: PoolWorld, case: Case, ledger: Path, *, struck: Mapping[str, int], problem: str | None
) -> Result:
    found = world.emulator.github.jobs()
    failed = [job for job in found if job["conclusion"] != "success"]
    reports = tuple(_reports(world))
    causes = {job["id"]: _cause(job, reports) for job in failed}
    begun = (
        Counter(line.split()[0] for line in ledger.read_text().splitlines() if line.endswith("begins"))
        if ledger.exists()
        else Counter[str]()
    )
    waits = sorted(job["started_at"] - job["created_at"] for job in found if job["started_at"])
    missing = {fault for fault in case.proves if not struck.get(fault)}
    if problem is None and missing:
        problem = f"{', '.join(missing)} never struck, so the row proves nothing"
    return Result(
        case=case,
        jobs=len(found),
        done=len(found) - len(failed),
        lost=sum(cause is not None for cause in causes.values()),
        silent=sum(cause is None for cause in causes.values()),
        stopped=len(stopped_by_the_scaler(world)),
        twice=sum(count > 1 for count in begun.values()),
        wait_p95=waits[max(0, ceil(0.95 * len(waits)) - 1)] if waits else None,
        left=sum(len(each) for each in left_behind(world).values()),
        struck=struck,
        causes=tuple(sorted(Counter(cause for cause in causes.values() if cause is not None))),
        problem=problem,
    )


def _waited(fact: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY_SECONDS)
    return True


def _switch(world: PoolWorld, cloud: Mapping[str, Any], github: Mapping[str, Any]) -> None:
    for door, faults in ((world.emulator.cloud.http, cloud), (world.emulator.github.http, github)):
        door.put("/_control/faults", json={"faults": dict(faults)}).raise_for_status()


def _strokes(world: PoolWorld) -> Mapping[str, int]:
    struck: dict[str, int] = {}
    for door in (world.emulator.cloud.http, world.emulator.github.http):
        struck |= door.get("/_control/faults").raise_for_status().json()["struck"]
    return struck


def _open_jobs(world: PoolWorld) -> list[str]:
    return [
        f"{job['name']} {job['status']}"
        for job in world.emulator.github.jobs()
        if job["status"] != "completed"
    ]


def left_behind(world: PoolWorld) -> dict[str, list[str]]:
    """What is still there, by kind; empty at rest."""
    counts = world.counts()
    left = {
        "instances": [each["id"] for each in world.emulator.cloud.instances() if each["state"] != "gone"],
        "registrations": [each["name"] for each in world.emulator.github.registrations()],
        "counts": [f"{cell}: {count}" for cell, count in counts.items() if count],
        "processes": list(world.emulator.living_processes().values()),
        "leases": world.standing_leases(),
    }
    return {kind: found for kind, found in left.items() if found}


def stopped_by_the_scaler(world: PoolWorld) -> list[Mapping[str, Any]]:
    """Busy instances that a write of the scaler's has made a victim."""
    return [
        stop
        for stop in world.emulator.cloud.stops()
        if stop["was_busy"] and stop["cause"] == "scale-in" and stop["by"] == SCALER
    ]


def _reports(world: PoolWorld) -> Iterable[Mapping[str, Any]]:
    """What the scalers have said of ended leases."""
    for path in sorted(world.folder.glob("scaler-*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if '"lease_ended"' in line or '"lease_removed"' in line:
                yield json.loads(line)


def _cause(job: Mapping[str, Any], reports: Iterable[Mapping[str, Any]]) -> str | None:
    """What was reported of a job that did not succeed: by the scaler, or by GitHub for one that never had a runner."""
    for report in reports:
        if report["outcome"] == "finished" and report.get("result") == "Succeeded":
            continue  # whoever says so has not noticed
        named = {str(report[key]) for key in ("job", "job_id", "runner") if report.get(key) is not None}
        if named & {job["name"], str(job["id"]), str(job["runner_name"])}:
            return f"{report['outcome']}: {report.get('cause') or report.get('why')}"
    if not job["acquired"] and job["conclusion"] == "cancelled":
        return "cancelled by its user before it ran"
    return None
