"""Pools of one deployment; Cloud Run refuses, contradicts or leaves hanging what is asked for one of them. Another grows as
ever, nothing is lowered wrongly, and the reason stands in `/status` and in the log.

One world and one scaler for all stories. Each kind of trouble has a pool of its own in each story, so that all can strike at
once, and so has what is healthy: no instance or lesson of an earlier story spares it the growth.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import httpx
import pytest

from runner_pool.provision import create_cells
from tests.e2e.pool_world import AGENT, DEPLOYMENT, PoolWorld, agent_environment, pool_world, wait_until

CELLS = (1, 1, 1)
JOBS = 2

# Pool -> what strikes it.
TROUBLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "contradicted": ("stale-etag", {"share": 1}),
    "refused": ("cpu-quota", {}),
    "stuck": ("operation-stuck", {"seconds": 300}),
    "throttled": ("write-quota", {"writes_per_minute": 30}),
}

# Pool -> what must be told of it, for somebody who knows Cloud Run and not this program.
TOLD = {
    "contradicted": "refused as stale",
    "refused": "CpuAllocPerProjectRegion",
    "stuck": "has not finished the change",
    "throttled": "Quota exceeded for quota metric 'Write requests'",
}

STORIES = {**{name: [name] for name in TROUBLE}, "all": list(TROUBLE)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolWorld]:
    names = [f"{each}-{story}" for story, sick in STORIES.items() for each in ("healthy", *sick)]
    with pool_world(tmp_path_factory.mktemp("two-pools"), sizes=(), max_instances=40) as made:
        plain: dict[str, object] = made.config["pools"][0]  # type: ignore[index]  # the one that every world has
        made.config["pools"] = [{**plain, "name": name, "labels": [name]} for name in names]
        for name in names:
            create_cells(
                cloud_url=made.emulator.cloud_url,
                project=made.emulator.project,
                region=made.emulator.region,
                deployment=DEPLOYMENT,
                pool=name,
                sizes=CELLS,
                command=AGENT,
                env=agent_environment(scaler_url=made.forwarder.url),
            )
        made.start_scaler()
        yield made


@pytest.mark.parametrize("story", STORIES)
def test_one_pool_grows_while_others_cannot(world: PoolWorld, story: str) -> None:
    cloud, sick, healthy = world.emulator.cloud, STORIES[story], f"healthy-{story}"
    troubles = [TROUBLE[name][0] for name in sick]
    log_before, stops_before = len(log(world)), len(cloud.stops())
    struck_before = {fault: cloud.struck(fault) for fault in troubles}
    cloud.put_faults({TROUBLE[name][0]: {**TROUBLE[name][1], "only": f"{name}-"} for name in sick})

    told: set[str] = set()
    for name in sick:
        if name != "throttled":
            push(world, f"{name}-{story}")
            told.add(TOLD[name])
    wait_until(lambda: said(told, status(world)), seconds=40, what="/status says why", world=world)
    # What follows is wanted when all that is known.
    run = push(world, healthy)
    if "throttled" in sick:
        # Last, and at the same time: once a write is refused for the project's quota, every pool waits for 20 s.
        use_up_the_writes(world, f"throttled-{story}-s1-3", 30)
        push(world, f"throttled-{story}")
        told.add(TOLD["throttled"])
    wait_until(lambda: said(told, status(world)), seconds=40, what="/status says it all", world=world)
    wait_until(lambda: said(told, ticks(world, log_before)), seconds=5, what="so does the log", world=world)
    wait_until(lambda: ended_well(world, run), seconds=45, what="the healthy jobs end", world=world)

    assert any(grows(write, healthy) for write in cloud.writes())
    stopped = [stop for stop in cloud.stops()[stops_before:] if stop["was_busy"]]
    assert stopped == [], f"{stopped}\n{world.logs()}"
    unstruck = [fault for fault in troubles if cloud.struck(fault) == struck_before[fault]]
    assert unstruck == []
    assert world.scalers[-1].poll() is None, world.logs()
    cloud.put_faults({})


def use_up_the_writes(world: PoolWorld, cell: str, writes: int) -> None:
    """Another hand writes a cell's count, which it leaves at zero, as often as the quota allows in a minute."""
    cloud = world.emulator.cloud
    for _ in range(writes + 1):
        reply = cloud.http.patch(
            f"/v2/{cloud.parent}/workerPools/{cell}",
            params={"updateMask": "scaling.manualInstanceCount"},
            json={"scaling": {"manualInstanceCount": 0}},
        )
        if reply.status_code == 429:
            return
    raise AssertionError(f"{writes} writes have not used up the quota")


def push(world: PoolWorld, label: str) -> list[int]:
    """Some jobs for one pool; gives the id of their run."""
    numbers = ", ".join(map(str, range(JOBS)))
    text = f"""
name: {label}
on: push
jobs:
  one:
    strategy:
      matrix:
        number: [{numbers}]
    runs-on: [{label}]
    steps:
      - run: sleep 1
"""
    return world.emulator.github.push("acme/widgets", {f"{label}.yml": text})


def ended_well(world: PoolWorld, runs: Collection[int]) -> object:
    """True once each job of these runs has succeeded, else what they are."""
    jobs = [job for job in world.emulator.github.jobs() if job["run_id"] in runs]
    return True if all(job["conclusion"] == "success" for job in jobs) else [job["status"] for job in jobs]


def grows(write: Mapping[str, Any], pool: str) -> bool:
    """Whether a write has raised a cell of that pool."""
    ours = str(write["worker_pool"]).startswith(f"{pool}-s")
    return bool(ours and write["status"] == 200 and (write["to"] or 0) > (write["from"] or 0))


def status(world: PoolWorld) -> str:
    """What the scaler tells whoever may ask."""
    token = world.emulator.cloud.identity_token(email="cron@example.com", audience=world.forwarder.url)
    try:
        reply = httpx.get(f"{world.forwarder.url}/status", headers={"Authorization": f"Bearer {token}"})
    except httpx.TransportError as error:  # it is still starting
        return str(error)
    return reply.text


def log(world: PoolWorld) -> str:
    """What the scaler has written so far."""
    return (world.folder / "scaler-0.log").read_text()


def ticks(world: PoolWorld, since: int) -> str:
    """The tick lines of the log after so many characters."""
    lines = [
        json.loads(line)
        for line in log(world)[since:].splitlines()
        if line.startswith("{") and line.endswith("}")
    ]
    return json.dumps([line for line in lines if line["message"] == "tick"])


def said(words: Collection[str], text: str) -> object:
    """True once all of these stand there, else those that do not, and the end of the text."""
    lacking = [each for each in words if each not in text]
    return True if not lacking else (lacking, text[-600:])
