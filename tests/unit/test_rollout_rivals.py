"""Two commands that wish different things of the same cells: one goes on, the other ends and says why; no job is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cell_records.record import CellState
from scaler.errors import CanaryUntried, CellsLeft, ChangeUnfinished, ScalerError
from scaler.rollout.cells import Goal
from scaler.rollout.rounds import Do, End, next_round
from scaler.rollout.template import SizeWish, TemplateWish, Wish
from scaler.rollout.verbs import Wanted
from tests.factories import NOW, a_lease
from tests.rollout_world import Killed, Region, doc, images, run_verb
from tests.unit.test_rollout_decides import BROKEN, cell, steps, task
from tests.unit.test_rollout_killed import ROLLOUT, ZERO, a_region, uid, wanted

OURS = "rollout 0000aaaa since 2026-11-26T05:00:00Z"
SAME = "rollout 0000aaaa since 2026-11-25T05:00:00Z"
OLDER = "rollout 0000bbbb since 2026-11-25T05:00:00Z"
YOUNGER = "rollout 0000bbbb since 2026-11-26T06:00:00Z"
BACK = wanted(wish=TemplateWish(image="other"), canary=False)


@pytest.mark.parametrize(
    ("hold", "take_over", "wanted_steps"),
    [
        pytest.param(SAME, False, ["write a"], id="the same wish, killed and run again"),
        pytest.param("rollout", False, ["hold a"], id="given up: it is made ours first"),
        pytest.param(OLDER, True, ["hold a"], id="taken over"),
    ],
)
def test_what_may_be_had_is_made_ours_before_it_is_changed(
    hold: str, take_over: bool, wanted_steps: list[str]
) -> None:
    """Otherwise a third command would not see whose it is."""
    found = next_round(task(hold=OURS, take_over=take_over), [cell("a", hold=hold)], now=NOW)
    assert (steps(found), found.end) == (wanted_steps, None)


@pytest.mark.parametrize(
    ("hold", "take_over"),
    [(OLDER, False), (YOUNGER, False), (YOUNGER, True)],
    ids=["older", "younger", "younger, though it is asked for"],
)
def test_a_cell_of_another_change_ends_the_command_before_it_does_more(hold: str, take_over: bool) -> None:
    """Whatever may serve does so again."""
    cells = [cell("a", hold=hold), cell("b", hold=OURS), cell("c", image="new", hold=OURS), cell("d")]
    found = next_round(task(hold=OURS, take_over=take_over), cells, now=NOW)
    assert (steps(found), found.end) == (["release b", "release_anew c"], End.RIVAL)
    assert found.left["a"].startswith("it is held by another rollout (0000bbbb, since 2026-11-2")


def test_a_changed_cell_is_held_while_it_rests_if_others_are_to_come() -> None:
    """It could not serve anyway, and whoever comes meanwhile sees that a change is under way."""
    changed = cell("a", image="new", hold=OURS, zeroed_at=NOW - 9.0)
    for others, wanted_steps in (
        ([cell("b", CellState.OPEN)], []),
        ([cell("b", image="new")], ["release_anew a"]),
        ([cell("b")], ["hold b"]),
    ):
        found = next_round(task(hold=OURS, at_once=1), [changed, *others], now=NOW)
        assert steps(found) == wanted_steps
    busy = cell("b", CellState.OPEN, leases=(a_lease(),))
    assert steps(next_round(task(hold=OURS, at_once=2), [changed, busy], now=NOW)) == ["hold b"]
    rested = next_round(task(hold=OURS, at_once=1), [changed, cell("b", CellState.OPEN)], now=NOW + 72.0)
    assert steps(rested) == ["release_anew a"]


def test_a_cell_that_was_as_wished_and_is_no_more_ends_the_command() -> None:
    """A rollback that was quicker than our look must not be undone; a reading of before ours says nothing."""
    for hold in ("", OURS):
        undone = replace(cell("a", hold=hold), met_at=1)
        found = next_round(task(hold=OURS, canary=True), [undone, cell("b")], now=NOW)
        assert found.end is End.RIVAL
        assert "another hand has changed it since" in found.left["a"]
    lagging = replace(cell("a"), met_at=3)
    assert next_round(task(hold=OURS), [lagging], now=NOW).end is None


def test_another_verb_is_told_as_before_and_a_resume_ends_any_hold_of_its_word() -> None:
    """Also one whose command was killed."""
    drain = task(hold="drain", goal=Goal.STAY, wish=None)
    found = next_round(drain, [cell("a", hold=OLDER)], now=NOW)
    assert (found.end, "it is held for rollout 0000bbbb" in found.left["a"]) == (End.LEFT, True)
    resume = task(goal=Goal.RELEASE, wish=None)
    assert steps(next_round(resume, [cell("a", hold=OLDER)], now=NOW)) == ["release_anew a"]


def test_what_is_still_unclaimed_is_neither_given_back_nor_given_up() -> None:
    """It is another command's until a record says otherwise."""
    held = [cell("a", CellState.CLOSING, count=1, hold=OURS), cell("b", hold=OLDER)]
    found = next_round(task(hold=OURS, take_over=True, canary=True), held, now=NOW)
    assert {(each.do, each.cell) for each in found.actions} == {(Do.HOLD, "b"), (Do.RELEASE, "a")} or steps(
        found
    ) == ["hold b", "release a"]
    failed = cell("z", image="new", failure=BROKEN, hold=OURS)
    found = next_round(task(hold=OURS, take_over=True), [failed, cell("b", hold=OLDER)], now=NOW)
    assert (steps(found), found.end) == (["leave_held z"], End.FAILED)


def test_the_same_wish_has_one_name_in_whatever_form_it_is_written_and_shows_no_value() -> None:
    """It stands in records for everybody to read."""
    wish = TemplateWish(memory="8192Mi", env={"A": "1", "B": "hunter2"}, rotate=lambda: "drawn")
    again = TemplateWish(memory="8Gi", env={"B": "hunter2", "A": "1"}, rotate=lambda: "other")
    assert wish.fingerprint == again.fingerprint
    others: list[Wish] = [
        TemplateWish(memory="8Gi", env={"A": "1", "B": "hunter2"}),
        TemplateWish(cpu="8Gi", env={"A": "1", "B": "hunter2"}, rotate=lambda: "drawn"),
        TemplateWish(unset_env=frozenset({"A"})),
        TemplateWish(image="A"),
        SizeWish(sizes={"a": 1}),
        SizeWish(sizes={"a": 2}),
    ]
    names = {each.fingerprint for each in (wish, *others)}
    assert (len(names), {len(each) for each in names}) == (7, {8})


def ten() -> Region:
    """Ten cells that serve, and jobs for all of them."""
    region = Region(jobs=1_000)
    for number in range(10):
        region.add(f"c{number}", uid(f"c{number}"), count=1)
    return region


async def later(region: Region, seconds: float, what: Wanted) -> None:
    """Another command, begun when so much time is over."""
    while region.clock.now < NOW + seconds:
        await asyncio.sleep(0)
    await run_verb(region, what)


async def test_of_two_rollouts_the_second_ends_before_it_has_changed_anything() -> None:
    """They used to rewrite each other's cells until their time was over."""
    region = ten()
    first, second = await asyncio.gather(
        run_verb(region, wanted(canary=False, timeout_seconds=3_000.0)),
        later(region, 20.0, BACK),
        return_exceptions=True,
    )
    assert first is None
    assert isinstance(second, CellsLeft)
    assert "it is held by another rollout (" in str(second)
    assert "--take-over" in second.remedy
    assert (set(images(region)), region.fields, region.kills) == ({"new"}, 10, [])


async def test_of_two_rollouts_the_second_has_all_cells_when_it_takes_over() -> None:
    """The first one ends as soon as it sees that, though it asks for all cells too."""
    region = ten()
    first, second = await asyncio.gather(
        run_verb(region, wanted(canary=False, take_over=True, timeout_seconds=3_000.0)),
        later(region, 100.0, replace(BACK, take_over=True, timeout_seconds=3_000.0)),
        return_exceptions=True,
    )
    assert (second, set(images(region)), region.kills) == (None, {"other"}, [])
    assert isinstance(first, CellsLeft)
    assert {region.record(name).hold for name in region.pools} == {""}


async def test_two_rollouts_that_begin_at_once_end_soon_and_leave_no_cell_held_for_good() -> None:
    """Whoever sees the other first goes; nothing is rewritten again and again."""
    region = ten()
    ends = await asyncio.gather(
        run_verb(region, wanted(canary=False)), run_verb(region, BACK), return_exceptions=True
    )
    assert all(each is None or isinstance(each, CellsLeft) for each in ends), ends
    assert (region.fields <= 20, region.kills) == (True, [])
    assert {region.record(name).hold for name in region.pools} <= {"", "rollout"}
    await run_verb(region, wanted(wish=TemplateWish(image="last"), canary=False, timeout_seconds=3_000.0))
    assert set(images(region)) == {"last"}


async def test_a_rollback_beside_a_rollout_that_waits_for_a_job_is_not_undone() -> None:
    """Nothing is held meanwhile, so nothing says that somebody waits; the one that waits ends."""
    region = a_region(jobs=0)
    first, second = await asyncio.gather(
        run_verb(region, wanted(canary_seconds=1_000.0)), later(region, 30.0, BACK), return_exceptions=True
    )
    assert (second, set(images(region)), region.kills) == (None, {"other"}, [])
    assert isinstance(first, CellsLeft), first


async def test_a_killed_rollout_is_gone_on_with_by_the_same_one_or_by_one_that_takes_over() -> None:
    """A killed one cannot say that it is over, so any other is told."""
    region = a_region()
    region.kill_at = 1
    with pytest.raises(Killed):
        await run_verb(region, ROLLOUT)
    region.kill_at = None
    with pytest.raises(CellsLeft, match="a: it is held by another rollout"):
        await run_verb(region, BACK)
    assert (set(images(region)), region.record("a").hold.startswith("rollout ")) == ({"old"}, True)
    region.clock.now += 1.0
    await run_verb(region, replace(BACK, take_over=True))
    assert (set(images(region)), region.kills) == ({"other"}, [])


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (wanted(canary_seconds=100.0), CanaryUntried),
        (wanted(timeout_seconds=100.0, canary=False), ChangeUnfinished),
    ],
    ids=["no job came", "the time is over"],
)
async def test_what_has_ended_in_order_is_in_nobodys_way(what: Wanted, error: type[ScalerError]) -> None:
    """The way back stays one line."""
    region = a_region(jobs=0)
    region.job_seconds = 2_000.0
    with pytest.raises(error):
        await run_verb(region, what)
    await run_verb(region, replace(BACK, timeout_seconds=4_000.0))
    assert (set(images(region)), region.kills) == ({"other"}, [])


async def test_an_interrupted_rollout_lets_go_of_what_it_holds() -> None:
    """So nobody needs to take anything over from it."""
    region = Region(jobs=0)
    for name in ("a", "b", "c"):
        region.add(name, uid(name, state=ZERO))
    written = region.set_field

    async def set_field(*words: object) -> object:
        if region.fields:
            running.cancel()
            await asyncio.sleep(0)
        return await written(*words)  # type: ignore[arg-type]  # handed through

    region.set_field = set_field  # type: ignore[assignment, method-assign]  # interrupted at the second write
    running = asyncio.create_task(run_verb(region, wanted(canary=False, at_once=2)))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {region.record(name).hold for name in "abc"} == {""}
    assert {"a: serves with what is wished", "b: serves as before"} <= set(region.lines)
    region.set_field = written  # type: ignore[method-assign]  # undisturbed
    await run_verb(region, BACK)
    assert (set(images(region)), region.kills) == ({"other"}, [])


async def test_two_resizes_of_the_same_cells_do_not_fight_either() -> None:
    """Labels are changed under a hold as templates are."""
    region = Region(jobs=0)
    region.add("a", uid("a", state=ZERO, hold="resize 0000bbbb since 1970-01-02T05:00:00Z"))
    resize = Wanted(hold="resize", goal=Goal.CHANGE, cells=("a",), wish=SizeWish(sizes={"a": 7}))
    with pytest.raises(CellsLeft, match="another resize"):
        await run_verb(region, resize)
    await run_verb(region, replace(resize, take_over=True))
    assert region.pools["a"]["labels"]["runner-pool-size"] == "7"
    assert doc().reading.labels["runner-pool-size"] == "2"
