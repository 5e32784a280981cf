"""How a verb ends that may not go on, and what a deletion leaves alone: nothing is held for nothing, no record of others goes."""

from __future__ import annotations

import pytest

from cell_records.codec import cell_text
from cell_records.errors import StoreUnavailable
from cell_records.record import CellState
from cell_records.store import Stored, cell_key
from scaler.cloud_run.wire import Document, Operation, WorkerPool
from scaler.errors import (
    CanaryUntried,
    ChangeUnfinished,
    ConfigError,
    PermissionDenied,
    RecordsUnusable,
    Rejected,
)
from scaler.rollout.cells import Goal
from scaler.rollout.template import TemplateWish
from scaler.rollout.verbs import Wanted
from tests.factories import NOW, a_lease
from tests.rollout_world import LOCATION, Region, images, run_verb
from tests.unit.test_rollout_killed import ROLLOUT, ZERO, a_region, uid, wanted


async def test_a_template_that_cloud_run_does_not_take_leaves_no_cell_held() -> None:
    """A typo in the image must not cost the pool a cell for good; the scaler is not told, and nobody runs the command again."""
    region = a_region(jobs=0)
    region.fails = [Rejected("no such image")]
    with pytest.raises(Rejected):
        await run_verb(region, wanted(at_once=2, canary=False))
    holds = {name: region.record(name).hold for name in region.pools if cell_key(name) in region.store.texts}
    assert (set(holds.values()), set(images(region)), region.kills) == ({""}, {"old"}, [])
    assert "a: serves as before" in region.lines


async def test_a_record_that_a_verb_begins_says_where_its_worker_pool_is() -> None:
    """As the scaler's own do, so that a changed region is noticed."""
    region = a_region(jobs=0)
    await run_verb(region, Wanted(hold="drain", goal=Goal.STAY))
    assert (region.record("d").location, region.record("d").hold) == (LOCATION, "drain")


async def test_a_value_that_is_shown_in_another_form_is_written_once() -> None:
    """Cloud Run has a form of its own for quantities."""
    region = a_region(jobs=0)
    region.keeps = {"8192Mi": "8Gi"}
    await run_verb(region, wanted(wish=TemplateWish(memory="8192Mi"), canary=False))
    assert (region.fields, region.kills) == (4, [])
    assert "rollout: done, 4 cells are as wished" in region.lines


async def test_a_value_that_cloud_run_does_not_keep_ends_the_command_and_holds_nothing() -> None:
    """Run again it writes once more, which makes no generation, and once to know that; it used to write for eight hours."""
    region = a_region(jobs=0)
    region.keeps = {"new": "registry/new"}
    for writes in (1, 3):
        with pytest.raises(
            Rejected, match=r"cell a: image is registry/new, not new\. It was not written"
        ) as ended:
            await run_verb(region, wanted())
        assert "describe" in ended.value.remedy
        assert region.fields == writes
    held = [region.record(name).hold for name in region.pools if cell_key(name) in region.store.texts]
    assert (set(held), region.kills, region.record("a").changed_at > NOW) == ({""}, [], True)
    assert images(region) == ["registry/new", "old", "old", "old"]


async def test_a_deletion_that_may_not_go_on_keeps_its_holds() -> None:
    """Nobody wants jobs there."""
    region = Region(jobs=0)
    region.add("a", uid("a", state=ZERO))

    async def refused(pool: WorkerPool) -> Operation:
        raise PermissionDenied("you may not")

    region.delete_worker_pool = refused  # type: ignore[method-assign]  # a permission that is missing
    with pytest.raises(PermissionDenied):
        await run_verb(region, Wanted(hold="destroy", goal=Goal.DELETE))
    assert region.record("a").hold == "destroy"


async def test_records_that_cannot_be_read_at_the_beginning_end_the_command_soon() -> None:
    """A permission on the bucket is missing, say: eight hours of waiting would not bring it."""
    region = a_region()

    def silent() -> dict[str, Stored]:
        raise StoreUnavailable("it answered 403")

    region.store.read_all = silent  # type: ignore[method-assign]  # a store that stays silent
    with pytest.raises(RecordsUnusable, match="nothing was done: it answered 403"):
        await run_verb(region, ROLLOUT)
    assert region.clock.now < NOW + 90.0


async def test_a_cell_that_another_hand_deletes_meanwhile_stops_no_other() -> None:
    """Its worker pool was in the look, and is gone when the step is made."""
    region = Region(jobs=0)
    for name in ("a", "b"):
        region.add(name, uid(name, state=CellState.CLOSING, hold="rollout"))
    get = region.get_worker_pool

    async def overtaken(worker_pool_id: str) -> WorkerPool:
        if worker_pool_id == "a":
            region.pools.pop("a", None)
        return await get(worker_pool_id)

    region.get_worker_pool = overtaken  # type: ignore[method-assign]  # another hand is quicker
    await run_verb(region, wanted(canary=False, at_once=2))
    assert (sorted(region.pools), images(region)) == (["b"], ["new"])


async def test_a_deletion_that_is_said_twice_is_done_and_a_pool_that_nobody_knows_is_a_mistake() -> None:
    """A typo must not look like success."""
    region = a_region(jobs=0)
    named = Wanted(hold="destroy", goal=Goal.DELETE, pool="linux", cells=("a", "c"))
    for _ in range(2):
        await run_verb(region, named)
        assert sorted(region.pools) == ["b", "d"]
    assert "a: there is no such cell, or no more" in region.lines
    assert {"a: its record is removed too", "destroy: done, no such cell is left"} <= set(region.lines)
    assert not [line for line in region.lines if "serves" in line]
    with pytest.raises(ConfigError, match="There is no cell of pool windows"):
        await run_verb(region, Wanted(hold="destroy", goal=Goal.DELETE, pool="windows"))


async def test_a_deletion_leaves_those_that_another_deletion_has_begun_and_it_does_not_name() -> None:
    """They are held for the same word, and their worker pools are there: nothing of them is to be waited for or removed."""
    region = Region(jobs=0)
    region.add("a", uid("a", leases=[a_lease(started_at=NOW)], hold="destroy"), count=2)
    region.add("b", uid("b", state=ZERO))
    region.job_seconds = 5_000.0
    await run_verb(
        region, Wanted(hold="destroy", goal=Goal.DELETE, pool="linux", cells=("b",), timeout_seconds=300.0)
    )
    assert (sorted(region.pools), sorted(region.store.texts)) == (["a"], [cell_key("a")])


async def test_a_deletion_of_named_cells_removes_no_record_of_others() -> None:
    """Even where the worker pool of another has gone: whoever began that deletion ends it."""
    region = Region(jobs=0)
    region.add("b", uid("b", state=ZERO))
    region.store.texts[cell_key("a")] = Stored(cell_text(uid("a", state=ZERO, hold="destroy")), 1)
    await run_verb(region, Wanted(hold="destroy", goal=Goal.DELETE, cells=("b",), timeout_seconds=300.0))
    assert sorted(region.store.texts) == [cell_key("a")]
    await run_verb(region, Wanted(hold="destroy", goal=Goal.DELETE, timeout_seconds=300.0))
    assert not region.store.texts


async def test_a_cell_that_was_changed_and_given_up_proves_nothing_by_what_it_served_before() -> None:
    """Its jobs ran on the old image: the rollout that is begun again has its canary."""
    region = Region(jobs=0)
    region.add("a", uid("a", state=ZERO, hold="rollout", served_at=NOW - 500.0), image="new")
    region.add("b", uid("b", state=ZERO, served_at=NOW - 500.0))
    await run_verb(region, Wanted(hold="rollout", goal=Goal.RELEASE))
    assert region.record("a").hold == ""
    with pytest.raises(CanaryUntried):
        await run_verb(region, wanted(canary_seconds=60.0))
    assert (region.record("a").canary_since, region.record("b").canary_since > NOW) == (0.0, True)


async def test_a_list_that_lags_makes_no_zero_of_a_cell_without_a_record() -> None:
    """Its record may have been lost under jobs: only a later reading of that very worker pool says that it is empty."""
    region = Region(jobs=0)
    region.add("a", None)
    lagging = await region.list_documents()
    region.pools["a"]["scaling"]["manualInstanceCount"] = 2

    async def listed() -> list[Document]:
        return lagging

    region.list_documents = listed  # type: ignore[method-assign]  # as it was before the count was raised
    with pytest.raises(ChangeUnfinished):
        await run_verb(region, Wanted(hold="drain", goal=Goal.STAY, timeout_seconds=20.0))
    assert not region.store.texts
