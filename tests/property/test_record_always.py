"""A cell's record under any sequence of changes: what must never be seen in it is never seen, and repeating changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cell_records.change import CellChange, CellWish, Owned, change_cell, read_cell
from cell_records.codec import cell_record, cell_text, deployment_record, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordUnreadable
from cell_records.holds import Hold
from cell_records.patience import Again
from cell_records.record import (
    CellRecord,
    CellState,
    Gate,
    Outcome,
    closed,
    contradiction,
    count_found_at_zero,
    dying,
    ended,
    ghost_cleared,
    held,
    job_completed,
    job_known,
    leased,
    left_held,
    lowering,
    opened,
    orphaned,
    registered,
    registration_refused,
    released,
    released_anew,
    timed_out,
    voided,
    zero_confirmed,
    zeroed_by_others,
)
from cell_records.store import Stored, cell_key
from tests.factories import NOW, OWNER, UID, a_lease, a_record, an_obstacle
from tests.simulation.forgetful_store import ForgetfulStore, Spoil

SETTLE = 80.0
Change = Callable[[CellRecord], Outcome]

BOOTS = some.sampled_from(["boot-1", "boot-2", "boot-3"])
LEASES = some.sampled_from([f"lease-{number}" for number in range(1, 7)])
HOLDS = [
    "rollout",
    "drain",
    *(Hold(verb="rollout", wish=wish, since=since).text for wish, since in (("0a", 100), ("0b", 200))),
]
SECONDS = some.sampled_from([0.0, 1.0, 60.0, 100.0, 1_000.0])


@some.composite
def changes(draw: some.DrawFn, now: float) -> tuple[str, Change]:
    """Any change, at the moment `now`, by anyone, sensible or not."""
    boot, lease, flag = draw(BOOTS), draw(LEASES), draw(some.booleans())
    count, number, ask = draw(some.integers(0, 2)), draw(some.integers(1, 3)), draw(some.integers(1, 4))
    uptime, why = draw(SECONDS), draw(some.sampled_from(HOLDS))
    wish = a_lease(lease_id=lease, boot=boot, ask=ask, started_at=now, hard_end=now + 500.0)
    each: dict[str, Change] = {
        "opened": lambda it: opened(it, now=now, settle_seconds=SETTLE),
        "closed": closed,
        "zero_confirmed": lambda it: zero_confirmed(it, count=count, settled=flag, now=now),
        "count_found_at_zero": count_found_at_zero,
        "held": lambda it: held(it, why, take_over=flag),
        "left_held": lambda it: left_held(it, why),
        "released": lambda it: released(it, why),
        "released_anew": lambda it: released_anew(it, why, canary=flag, now=now),
        "lowering": lambda it: lowering(it, now=now),
        "leased": lambda it: leased(it, wish, uptime_seconds=uptime, room=2, now=now),
        "voided": lambda it: voided(it, boot=boot, ask=ask, now=now),
        "ended": lambda it: ended(
            it,
            lease_id=lease,
            boot=boot,
            close=flag,
            job_served=flag,
            now=now,
            met=an_obstacle(lease, at=now),
        ),
        "registration_refused": lambda it: registration_refused(it, an_obstacle(lease, at=now)),
        "dying": lambda it: dying(it, lease_id=lease, boot=boot, until=now + 15.0),
        "registered": lambda it: registered(it, lease_id=lease, runner_id=number),
        "orphaned": lambda it: orphaned(it, runner_name=f"runner-of-{lease}", runner_id=number, now=now),
        "job_known": lambda it: job_known(
            it, lease_id=lease, runner_id=number, job_id=number, repository="acme/w"
        ),
        "job_completed": lambda it: job_completed(
            it, lease_id=lease, job_id=number, runner_id=number, now=now
        ),
        "timed_out": lambda it: timed_out(it, now=now),
        "zeroed_by_others": lambda it: zeroed_by_others(it, count=count, settled=flag, silent=True, now=now),
        "ghost_cleared": lambda it: ghost_cleared(it, runner_name=f"runner-of-{lease}"),
    }
    # Leases are what everything is about, so they are asked for often.
    name = draw(some.sampled_from([*each, "leased", "leased", "opened"]))
    return name, each[name]


@some.composite
def lives(draw: some.DrawFn) -> list[tuple[float, str, Change]]:
    """Changes in the order of time."""
    now, life = NOW, []
    for _ in range(draw(some.integers(1, 30))):
        now += draw(SECONDS)
        name, change = draw(changes(now))
        life.append((now, name, change))
    return life


def assert_a_hold_was_kept(before: CellRecord, after: CellRecord, name: str) -> None:
    """Under it nothing is opened and nothing leased, and only a release ends it."""
    if before.hold:
        assert after.hold or name in ("released", "released_anew")
        assert {lease.id for lease in after.leases} <= {lease.id for lease in before.leases}
        assert (before.gate, after.gate) != (Gate.CLOSED, Gate.OPEN)


@settings(max_examples=200, deadline=None)
@given(some.sampled_from(CellState), lives())
def test_no_life_of_a_record_breaks_what_must_always_hold(
    state: CellState, life: list[tuple[float, str, Change]]
) -> None:
    """After every change: no contradiction, every change idempotent, no lower without a closed gate, no way back but zero."""
    record = a_record(state=state)
    had_its_lease: dict[str, str] = {}
    for now, name, change in life:
        outcome = change(record)
        if not isinstance(outcome, CellRecord):
            continue
        assert contradiction(outcome) is None
        assert change(outcome) == outcome, f"{name} said twice"
        if record.state is not outcome.state:
            assert (record.state, outcome.state) in {
                (CellState.ZERO, CellState.OPEN),
                (CellState.OPEN, CellState.CLOSING),
                (CellState.CLOSING, CellState.ZERO),
                (CellState.ZERO, CellState.CLOSING),
            }, name
        if outcome.gate is Gate.CLOSED:
            assert not outcome.leases
        assert_a_hold_was_kept(record, outcome, name)
        for lease in outcome.leases:
            if record.lease(lease.id) is None:
                assert name == "leased"
                assert had_its_lease.get(lease.boot, "") == "", f"{lease.boot} was retired"
        if name in ("ended", "job_completed", "timed_out"):
            gone = {lease.boot for lease in record.leases} - {lease.boot for lease in outcome.leases}
            had_its_lease.update(dict.fromkeys(gone, name))
        if name == "zero_confirmed" and record != outcome:
            assert outcome.zeroed_at == now
            # From here on its age, which is not followed here, retires a boot.
            had_its_lease.clear()
        assert cell_record(cell_text(outcome), key="cells/a") == outcome
        record = outcome


@settings(max_examples=200, deadline=None)
@given(some.sampled_from(CellState), lives(), some.sets(some.integers(0, 2)))
def test_changes_that_are_written_together_come_out_as_one_by_one(
    state: CellState, life: list[tuple[float, str, Change]], lost: set[int]
) -> None:
    """Also when writes or their replies get lost: the same outcomes, the same record, and one write that counts."""
    one_by_one, together = ForgetfulStore(), ForgetfulStore()
    owned = Owned(owner=OWNER, uid=UID)
    for store in (one_by_one, together):
        store.texts[cell_key("a")] = Stored(cell_text(a_record(state=state)), 1)
    expected = [
        change_cell(one_by_one, "a", change, owned=owned, nonce=lambda: "same") for _, _, change in life
    ]
    together.spoils.extend(Spoil.LOSE_REPLY if each else Spoil.LOSE_REQUEST for each in sorted(lost))
    wishes = [CellWish(transition=change, owned=owned) for _, _, change in life]
    batch = CellChange(together, "a", wishes, nonce="same")
    while isinstance(end := batch.attempt(), Again):
        pass
    assert end.outcomes == expected
    assert read_cell(together, "a") == read_cell(one_by_one, "a")
    assert together.texts[cell_key("a")].version <= 2


@settings(deadline=None)
@given(
    some.builds(
        DeploymentRecord,
        owner=some.text(),
        leader=some.text(),
        until=some.floats(allow_nan=False, allow_infinity=False),
        requested=some.dictionaries(some.text(), some.integers()),
        allowed=some.dictionaries(some.text(), some.integers()),
        memory=some.text(),
        op_nonce=some.text(),
    )
)
def test_any_deployment_record_is_read_back_as_it_was_written(record: DeploymentRecord) -> None:
    """Also with texts of any alphabet."""
    assert deployment_record(deployment_text(record), key="deployment") == record


@settings(deadline=None)
@given(some.text() | some.recursive(some.none() | some.integers() | some.text(), some.lists).map(str))
def test_any_other_text_is_unreadable_and_nothing_else_is_raised(text: str) -> None:
    """Whatever stands in a store."""
    with pytest.raises(RecordUnreadable, match="cells/a"):
        cell_record(text, key="cells/a")
