"""`once` and `plan` of an assembled scaler: who leads, and which exit code a Cloud Run that cannot be read gives."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from scaler import main
from scaler.core.memory_text import memory_text
from scaler.core.model import Memory
from scaler.errors import CloudRunError, NotFound, PermissionDenied, Rejected, Throttled, Unavailable
from scaler.leadership import Leadership
from tests.factories import a_worker_pool
from tests.scaler_assembled import Assembled, assembled

FOR_GOOD = [
    (NotFound("no such project", remedy="Check cloud_run.project."), 10),
    (PermissionDenied("no permission"), 11),
    (Rejected("no such field"), 12),
]


@pytest.fixture
async def scaler(tmp_path: Path) -> Assembled:
    return assembled(tmp_path)


def once(scaler: Assembled) -> Awaitable[int]:
    return main._once(scaler.parts)


def plan(scaler: Assembled) -> Awaitable[int]:
    return main._plan(scaler.parts, as_json=True, check=True)


VERBS = pytest.mark.parametrize("verb", [once, plan])


def another(scaler: Assembled) -> Leadership:
    """A second cron, a minute later: whatever lead the first had has run out by then."""
    return Leadership(scaler.parts.records, who="another", ttl_seconds=15.0, clock=lambda: time.time() + 60.0)


@VERBS
async def test_a_cloud_run_that_answers_gives_0(
    scaler: Assembled, verb: Callable[[Assembled], Awaitable[int]]
) -> None:
    scaler.worker_pools = (a_worker_pool(),)
    assert await verb(scaler) == 0
    assert scaler.cloud_reads == 1


@VERBS
@pytest.mark.parametrize(("error", "code"), FOR_GOOD, ids=lambda value: type(value).__name__)
async def test_a_cloud_run_that_refuses_for_good_ends_the_verb_with_its_own_code(
    scaler: Assembled, verb: Callable[[Assembled], Awaitable[int]], error: CloudRunError, code: int
) -> None:
    """A wrong project or a missing permission would otherwise look like a cron that works, for ever."""
    scaler.cloud_fails = error
    with pytest.raises(CloudRunError) as raised:
        await verb(scaler)
    assert raised.value is error
    assert raised.value.exit_code == code


@VERBS
@pytest.mark.parametrize("error", [Unavailable("no answer"), Throttled("too many calls")])
async def test_a_cloud_run_that_may_answer_later_is_told_and_gives_9(
    scaler: Assembled,
    verb: Callable[[Assembled], Awaitable[int]],
    error: CloudRunError,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scaler.cloud_fails = error
    with capture_logs() as logged:
        assert await verb(scaler) == 9
    told = [line for line in logged if line["event"] == "cloud_run_unavailable"]
    assert [line["what"] for line in told] == [error.what]
    if verb is plan:
        assert json.loads(capsys.readouterr().out)["faults"] == {"cloud_run": str(error)}


async def test_a_record_names_its_region_and_one_of_another_is_told_though_its_worker_pool_is_nowhere(
    scaler: Assembled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a changed `cloud_run.region`: the list is empty, and nothing is concluded from that."""
    pool = a_worker_pool(count=0)
    scaler.worker_pools = (pool,)
    assert await once(scaler) == 0
    later = assembled(tmp_path)
    first = await later.parts.records.cell(pool.id)
    assert first is not None
    assert first.location == "projects/my-project/locations/us-central1"
    moved = replace(first, location="projects/my-project/locations/before")
    await later.parts.records.change(pool.id, lambda _: moved, uid=pool.uid)
    capsys.readouterr()
    assert await plan(later) == 0
    faults = json.loads(capsys.readouterr().out)["faults"]
    assert list(faults) == [pool.id]
    assert moved.location in faults[pool.id]


async def test_a_tick_that_could_not_read_cloud_run_gives_the_lead_up_all_the_same(scaler: Assembled) -> None:
    """The next cron must not find it held."""
    scaler.cloud_fails = NotFound("no such project")
    with pytest.raises(NotFound):
        await once(scaler)
    assert (await scaler.parts.records.deployment()).leader == ""


async def test_nothing_is_done_while_another_leads(scaler: Assembled) -> None:
    assert await another(scaler).renew()
    with capture_logs() as logged:
        assert await once(scaler) == 0
    assert [line["event"] for line in logged] == ["another_leads"]
    assert scaler.cloud_reads == 0


async def test_a_lead_that_was_lost_during_the_sweep_is_noticed_and_nothing_is_done(
    scaler: Assembled,
) -> None:
    """Reading many repositories takes longer than a lead lasts."""
    scaler.on_sweep.append(another(scaler).renew)
    with capture_logs() as logged:
        assert await once(scaler) == 0
    assert [line["event"] for line in logged] == ["another_leads"]
    assert scaler.cloud_reads == 0
    assert (await scaler.parts.records.deployment()).leader == "another"


async def test_a_lead_that_ran_out_during_the_sweep_is_taken_again(scaler: Assembled) -> None:
    """Nobody else wanted it; without it the tick would observe and do nothing."""

    async def run_out() -> None:
        scaler.parts.leadership._until = 0.0

    scaler.on_sweep.append(run_out)
    assert await once(scaler) == 0
    last = scaler.parts.journal.last
    assert last is not None
    assert last.leads


async def test_what_another_run_remembered_during_the_sweep_is_what_counts(scaler: Assembled) -> None:
    """Memory is read once the lead is sure, or a linger would begin anew."""
    scaler.worker_pools = (a_worker_pool(count=1),)

    async def another_run() -> None:
        text = memory_text(Memory(surplus={"linux-a": 5.0}))
        await scaler.parts.records.change_deployment(lambda record: replace(record, memory=text))

    scaler.on_sweep.append(another_run)
    remembered: list[float | None] = []
    tick = scaler.parts.reconciler.tick

    async def noted(*, look: bool) -> object:
        remembered.append(scaler.parts.reconciler.memory.surplus.get("linux-a"))
        return await tick(look=look)

    scaler.parts.reconciler.tick = noted  # type: ignore[assignment] # only listens
    assert await once(scaler) == 0
    assert remembered == [5.0]
