"""Holds: what goes on under one, how it ends, and what is known of the template that a canary tries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.codec import cell_record, cell_text
from cell_records.holds import Hold, hold_in
from cell_records.record import (
    CellRecord,
    CellState,
    Refusal,
    Refused,
    closed,
    count_found_at_zero,
    ended,
    held,
    job_completed,
    left_held,
    lowering,
    opened,
    released,
    released_anew,
    timed_out,
    tried,
    voided,
    zero_confirmed,
    zeroed_by_others,
)
from tests.factories import NOW, a_lease, a_record, an_obstacle, made
from tests.record_parts import LEASE, SERVING, SETTLE, end, lease_to

TWO = (LEASE, a_lease(lease_id="lease-2", boot="boot-2"))


def test_what_ends_leases_and_closes_goes_on_under_a_hold_and_keeps_it() -> None:
    """A hold must never keep a cell from its zero."""
    busy = a_record(leases=[LEASE], hold="drain")
    after = [
        end(busy),
        voided(busy, boot="boot-1", ask=2, now=NOW),
        timed_out(busy, now=NOW + 10_000.0),
        zeroed_by_others(busy, count=0, settled=True, silent=True, now=NOW),
        job_completed(
            a_record(leases=[SERVING], hold="drain"), lease_id="lease-1", job_id=70, runner_id=7, now=NOW
        ),
    ]
    assert [made(each).leases for each in after] == [()] * 5
    after += [
        closed(a_record(hold="drain")),
        lowering(a_record(state=CellState.CLOSING, hold="drain"), now=NOW),
        zero_confirmed(a_record(state=CellState.CLOSING, hold="drain"), count=0, settled=True, now=NOW),
        count_found_at_zero(a_record(state=CellState.ZERO, hold="drain")),
    ]
    assert {made(each).hold for each in after} == {"drain"}


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (a_record(leases=[LEASE], hold="rollout"), CellState.CLOSING),
        (a_record(leases=TWO, hold="rollout"), CellState.OPEN),
        (a_record(leases=[LEASE]), CellState.OPEN),
    ],
    ids=["the last lease", "one of two", "no hold"],
)
def test_the_end_of_the_last_lease_closes_a_held_cell(record: CellRecord, state: CellState) -> None:
    """In one step, so that a fresh container is not started for nothing."""
    assert made(end(record)).state is state


def test_a_released_cell_opens_and_leases_again() -> None:
    """Nothing of the hold is left."""
    record = made(released(a_record(state=CellState.ZERO, hold="drain"), "drain"))
    assert made(opened(record, now=NOW, settle_seconds=SETTLE)).state is CellState.OPEN
    assert made(lease_to(made(released(a_record(hold="drain"), "drain")))).leases


def test_a_new_template_starts_without_the_obstacles_of_the_old_one() -> None:
    """They would hold the pool back although the image was mended."""
    failing = a_record(state=CellState.ZERO, hold="rollout", obstacles=[an_obstacle()], served_at=NOW - 9.0)
    record = made(released_anew(failing, "rollout", canary=True, now=NOW))
    assert (record.hold, record.obstacles, record.canary_since) == ("", (), NOW)
    assert (record.served_at, record.changed_at) == (NOW - 9.0, NOW)
    assert made(released_anew(failing, "rollout", canary=False, now=NOW)).canary_since == 0.0
    assert tried(record).canary_since == 0.0


def test_a_cell_that_is_not_held_is_no_canary_for_being_released() -> None:
    """Saying it twice does not begin another trial."""
    record = a_record(state=CellState.ZERO, obstacles=[an_obstacle()])
    assert released_anew(record, "rollout", canary=True, now=NOW) == record


FIRST = Hold(verb="rollout", wish="5c1e09ab", since=1_764_133_595)
OTHER = Hold(verb="rollout", wish="77770000", since=FIRST.since + 60)


def test_a_hold_is_one_text_for_people_and_programs() -> None:
    """A program that knows a word alone respects it as well, as a hold for something else."""
    assert FIRST.text == "rollout 5c1e09ab since 2025-11-26T05:06:35Z"
    for each in (FIRST, OTHER, Hold(verb="drain")):
        assert hold_in(each.text) == each
    for text in ("", "rollout", "a since b", "rollout 1 since 2025-13-26T05:06:35Z", f"{FIRST.text} "):
        assert hold_in(text) == Hold(verb=text)


@pytest.mark.parametrize(
    ("stands", "comes", "take_over", "after"),
    [
        pytest.param("", FIRST, False, FIRST, id="free"),
        pytest.param("rollout", FIRST, False, FIRST, id="left by one that ended"),
        pytest.param(FIRST.text, replace(FIRST, since=OTHER.since), False, FIRST, id="the same change"),
        pytest.param(FIRST.text, OTHER, False, None, id="another change"),
        pytest.param(FIRST.text, OTHER, True, OTHER, id="another change, taken over"),
        pytest.param(OTHER.text, FIRST, True, None, id="a younger one is not taken over"),
        pytest.param("drain", OTHER, True, None, id="another verb is not taken over"),
        pytest.param(FIRST.text, Hold(verb="drain"), True, None, id="nor is it by another verb"),
        pytest.param(FIRST.text, Hold(verb="rollout"), False, FIRST, id="a word says nothing new"),
    ],
)
def test_who_may_have_a_held_cell(stands: str, comes: Hold, take_over: bool, after: Hold | None) -> None:
    """Two changes of the same cells would undo each other; of two that both take over, the younger one stays."""
    record = a_record(hold=stands)
    found = held(record, comes.text, take_over=take_over)
    assert found == (Refused(reason=Refusal.HELD) if after is None else replace(record, hold=after.text))
    assert cell_record(cell_text(made(found)), key="a") == found if after else True


def test_a_change_ends_its_own_hold_or_leaves_it_to_whoever_comes() -> None:
    """And touches no other's."""
    own, others = a_record(hold=FIRST.text), a_record(hold=OTHER.text)
    assert made(released(own, FIRST.text)).hold == ""
    assert made(left_held(own, FIRST.text)).hold == "rollout"
    assert made(left_held(a_record(), FIRST.text)).hold == "rollout"
    assert made(released(own, "rollout")).hold == "", "whoever says the word alone means all of them"
    for each in (released, left_held):
        assert each(others, FIRST.text) == Refused(reason=Refusal.HELD)
        assert each(a_record(hold="drain"), FIRST.text) == Refused(reason=Refusal.HELD)


def test_a_hold_is_taken_over_by_the_same_verb() -> None:
    """Killed and run again, it goes on."""
    record = a_record(hold="rollout")
    assert held(record, "rollout") == record


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_job_is_known_by_the_start_of_its_lease(lost: bool) -> None:
    """A canary's verdict asks for it; a job that fails by itself is none."""
    given_back = ended(
        a_record(leases=[LEASE]),
        lease_id="lease-1",
        boot="boot-1",
        close=False,
        job_served=False,
        had_job=True,
        lost=lost,
        now=NOW + 50.0,
    )
    told = job_completed(
        a_record(leases=[SERVING]), lease_id="lease-1", job_id=70, runner_id=7, now=NOW + 50.0, lost=lost
    )
    for after in (made(given_back), made(told)):
        assert (after.lost_at, after.served_at) == (LEASE.started_at if lost else 0.0, LEASE.started_at)


def test_a_lost_word_without_a_job_is_no_lost_job() -> None:
    """A lease that never began one has lost nothing."""
    after = ended(
        a_record(leases=[LEASE]),
        lease_id="lease-1",
        boot="boot-1",
        close=False,
        job_served=False,
        lost=True,
        now=NOW,
    )
    assert made(after).lost_at == 0.0
