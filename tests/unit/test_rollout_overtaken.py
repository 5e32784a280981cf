"""A verb that stands still between its looks and its write: whoever was quicker keeps the cell; without a guard a job is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from cell_records.record import CellState, released
from scaler.cloud_run.wire import Document, Operation
from scaler.rollout import performer, steps
from scaler.rollout.steps import Look, SetField, Steps
from scaler.rollout.template import TemplateWish, Wish
from tests.factories import a_record
from tests.rollout_world import Region, images, run_verb
from tests.unit.test_rollout_killed import wanted

Remove = Callable[[pytest.MonkeyPatch, Region], None]


def a_region() -> Region:
    """One cell at zero, and a job that comes as soon as the cell may open."""
    region = Region()
    region.add("a", a_record(uid="uid-a", state=CellState.ZERO))
    return region


def serves_meanwhile(region: Region) -> None:
    """Somebody ends the hold, and a scaler opens the cell, raises it and gives a lease."""
    region.change("a", lambda it: released(it, "rollout"))
    region.jobs = 1
    region.serve("a")
    assert region.record("a").leases


def before_the_reading(region: Region) -> None:
    """The record was read, the worker pool not yet."""
    read = region.get_document

    async def get_document(worker_pool_id: str) -> Document:
        region.get_document = read  # type: ignore[method-assign]  # once
        serves_meanwhile(region)
        return await read(worker_pool_id)

    region.get_document = get_document  # type: ignore[method-assign]  # a pause


def before_the_write(region: Region) -> None:
    """All was read."""
    write = region.set_field

    async def set_field(of: Document, name: str, value: object) -> Operation:
        region.set_field = write  # type: ignore[method-assign]  # once
        serves_meanwhile(region)
        return await write(of, name, value)

    region.set_field = set_field  # type: ignore[method-assign]  # a pause


def write_at_any_count(patch: pytest.MonkeyPatch, _: Region) -> None:
    """Whatever the reading shows is written over."""

    def changing(cell: str, *, hold: str, wish: Wish, written: int | None) -> Steps:
        yield Look.RECORD
        found: Document = yield Look.DOCUMENT
        yield SetField(of=found, name=wish.field, value=wish.value(cell, found.data))

    patch.setattr(performer, "changing", changing)


def write_with_any_etag(_: pytest.MonkeyPatch, region: Region) -> None:
    """Cloud Run takes it as it is now."""
    write = region.set_field

    async def set_field(of: Document, name: str, value: object) -> Operation:
        return await write(await region.get_document(of.reading.id), name, value)

    region.set_field = set_field  # type: ignore[method-assign]  # no etag


MOMENTS = [
    pytest.param(before_the_reading, write_at_any_count, id="before the reading"),
    pytest.param(before_the_write, write_with_any_etag, id="before the write"),
]


@pytest.mark.parametrize(("moment", "remove"), MOMENTS)
async def test_a_cell_that_was_released_and_serves_by_now_is_changed_after_its_job(
    moment: Callable[[Region], None], remove: Remove
) -> None:
    """The hold is taken again, and the job's end waited for."""
    region = a_region()
    moment(region)
    await run_verb(region, wanted(canary=False))
    assert (region.kills, images(region)) == ([], ["new"])
    assert region.record("a").served_at > 0.0


@pytest.mark.parametrize(("moment", "remove"), MOMENTS)
async def test_without_its_guard_the_job_is_stopped(
    moment: Callable[[Region], None], remove: Remove, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same moment, one guard removed: so the guard is needed, and the test above can fail."""
    region = a_region()
    remove(monkeypatch, region)
    moment(region)
    await run_verb(region, wanted(canary=False))
    assert len(region.kills) == 1


@pytest.mark.parametrize(
    "goal", [steps.deleting, partial(steps.changing, "a", wish=TemplateWish(image="new"))]
)
def test_a_record_that_is_not_held_is_not_even_asked_about_further(goal: Callable[..., Steps]) -> None:
    """The first look decides."""
    asked = goal(hold="rollout")
    assert next(asked) is Look.RECORD
    with pytest.raises(StopIteration):
        asked.send(a_record(state=CellState.ZERO))
