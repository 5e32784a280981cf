"""A verb that is killed before or after any of its writes, and run again, ends as if nothing had been: no job is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cell_records.errors import StoreRefused
from cell_records.record import CellRecord, CellState
from cell_records.store import cell_key
from scaler.errors import (
    CanaryFailed,
    CanaryUntried,
    CellsLeft,
    ChangeUnfinished,
    ConfigError,
    PermissionDenied,
    RecordsUnusable,
    Throttled,
)
from scaler.rollout.cells import Goal
from scaler.rollout.template import SizeWish, TemplateWish
from scaler.rollout.verbs import Wanted
from tests.factories import NOW, a_lease, a_record, an_obstacle
from tests.rollout_world import Killed, Region, images, run_verb

ZERO, OPEN = CellState.ZERO, CellState.OPEN
NAMES = ("a", "b", "c", "d")


def wanted(**others: object) -> Wanted:
    """A new image, tried in one cell first."""
    facts: dict[str, object] = {
        "hold": "rollout",
        "goal": Goal.CHANGE,
        "pool": "linux",
        "wish": TemplateWish(image="new"),
        "canary": True,
        "how_back": "rollout --image old",
    }
    return Wanted(**{**facts, **others})  # type: ignore[arg-type]  # handed through


def uid(name: str, **facts: object) -> CellRecord:
    """A record of that cell."""
    return a_record(uid=f"uid-{name}", **facts)  # type: ignore[arg-type]  # handed through


def a_region(*, jobs: int = 30) -> Region:
    """A cell at zero, an idle open one, a busy one, and one that has no record yet."""
    region = Region(jobs=jobs)
    region.add("a", uid("a", state=ZERO))
    region.add("b", uid("b"), count=1)
    region.add("c", uid("c", leases=[a_lease(started_at=NOW)]), count=2)
    region.add("d", None)
    return region


ROLLOUT = wanted()
VERBS = {
    "rollout": ROLLOUT,
    "rollout without a canary": wanted(canary=False, at_once=2),
    "drain": Wanted(hold="drain", goal=Goal.STAY),
    "resize": Wanted(
        hold="resize", goal=Goal.CHANGE, cells=("a", "c"), wish=SizeWish(sizes={"a": 5, "c": 7})
    ),
    "destroy": Wanted(hold="destroy", goal=Goal.DELETE),
}


def what_came(region: Region) -> dict[str, object]:
    """What a verb has made of the cells."""
    return {
        name: (
            region.image(name),
            region.pools[name]["labels"]["runner-pool-size"],
            region.record(name).hold,
            region.record(name).canary_since,
        )
        for name in sorted(region.pools)
    }


AS_IT_SHOULD: dict[str, dict[str, object]] = {
    "rollout": dict.fromkeys(NAMES, ("new", "2", "", 0.0)),
    "rollout without a canary": dict.fromkeys(NAMES, ("new", "2", "", 0.0)),
    "drain": dict.fromkeys(NAMES, ("old", "2", "drain", 0.0)),
    "resize": {name: ("old", {"a": "5", "c": "7"}[name], "", 0.0) for name in ("a", "c")},
    "destroy": {},
}


@pytest.mark.parametrize("verb", VERBS)
async def test_killed_before_and_after_each_write_and_run_again_it_comes_to_the_same(verb: str) -> None:
    """Every place is tried, from the first write to the last of an undisturbed run."""
    killed = 0
    for kill_at in range(200):
        region = a_region()
        region.kill_at = kill_at
        try:
            await run_verb(region, VERBS[verb])
            break
        except Killed:
            killed += 1
        region.kill_at = None
        await run_verb(region, VERBS[verb])
        assert region.kills == [], f"killed at {kill_at}"
        came = (
            what_came(region)
            if verb != "resize"
            else {each: what_came_of(region, each) for each in ("a", "c")}
        )
        assert came == AS_IT_SHOULD[verb], f"killed at {kill_at}: {region.lines}"
        if verb == "destroy":
            assert [key for key in region.store.texts if key.startswith("cells/")] == []
    else:
        raise AssertionError("an undisturbed run never ended")
    assert killed >= 10, f"only {killed} places to be killed at"


def what_came_of(region: Region, name: str) -> object:
    """One cell of it."""
    record = region.record(name)
    size = region.pools[name]["labels"]["runner-pool-size"]
    return region.image(name), size, record.hold, record.canary_since


async def test_what_the_program_does_not_know_of_a_worker_pool_survives_a_rollout() -> None:
    """Fields of a later API, in the template and beside it."""
    region = a_region()
    await run_verb(region, ROLLOUT)
    assert all(pool["template"]["sandboxes"] == {"x": 1} for pool in region.pools.values())
    assert all(pool["scaling"]["futureField"] for pool in region.pools.values())


async def test_two_rollouts_at_once_come_to_the_same() -> None:
    """One is killed while the other goes on; each takes the other's holds for its own."""
    region = a_region()
    region.kill_at = 9
    with pytest.raises(Killed):
        await run_verb(region, ROLLOUT)
    region.kill_at = None
    await run_verb(region, wanted(canary=False, at_once=4))
    assert (set(images(region)), region.kills) == ({"new"}, [])


async def test_a_canary_without_a_job_ends_the_command_and_is_waited_for_again() -> None:
    """The other cells are untouched; a job that comes later is enough."""
    region = a_region(jobs=0)
    with pytest.raises(CanaryUntried, match="no job has come to its end"):
        await run_verb(region, wanted(canary_seconds=30.0))
    assert images(region).count("new") == 1
    (canary,) = (name for name in NAMES[:3] if region.record(name).canary_since)
    assert region.record(canary).hold == ""
    region.jobs = 10
    await run_verb(region, wanted(canary_seconds=300.0))
    assert (set(images(region)), region.kills) == ({"new"}, [])


async def test_an_image_that_cloud_run_cannot_start_stops_at_its_canary_and_goes_back() -> None:
    """The cell is held; on the way back the others show that the old image works."""
    region = a_region()
    region.broken = frozenset({"new"})
    with pytest.raises(CanaryFailed, match=r"cell a: Cloud Run cannot carry it out: no such image") as failed:
        await run_verb(region, ROLLOUT)
    assert "rollout --image old" in failed.value.remedy
    assert images(region) == ["new", "old", "old", "old"]
    assert region.record("a").hold == "rollout"
    region.jobs = 2
    region.store.texts.pop(cell_key("d"), None)
    await run_verb(region, wanted(wish=TemplateWish(image="old")))
    assert images(region) == ["old"] * 4
    assert (region.record("a").hold, region.kills) == ("", [])


async def test_a_canary_whose_leases_have_no_job_stops_the_rollout() -> None:
    """It is held again, so that no more jobs meet it."""
    region = a_region(jobs=0)
    with pytest.raises(CanaryUntried):
        await run_verb(region, wanted(canary_seconds=10.0))
    (canary,) = (name for name in NAMES[:3] if region.record(name).canary_since)
    met = an_obstacle(at=region.clock.now, words="exit code 127")
    region.change(canary, lambda it: replace(it, obstacles=(met,)))
    with pytest.raises(CanaryFailed, match=f"cell {canary}: a lease ended without a job: .*exit code 127"):
        await run_verb(region, ROLLOUT)
    assert region.record(canary).hold == "rollout"
    assert images(region).count("new") == 1


async def test_a_cell_with_a_long_job_is_waited_for_and_serves_again_when_the_time_is_over() -> None:
    """All others are changed; the command says how to go on."""
    region = a_region(jobs=0)
    region.job_seconds = 20_000.0
    with pytest.raises(ChangeUnfinished, match="c: waits for the end of 1 lease"):
        await run_verb(region, wanted(canary=False, timeout_seconds=600.0))
    assert images(region) == ["new", "new", "old", "new"]
    assert region.record("c").hold == ""
    assert (region.record("c").state, region.kills) == (OPEN, [])


async def test_a_drain_that_ends_in_time_keeps_its_holds() -> None:
    """Nobody wants jobs there."""
    region = a_region(jobs=0)
    region.job_seconds = 20_000.0
    with pytest.raises(ChangeUnfinished, match="stay held for drain"):
        await run_verb(region, Wanted(hold="drain", goal=Goal.STAY, timeout_seconds=100.0))
    assert region.record("c").hold == "drain"


async def test_a_hold_of_another_verb_is_respected_and_told() -> None:
    """The rest is changed."""
    region = Region(jobs=10)
    region.add("a", uid("a", state=ZERO))
    region.add("b", uid("b", state=ZERO, hold="drain"))
    with pytest.raises(CellsLeft, match="b: it is held for drain"):
        await run_verb(region, ROLLOUT)
    assert images(region) == ["new", "old"]
    assert region.record("b").hold == "drain"
    await run_verb(region, Wanted(hold="drain", goal=Goal.RELEASE))
    assert region.record("b").hold == ""


async def test_a_full_write_quota_is_waited_for() -> None:
    """Also one that Cloud Run tells of although our own count has room."""
    region = a_region(jobs=0)
    region.fails = [Throttled("too many writes")]
    await run_verb(region, wanted(canary=False, at_once=4), writes=1)
    assert (set(images(region)), region.kills) == ({"new"}, [])
    assert region.clock.now > NOW + 3 * 60.0


async def test_what_no_further_try_would_cure_ends_the_command_with_its_own_error() -> None:
    """A missing permission, or an image that Cloud Run does not take, is not waited for."""
    region = a_region()
    region.fails = [PermissionDenied("you may not")]
    with pytest.raises(PermissionDenied):
        await run_verb(region, ROLLOUT)


@pytest.mark.parametrize("call", ["read_all", "compare_and_set"])
async def test_records_that_refuse_us_are_not_waited_for(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Eight hours of trying bring no right to read, or to write."""

    def refused(*_: object, **__: object) -> None:
        raise StoreRefused("it answered 403")

    region = a_region()
    monkeypatch.setattr(region.store, call, refused)
    with pytest.raises(RecordsUnusable, match="403"):
        await run_verb(region, ROLLOUT)
    assert region.clock.now < NOW + 60.0


@pytest.mark.parametrize("cells", [("nobody",), ()])
async def test_cells_that_are_not_there_are_told(cells: Sequence[str]) -> None:
    """A typo must not look like success."""
    region = a_region()
    pool = "linux" if cells else "windows"
    with pytest.raises(ConfigError, match="There is no cell"):
        await run_verb(region, wanted(pool=pool, cells=tuple(cells)))


def could_serve(record: CellRecord, *, now: float) -> bool:
    """Whether a scaler may use the cell now."""
    return record.state is OPEN or (record.state is ZERO and now > record.zeroed_at + 80.0)


async def test_at_most_a_fifth_of_the_cells_is_away_at_a_time() -> None:
    """Held ones and those that rest after their zero: ten open cells are changed two by two."""
    region = Region(jobs=1_000)
    for number in range(10):
        region.add(f"c{number}", uid(f"c{number}"), count=1)
    away_most = 0
    sleep = region.sleep

    async def watched(seconds: float) -> None:
        nonlocal away_most
        records = [region.record(name) for name in region.pools]
        away = [each for each in records if each.hold or not could_serve(each, now=region.clock.now)]
        away_most = max(away_most, len(away))
        await sleep(seconds)

    region.sleep = watched  # type: ignore[method-assign]  # a look at each second
    await run_verb(region, wanted(timeout_seconds=3_000.0))
    assert (set(images(region)), region.kills) == ({"new"}, [])
    assert away_most == 2


async def test_a_worker_pool_that_was_raised_by_another_hand_is_emptied_before_it_is_changed() -> None:
    """Its instances have no lease, and are not replaced but removed."""
    region = Region(jobs=0)
    region.add("a", uid("a", state=ZERO), count=2)
    await run_verb(region, wanted(canary=False))
    assert (images(region), region.kills) == (["new"], [])
    assert region.pools["a"]["scaling"]["manualInstanceCount"] == 0


async def test_the_record_of_another_deployment_is_left_alone() -> None:
    """Two deployments may have given their cells the same name once."""
    region = Region()
    region.add("a", uid("a", state=ZERO, owner="another"))
    with pytest.raises(CellsLeft, match="belongs to the deployment another"):
        await run_verb(region, wanted())
