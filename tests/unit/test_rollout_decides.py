"""The pure parts of a rollout: what a canary has shown, and what is done next, as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cell_records.record import CellState
from scaler.rollout.canary import Trial, verdict
from scaler.rollout.cells import CellNow, Goal, Task
from scaler.rollout.rounds import ROOM_AFTER_SECONDS, Do, End, Round, given_up, next_round
from scaler.rollout.template import TemplateWish
from tests.factories import NOW, a_lease, a_record, an_obstacle
from tests.rollout_world import doc, failed_with

ZERO, OPEN, CLOSING = CellState.ZERO, CellState.OPEN, CellState.CLOSING
SINCE = NOW - 100.0
BROKEN, NO_CAPACITY = "no such image", "Quota violated: - CpuAllocPerProjectRegion"


@pytest.mark.parametrize(
    ("record", "condition", "trial"),
    [
        pytest.param({"canary_since": 0.0, "served_at": NOW}, None, Trial.NONE, id="no canary"),
        pytest.param({}, None, Trial.WAITS, id="nothing yet"),
        pytest.param({"served_at": SINCE - 1.0}, None, Trial.WAITS, id="a job of the old template"),
        pytest.param({"served_at": SINCE + 1.0}, None, Trial.PASSED, id="a job"),
        pytest.param(
            {"obstacles": [an_obstacle(at=SINCE - 1.0)]}, None, Trial.WAITS, id="an obstacle of the old one"
        ),
        pytest.param({"obstacles": [an_obstacle(at=SINCE + 1.0)]}, None, Trial.FAILED, id="an obstacle"),
        pytest.param(
            {"obstacles": [an_obstacle(at=SINCE + 1.0)], "served_at": SINCE + 9.0},
            None,
            Trial.FAILED,
            id="an obstacle, and a job after it",
        ),
        pytest.param(
            {"served_at": SINCE + 9.0, "lost_at": SINCE + 1.0}, None, Trial.FAILED, id="one of two jobs lost"
        ),
        pytest.param({"lost_at": SINCE - 1.0}, None, Trial.WAITS, id="a job lost in the old one"),
        pytest.param({}, failed_with(BROKEN), Trial.FAILED, id="a revision that cannot start"),
        pytest.param({}, failed_with(NO_CAPACITY), Trial.WAITS, id="no capacity just now"),
    ],
)
def test_what_a_canary_has_shown(
    record: dict[str, Any], condition: dict[str, Any] | None, trial: Trial
) -> None:
    """Only leases since the change count; what failed outweighs what was served."""
    cell = a_record(**{"canary_since": SINCE, **record})
    others: dict[str, Any] = {} if condition is None else {"terminalCondition": condition}
    reading = doc(**others).reading
    assert verdict(cell, reading).trial is trial


def cell(
    name: str,
    state: CellState = ZERO,
    *,
    image: str = "old",
    count: int = 0,
    failure: str | None = None,
    **record: Any,
) -> CellNow:
    """A cell of the pool, long past its last zero."""
    others: dict[str, Any] = {} if failure is None else {"terminalCondition": failed_with(failure)}
    return CellNow(
        name=name,
        record=a_record(uid=f"uid-{name}", state=state, **record),
        document=doc(name, image=image, count=count, **others),
    )


def task(**others: Any) -> Task:
    """A new image."""
    facts: dict[str, Any] = {
        "hold": "rollout",
        "goal": Goal.CHANGE,
        "at_once": 2,
        "wish": TemplateWish(image="new"),
    }
    return Task(**{**facts, **others})


def steps(found: Round) -> list[str]:
    """What is done, as `hold a`."""
    return [f"{each.do.name.lower()} {each.cell}" for each in found.actions]


LEASES = (a_lease(), a_lease(lease_id="lease-2", boot="boot-2"))
HELD: dict[str, Any] = {"hold": "rollout"}


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        pytest.param([cell("b", OPEN), cell("a", OPEN), cell("z")], ["hold z", "hold a"], id="zeros first"),
        pytest.param(
            [cell("a", OPEN, leases=LEASES[:1]), cell("b", OPEN)], ["hold b"], id="busy ones not yet"
        ),
        pytest.param(
            [cell("a", OPEN, leases=LEASES), cell("b", OPEN, leases=LEASES[:1]), cell("c", image="new")],
            ["hold b", "hold a"],
            id="busy ones last, the least busy first",
        ),
        pytest.param(
            [cell("a", OPEN, leases=LEASES), cell("b", **HELD)], ["write b"], id="busy ones after all others"
        ),
        pytest.param(
            [cell("a", OPEN, leases=LEASES), cell("b", OPEN, leases=LEASES, **HELD)],
            ["hold a"],
            id="busy ones beside busy ones",
        ),
        pytest.param(
            [cell("a", **HELD), cell("b", **HELD), cell("c")], ["write a", "write b"], id="no more at once"
        ),
        pytest.param(
            [cell("a", OPEN), cell("b", image="new", zeroed_at=NOW - 9.0), cell("c", zeroed_at=NOW - 9.0)],
            ["hold c"],
            id="no open one while others rest; one that rests itself costs nothing",
        ),
        pytest.param([cell("a", OPEN, **HELD)], ["close a"], id="idle and held"),
        pytest.param([cell("a", OPEN, leases=LEASES, **HELD)], [], id="busy and held"),
        pytest.param([cell("a", CLOSING, count=1, **HELD)], ["carry a"], id="closing"),
        pytest.param(
            [cell("a", CLOSING, failure=BROKEN, **HELD)],
            ["write a"],
            id="a zero that a broken template fails",
        ),
        pytest.param(
            [cell("a", CLOSING, failure=NO_CAPACITY, **HELD)], ["carry a"], id="closing, refused for capacity"
        ),
        pytest.param(
            [cell("a", CLOSING, count=1, failure=BROKEN, **HELD)],
            ["carry a"],
            id="closing, broken before its zero",
        ),
        pytest.param([cell("a", ZERO, count=1, **HELD)], ["carry a"], id="raised by another hand"),
        pytest.param([cell("a", image="new", **HELD)], ["release_anew a"], id="changed"),
        pytest.param([cell("a", image="new", canary_since=SINCE)], ["end_trial a"], id="a trial is over"),
    ],
)
def test_what_is_done_next(cells: list[CellNow], wanted: list[str]) -> None:
    """By what stands, whoever has brought it there."""
    assert steps(next_round(task(), cells, now=NOW)) == wanted


@pytest.mark.parametrize(
    ("goal", "wanted", "word"),
    [
        (Goal.DELETE, ["delete a"], "its zero has failed: no such image"),
        (Goal.STAY, ["carry a"], "closing; its count is 0, which Cloud Run cannot carry out: no such image"),
    ],
)
def test_where_no_zero_can_be_had_it_may_be_deleted_and_is_not_said_to_be_drained(
    goal: Goal, wanted: list[str], word: str
) -> None:
    """Instances may still stand there, billed; none of them has a lease."""
    standing = cell("a", CLOSING, failure=BROKEN, hold=goal.name)
    found = next_round(task(hold=goal.name, goal=goal, wish=None), [standing], now=NOW)
    assert (steps(found), found.waits["a"]) == (wanted, word)


@pytest.mark.parametrize(
    ("written", "wanted", "end"),
    [
        pytest.param(None, ["write a", "write b"], None, id="not written by this verb"),
        pytest.param(3, ["write a", "write b"], None, id="a reading of before the write"),
        pytest.param(2, ["release_anew a", "release b"], End.UNKEPT, id="taken, and as it was"),
        pytest.param(1, ["release_anew a", "release b"], End.UNKEPT, id="written by somebody else since"),
    ],
)
def test_what_cloud_run_took_and_does_not_show_is_not_written_again(
    written: int | None, wanted: list[str], end: End | None
) -> None:
    """It would be written for hours; what is held serves again, and what was served before says nothing of it."""
    found = next_round(
        task(), [replace(cell("a", **HELD), written=written), cell("b", **HELD), cell("c")], now=NOW
    )
    assert (steps(found), found.end) == (wanted, end)
    if end is not None:
        assert found.words == "a: image is old, not new"
    moving = replace(cell("a", **HELD), written=written, document=doc("a", rests=False))
    assert steps(next_round(task(), [moving], now=NOW)) == []


def test_what_cloud_run_made_of_a_template_and_cannot_start_stays_held() -> None:
    """No job is to meet it."""
    found = next_round(task(), [replace(cell("a", failure=BROKEN, **HELD), written=2)], now=NOW)
    assert (steps(found), found.end) == (["leave_held a"], End.FAILED)


def test_a_change_that_cloud_run_has_not_carried_out_is_waited_for() -> None:
    """Neither written again nor released."""
    for image in ("old", "new"):
        moving = replace(cell("a", image=image, **HELD), document=doc("a", image=image, rests=False))
        found = next_round(task(), [moving], now=NOW)
        assert (steps(found), found.end) == ([], None)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        pytest.param([cell("a"), cell("b")], ["hold a"], id="one begins"),
        pytest.param(
            [cell("a", zeroed_at=NOW - 9.0), cell("b")], ["hold b"], id="one that can serve at once"
        ),
        pytest.param([cell("a", **HELD), cell("b", **HELD)], ["write a", "release b"], id="one goes on"),
        pytest.param([cell("a"), cell("b", image="new", **HELD)], ["release_canary b"], id="one is changed"),
        pytest.param([cell("a"), cell("b", image="new", canary_since=SINCE)], [], id="one waits"),
        pytest.param(
            [cell("a"), cell("b", image="new", canary_since=SINCE, served_at=NOW)],
            ["hold a"],
            id="one passed",
        ),
        pytest.param(
            [cell("a"), cell("b", image="new", served_at=NOW)], ["hold a"], id="one has served before"
        ),
        pytest.param(
            [cell("a"), cell("b", image="new")], ["hold a"], id="one that never served shows nothing"
        ),
        pytest.param(
            [cell("a", **HELD), cell("b", image="new", canary_since=SINCE, obstacles=[an_obstacle()])],
            ["leave_held b", "release a"],
            id="one failed",
        ),
    ],
)
def test_what_is_done_next_with_a_canary(cells: list[CellNow], wanted: list[str]) -> None:
    """One cell alone, until it has shown something."""
    found = next_round(task(canary=True), cells, now=NOW)
    assert steps(found) == wanted
    assert (found.end is End.FAILED) == (wanted == ["leave_held b", "release a"])


def test_a_canary_without_an_instance_gets_room_from_one_other_cell() -> None:
    """In a pool at its max nothing closes by itself; what was emptied for it serves again once it is open."""
    since = NOW - ROOM_AFTER_SECONDS
    canary = cell("z", image="new", canary_since=since)
    busy = [cell("a", OPEN, leases=LEASES), cell("b", OPEN, leases=LEASES[:1]), cell("c")]
    wish = task(canary=True)
    assert steps(next_round(wish, [canary, *busy], now=NOW - 1.0)) == []
    assert steps(next_round(wish, [canary, *busy], now=NOW)) == ["hold b"]
    assert steps(next_round(wish, [canary, cell("b", OPEN, **HELD), busy[0]], now=NOW)) == ["close b"]
    opened = cell("z", OPEN, image="new", canary_since=since)
    assert steps(next_round(wish, [opened, cell("b", OPEN, **HELD)], now=NOW)) == ["release b"]


def test_other_goals_end_otherwise() -> None:
    """A drained cell stays held, a resumed one is released, a deleted one is forgotten."""
    drain = task(hold="drain", goal=Goal.STAY, wish=None)
    found = next_round(drain, [cell("a", hold="drain"), cell("b", hold="drain")], now=NOW)
    assert (steps(found), found.end) == ([], End.DONE)
    busy = [cell("a", OPEN, leases=LEASES), cell("b", OPEN)]
    assert steps(next_round(drain, busy, now=NOW)) == ["hold b", "hold a"]
    resume = task(hold="drain", goal=Goal.RELEASE, wish=None)
    assert steps(next_round(resume, [cell("a", hold="drain"), cell("b")], now=NOW)) == ["release a"]
    destroy = task(hold="destroy", goal=Goal.DELETE, wish=None)
    assert steps(next_round(destroy, [cell("a", hold="destroy")], now=NOW)) == ["delete a"]
    gone = replace(cell("a", hold="destroy"), document=None)
    assert steps(next_round(destroy, [gone], now=NOW)) == ["forget a"]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (cell("a", hold="drain"), "held for drain"),
        (CellNow(name="a", record=None, document=doc(count=1)), "no record"),
        (replace(cell("a"), fault="it is in automatic scaling"), "automatic scaling"),
        (replace(cell("a"), document=doc("b")), "was deleted"),
    ],
    ids=["another hold", "no record over instances", "a fault", "another worker pool"],
)
def test_what_may_not_be_touched_is_left_and_told(left: CellNow, words: str) -> None:
    """The rest is as wished, which is not all."""
    found = next_round(task(), [left, cell("z", image="new")], now=NOW)
    assert (steps(found), found.end) == ([], End.LEFT)
    assert words in found.left["a"]


def test_a_command_that_gives_up_lets_go_of_what_it_has_not_changed() -> None:
    """And of nothing that Cloud Run still works on."""
    moving = replace(cell("c", **HELD), document=doc("c", rests=False))
    broken = cell("e", image="new", failure=BROKEN, **HELD)
    changed, waiting = cell("b", image="new", **HELD), cell("a", OPEN, leases=LEASES, **HELD)
    cells = [waiting, changed, moving, cell("d"), broken]
    left = [(Do.RELEASE, "a"), (Do.RELEASE_ANEW, "b"), (Do.LEAVE_HELD, "c"), (Do.LEAVE_HELD, "e")]
    assert [(each.do, each.cell) for each in given_up(task(), cells)] == left
    # What nobody has tried yet gets no jobs by that.
    assert given_up(task(canary=True), cells)[1].do is Do.LEAVE_HELD
    shows = cell("f", image="new", served_at=NOW)
    assert given_up(task(canary=True), [*cells, shows])[1].do is Do.RELEASE_ANEW
    assert given_up(task(hold="drain", goal=Goal.STAY, wish=None), [cell("a", hold="drain")]) == ()
