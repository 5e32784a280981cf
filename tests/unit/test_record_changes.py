"""Changing a stored record: others may be quicker, replies may get lost, and it is known what was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count

import pytest

from cell_records.change import (
    CellChange,
    CellWish,
    Owned,
    Settled,
    change_cell,
    change_deployment,
    create_cell,
    read_cell,
    read_deployment,
    remove_cell,
)
from cell_records.codec import cell_text
from cell_records.deployment import DeploymentRecord, asked_for, led_by
from cell_records.errors import RecordUnreadable, StoreUnavailable
from cell_records.patience import ATTEMPTS, UNKNOWN_MOST, Again
from cell_records.record import CellRecord, CellState, Outcome, Refusal, closed, leased
from cell_records.store import Stored, cell_key
from tests.factories import NOW, OWNER, UID, a_lease, a_record, made, refusal
from tests.simulation.forgetful_store import ForgetfulStore, Spoil

CELL = "linux-a"
OURS = Owned(owner=OWNER, uid=UID)


def nonces() -> Callable[[], str]:
    """A new text at each call."""
    drawn = count(1)
    return lambda: f"nonce-{next(drawn)}"


def holding(record: CellRecord) -> ForgetfulStore:
    """A store with that record of the cell."""
    store = ForgetfulStore()
    store.texts[cell_key(CELL)] = Stored(cell_text(record), 1)
    return store


def a_grant(number: int = 1) -> Callable[[CellRecord], Outcome]:
    """The change that gives a lease to boot `number`."""
    lease = a_lease(lease_id=f"lease-{number}", boot=f"boot-{number}")
    return partial(leased, lease=lease, uptime_seconds=1.0, room=99, now=NOW)


def changed(
    store: ForgetfulStore, transition: Callable[[CellRecord], Outcome], *, nonce: str = "mine"
) -> Outcome:
    """One change by this deployment."""
    return change_cell(store, CELL, transition, owned=OURS, nonce=lambda: nonce)


def stored(store: ForgetfulStore) -> CellRecord:
    """What stands in the store."""
    record = read_cell(store, CELL)
    assert record is not None
    return record


def test_a_change_is_stored_with_its_nonce() -> None:
    """The nonce is how a writer recognises its own write."""
    store = holding(a_record())
    assert made(changed(store, closed)) == stored(store)
    assert (stored(store).state, stored(store).op_nonce) == (CellState.CLOSING, "mine")


def test_a_write_whose_reply_was_lost_is_found_by_its_nonce_and_not_made_twice() -> None:
    """Committed is committed, whatever the network says."""
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REPLY)
    record = made(changed(store, a_grant()))
    assert [lease.id for lease in record.leases] == ["lease-1"]
    assert (store.writes, record) == (1, stored(store))


def test_a_change_that_would_not_be_the_same_twice_is_made_once_all_the_same() -> None:
    """Only the nonce tells that it was made."""
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REPLY)
    record = made(changed(store, one_boot_more))
    assert (len(record.ended_boots), record) == (1, stored(store))


def one_boot_more(record: CellRecord) -> CellRecord:
    """A change that is not idempotent, unlike those of the protocol."""
    return replace(record, ended_boots=(*record.ended_boots, f"ended-{len(record.ended_boots)}"))


def test_several_wishes_are_one_write_and_each_hears_what_became_of_it() -> None:
    """In their order: a lease that comes first keeps the gate open, and a closed gate refuses the next."""
    store = holding(a_record())
    others = Owned(owner="others", uid=UID)
    wishes = [CellWish(transition=a_grant(number), owned=OURS) for number in (1, 2)]
    wishes += [CellWish(transition=closed, owned=OURS), CellWish(transition=closed, owned=others)]
    end = CellChange(store, CELL, wishes, nonce="mine").attempt()
    assert isinstance(end, Settled)
    first, second, close, foreign = end.outcomes
    assert [lease.id for lease in made(first).leases] == ["lease-1"]
    assert made(second) == stored(store)
    assert (refusal(close), refusal(foreign)) == (Refusal.LEASES_STAND, Refusal.FOREIGN)
    assert (store.writes, end.wrote) == (1, True)


def test_wishes_whose_write_was_beaten_are_all_decided_again() -> None:
    """A refusal that rests on a lease which was never written is none."""
    store = holding(a_record())
    store.before_write.append(lambda: made(changed(store, closed, nonce="others")))
    wishes = [CellWish(transition=each, owned=OURS) for each in (a_grant(1), closed)]
    change = CellChange(store, CELL, wishes, nonce="mine")
    assert change.attempt() is Again.BEATEN
    end = change.attempt()
    assert isinstance(end, Settled)
    assert refusal(end.outcomes[0]) is Refusal.GATE_CLOSED
    assert made(end.outcomes[1]) == stored(store)


def test_wishes_whose_reply_was_lost_have_the_outcomes_of_that_write() -> None:
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REPLY)
    wishes = [CellWish(transition=each, owned=OURS) for each in (one_boot_more, a_grant(1), one_boot_more)]
    change = CellChange(store, CELL, wishes, nonce="mine")
    assert change.attempt() is Again.UNKNOWN
    end = change.attempt()
    assert isinstance(end, Settled)
    assert [len(made(each).ended_boots) for each in end.outcomes] == [1, 1, 2]
    assert (made(end.outcomes[2]), store.writes) == (stored(store), 1)


def test_a_store_that_loses_every_write_is_given_up_long_before_the_races_are() -> None:
    """Each silent write may take a whole time-out."""
    store = holding(a_record())
    store.spoils.extend([Spoil.LOSE_REQUEST] * 99)
    with pytest.raises(StoreUnavailable, match="loses writes"):
        changed(store, closed)
    assert store.writes == UNKNOWN_MOST


def test_a_write_that_was_lost_on_its_way_is_made_again() -> None:
    """The reading shows that it was not made."""
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REQUEST)
    assert made(changed(store, a_grant())).leases
    assert store.writes == 2


def test_a_lost_reply_that_others_have_written_over_is_made_once_all_the_same() -> None:
    """The nonce is gone then, but saying a change twice changes nothing."""
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REPLY)

    def others_write() -> None:
        made(changed(store, a_grant(2), nonce="others"))

    real_read, reads = store.read, count()

    def read(key: str) -> Stored | None:
        if next(reads) == 1:
            others_write()
        return real_read(key)

    store.read = read  # type: ignore[method-assign]  # the moment between write and second reading
    record = made(changed(store, a_grant(1)))
    assert sorted(lease.id for lease in record.leases) == ["lease-1", "lease-2"]


def test_when_even_the_look_up_fails_the_outcome_is_unknown() -> None:
    """The caller hears so, and nothing else."""
    store = holding(a_record())
    store.spoils.append(Spoil.LOSE_REPLY)
    store.before_write.append(lambda: setattr(store, "reads_fail", 1))
    with pytest.raises(StoreUnavailable):
        changed(store, closed)
    assert stored(store).state is CellState.CLOSING


def test_the_slower_of_two_writers_decides_again_on_what_the_quicker_has_made() -> None:
    """A lease that came between keeps the gate open."""
    store = holding(a_record())
    store.before_write.append(lambda: made(changed(store, a_grant(), nonce="others")))
    assert refusal(changed(store, closed)) is Refusal.LEASES_STAND
    assert stored(store).state is CellState.OPEN


def test_two_writers_of_leases_both_get_theirs() -> None:
    """No update is lost."""
    store = holding(a_record())
    store.before_write.append(lambda: made(changed(store, a_grant(2), nonce="others")))
    record = made(changed(store, a_grant(1)))
    assert {lease.id for lease in record.leases} == {"lease-1", "lease-2"}


def test_whoever_loses_every_race_gives_up_and_says_so() -> None:
    """A loop of writers must not become ours."""
    store = holding(a_record())
    for number in range(ATTEMPTS):
        store.before_write.append(partial(changed, store, a_grant(number), nonce=f"n{number}"))
        store.before_write.append(lambda: None)  # for the write of that other
    with pytest.raises(StoreUnavailable, match="changed by others"):
        changed(store, a_grant(99))


@pytest.mark.parametrize("owned", [Owned(owner="others", uid=UID), Owned(owner=OWNER, uid="uid-2")])
def test_a_record_of_another_deployment_or_worker_pool_is_never_touched(owned: Owned) -> None:
    """Two deployments never share a cell, and a recreated worker pool is a new one."""
    store = holding(a_record())
    outcome = change_cell(store, CELL, closed, owned=owned, nonce=lambda: "mine")
    assert refusal(outcome) is Refusal.FOREIGN
    assert store.writes == 0


def test_without_a_record_nothing_is_changed() -> None:
    """Unknown is not empty."""
    assert refusal(changed(ForgetfulStore(), closed)) is Refusal.NO_RECORD


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    """Ticks repeat; stores cost money."""
    store = holding(a_record(state=CellState.CLOSING))
    assert made(changed(store, closed)).state is CellState.CLOSING
    assert store.writes == 0


def removed(store: ForgetfulStore, *, owned: Owned = OURS, when: bool = True) -> bool:
    """One removal by this deployment."""
    return remove_cell(store, CELL, owned=owned, when=lambda _: when)


def test_a_record_is_removed_while_its_condition_holds() -> None:
    """What is gone already is as good."""
    store = holding(a_record())
    assert not removed(store, when=False)
    assert stored(store) == a_record()
    assert removed(store)
    assert store.texts == {}
    assert removed(store)


@pytest.mark.parametrize("owned", [Owned(owner="another"), Owned(owner=OWNER, uid="another")])
def test_a_record_of_another_deployment_or_worker_pool_is_never_removed(owned: Owned) -> None:
    """A worker pool that was made again under the old name keeps its record."""
    store = holding(a_record())
    assert not removed(store, owned=owned)
    assert stored(store) == a_record()


def test_a_record_that_changes_meanwhile_is_looked_at_again_before_it_is_removed() -> None:
    """A lease that came in between stays."""
    store = holding(a_record())
    read, lease = store.read, a_lease()

    def overtaken(key: str) -> Stored | None:
        store.read = read  # type: ignore[method-assign]  # once
        before = read(key)
        changed(store, a_grant())
        return before

    store.read = overtaken  # type: ignore[method-assign]  # a reading that somebody overtakes
    assert not remove_cell(store, CELL, owned=OURS, when=lambda it: not it.leases)
    assert stored(store).lease(lease.id) is not None


def test_an_unreadable_record_stops_the_change() -> None:
    """It is left as it is."""
    store = ForgetfulStore()
    store.texts[cell_key(CELL)] = Stored("{", 1)
    with pytest.raises(RecordUnreadable):
        changed(store, closed)
    assert store.texts[cell_key(CELL)] == Stored("{", 1)


def test_the_first_of_two_creators_stands() -> None:
    """Both go on with the same record."""
    store = ForgetfulStore()
    first = create_cell(store, CELL, a_record(state=CellState.ZERO), nonce=lambda: "first")
    second = create_cell(store, CELL, a_record(state=CellState.OPEN), nonce=lambda: "second")
    assert first == second == stored(store)


def test_one_of_two_processes_leads_and_only_it_notes_counts() -> None:
    """The deployment's record is made at its first use."""
    store, nonce = ForgetfulStore(), nonces()

    def lead(who: str) -> DeploymentRecord | None:
        return change_deployment(
            store,
            lambda it: led_by(it, who=who, now=NOW, ttl_seconds=15.0),
            owner=OWNER,
            nonce=nonce,
        )

    store.spoils.append(Spoil.LOSE_REPLY)
    assert lead("p1") is not None
    assert lead("p2") is None
    for who, noted in (("p2", False), ("p1", True)):
        outcome = change_deployment(
            store, partial(asked_for, who=who, counts={"a": 2}), owner=OWNER, nonce=nonce
        )
        assert (outcome is not None) is noted
    assert read_deployment(store, owner=OWNER).requested == {"a": 2}


def test_another_owner_s_deployment_record_is_never_touched() -> None:
    """Two deployments in one store by mistake."""
    store, nonce = ForgetfulStore(), nonces()
    for owner in (OWNER, "others"):
        change_deployment(
            store,
            lambda it: led_by(it, who="p1", now=NOW, ttl_seconds=15.0),
            owner=owner,
            nonce=nonce,
        )
    assert read_deployment(store, owner=OWNER).owner == OWNER
