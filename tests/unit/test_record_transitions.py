"""Every change of a cell's record as a table: where it leads, what it refuses, and that saying it twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cell_records.record import (
    CellRecord,
    CellState,
    Gate,
    Ghost,
    Outcome,
    Refusal,
    closed,
    count_found_at_zero,
    dying,
    first_record,
    ghost_cleared,
    held,
    job_completed,
    job_known,
    lowering,
    opened,
    registered,
    released,
    released_anew,
    timed_out,
    voided,
    zero_confirmed,
    zeroed_by_others,
)
from tests.factories import NOW, OWNER, UID, a_lease, a_record, made, refusal
from tests.record_parts import LEASE, SERVING, SETTLE, end, lease_to

ZERO, OPEN, CLOSING = CellState.ZERO, CellState.OPEN, CellState.CLOSING


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param(lambda: opened(a_record(state=ZERO), now=NOW, settle_seconds=SETTLE), OPEN, id="open"),
        pytest.param(lambda: closed(a_record()), CLOSING, id="close without leases"),
        pytest.param(lambda: end(a_record(leases=[LEASE]), close=True), CLOSING, id="the last end closes"),
        pytest.param(lambda: end(a_record(leases=[LEASE])), OPEN, id="an end that does not close"),
        pytest.param(
            lambda: end(a_record(leases=[LEASE, a_lease(lease_id="lease-2", boot="boot-2")]), close=True),
            OPEN,
            id="an end that is not the last never closes",
        ),
        pytest.param(
            lambda: zero_confirmed(a_record(state=CLOSING), count=0, settled=True, now=NOW), ZERO, id="zero"
        ),
        pytest.param(lambda: count_found_at_zero(a_record(state=ZERO)), CLOSING, id="raised by another hand"),
        pytest.param(lambda: lowering(a_record(state=CLOSING), now=NOW), CLOSING, id="a zero is written"),
        pytest.param(
            lambda: zeroed_by_others(a_record(leases=[LEASE]), count=0, settled=True, silent=True, now=NOW),
            CLOSING,
            id="zeroed by another hand",
        ),
        pytest.param(
            lambda: first_record(owner=OWNER, uid=UID, count=0, settled=True, now=NOW),
            ZERO,
            id="first record",
        ),
    ],
)
def test_a_change_leads_to_its_state(change: Callable[[], Outcome], state: CellState) -> None:
    """The arrows of the cell's drawing."""
    assert made(change()).state is state


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            lambda: opened(a_record(state=CLOSING), now=NOW, settle_seconds=SETTLE),
            Refusal.NOT_SETTLED,
            id="a lower is never aborted",
        ),
        pytest.param(
            lambda: opened(a_record(state=ZERO, zeroed_at=NOW - SETTLE), now=NOW, settle_seconds=SETTLE),
            Refusal.COOLING,
            id="a cell that was just zeroed cools",
        ),
        pytest.param(
            lambda: closed(a_record(leases=[LEASE])), Refusal.LEASES_STAND, id="a lease holds it open"
        ),
        pytest.param(
            lambda: zero_confirmed(a_record(state=CLOSING), count=1, settled=True, now=NOW),
            Refusal.NOT_SETTLED,
            id="a count is no zero",
        ),
        pytest.param(
            lambda: zero_confirmed(a_record(state=CLOSING), count=0, settled=False, now=NOW),
            Refusal.NOT_SETTLED,
            id="an unsettled zero is no zero",
        ),
        pytest.param(
            lambda: zero_confirmed(a_record(), count=0, settled=True, now=NOW),
            Refusal.GATE_OPEN,
            id="an open cell has no zero",
        ),
        pytest.param(
            lambda: count_found_at_zero(a_record()), Refusal.GATE_OPEN, id="an open cell has a count"
        ),
        pytest.param(
            lambda: lowering(a_record(), now=NOW), Refusal.GATE_OPEN, id="an open cell is not lowered"
        ),
        pytest.param(
            lambda: lowering(a_record(state=ZERO), now=NOW),
            Refusal.COOLING,
            id="a noted zero is not written again",
        ),
        pytest.param(
            lambda: lease_to(a_record(state=CLOSING)), Refusal.GATE_CLOSED, id="closing gives no lease"
        ),
        pytest.param(lambda: lease_to(a_record(state=ZERO)), Refusal.GATE_CLOSED, id="zero gives no lease"),
        pytest.param(
            lambda: lease_to(a_record(zeroed_at=NOW - 60.0), uptime=60.0),
            Refusal.BOOT_RETIRED,
            id="a boot as old as the last zero",
        ),
        pytest.param(
            lambda: lease_to(a_record(zeroed_at=NOW - 60.0), uptime=600.0),
            Refusal.BOOT_RETIRED,
            id="a boot older than the last zero",
        ),
        pytest.param(
            lambda: lease_to(a_record(ended_boots=["boot-1"])), Refusal.BOOT_RETIRED, id="one lease per boot"
        ),
        pytest.param(
            lambda: lease_to(a_record(leases=[a_lease(ask=2)]), lease_id="lease-2", ask=2),
            Refusal.STALE_ASK,
            id="the same ask twice",
        ),
        pytest.param(
            lambda: lease_to(a_record(leases=[a_lease(ask=2)]), lease_id="lease-2", ask=1),
            Refusal.STALE_ASK,
            id="a late older ask",
        ),
        pytest.param(
            lambda: lease_to(a_record(leases=[a_lease(dying_until=NOW + 5)]), lease_id="lease-2", ask=2),
            Refusal.BOOT_RETIRED,
            id="a dying boot",
        ),
        pytest.param(
            lambda: lease_to(a_record(leases=[a_lease(lease_id="lease-2", boot="boot-2")]), room=1),
            Refusal.NO_ROOM,
            id="no more leases than instances",
        ),
        pytest.param(lambda: end(a_record()), Refusal.UNKNOWN_LEASE, id="an end of nothing"),
        pytest.param(
            lambda: end(a_record(leases=[LEASE]), boot="boot-2"),
            Refusal.NOT_THE_WITNESS,
            id="another boot's end",
        ),
        pytest.param(
            lambda: dying(a_record(), lease_id="lease-1", boot="boot-1", until=NOW),
            Refusal.UNKNOWN_LEASE,
            id="a dying nothing",
        ),
        pytest.param(
            lambda: dying(a_record(leases=[LEASE]), lease_id="lease-1", boot="boot-2", until=NOW),
            Refusal.NOT_THE_WITNESS,
            id="another boot's death",
        ),
        pytest.param(
            lambda: registered(a_record(), lease_id="lease-1", runner_id=7),
            Refusal.UNKNOWN_LEASE,
            id="a registration for a lease that is gone",
        ),
        pytest.param(
            lambda: job_known(a_record(), lease_id="lease-1", runner_id=7, job_id=70, repository="acme/w"),
            Refusal.UNKNOWN_LEASE,
            id="a job of a lease that is gone",
        ),
        pytest.param(
            lambda: job_known(
                a_record(leases=[SERVING]), lease_id="lease-1", runner_id=8, job_id=80, repository="acme/w"
            ),
            Refusal.NOT_THE_WITNESS,
            id="another runner's job",
        ),
        pytest.param(
            lambda: job_completed(
                a_record(leases=[SERVING]), lease_id="lease-1", job_id=70, runner_id=8, now=NOW
            ),
            Refusal.NOT_THE_WITNESS,
            id="completed by another runner",
        ),
        pytest.param(
            lambda: job_completed(
                a_record(leases=[SERVING]), lease_id="lease-1", job_id=71, runner_id=7, now=NOW
            ),
            Refusal.NOT_THE_WITNESS,
            id="another job completed",
        ),
        pytest.param(
            lambda: job_completed(
                a_record(leases=[LEASE]), lease_id="lease-1", job_id=70, runner_id=None, now=NOW
            ),
            Refusal.NOT_THE_WITNESS,
            id="completed by nobody",
        ),
        pytest.param(
            lambda: zeroed_by_others(a_record(leases=[LEASE]), count=1, settled=True, silent=True, now=NOW),
            Refusal.NOT_SETTLED,
            id="not zeroed",
        ),
        pytest.param(
            lambda: zeroed_by_others(a_record(leases=[LEASE]), count=0, settled=False, silent=True, now=NOW),
            Refusal.NOT_SETTLED,
            id="zeroed and not settled",
        ),
        pytest.param(
            lambda: zeroed_by_others(a_record(leases=[LEASE]), count=0, settled=True, silent=False, now=NOW),
            Refusal.NOT_SETTLED,
            id="zeroed and not silent",
        ),
        pytest.param(
            lambda: first_record(owner=OWNER, uid=UID, count=1, settled=True, now=NOW),
            Refusal.NOT_SETTLED,
            id="no first record over instances",
        ),
        pytest.param(
            lambda: first_record(owner=OWNER, uid=UID, count=0, settled=False, now=NOW),
            Refusal.NOT_SETTLED,
            id="no first record before the zero has settled",
        ),
        pytest.param(
            lambda: opened(a_record(state=ZERO, hold="rollout"), now=NOW, settle_seconds=SETTLE),
            Refusal.HELD,
            id="a held cell is not opened",
        ),
        pytest.param(
            lambda: lease_to(a_record(hold="drain")), Refusal.HELD, id="a held cell gives no new lease"
        ),
        pytest.param(
            lambda: lease_to(a_record(leases=[LEASE], hold="drain"), lease_id="lease-2", ask=2),
            Refusal.HELD,
            id="nor one to a boot that asks again",
        ),
        pytest.param(
            lambda: held(a_record(hold="drain"), "rollout"),
            Refusal.HELD,
            id="a hold for something else stands",
        ),
        pytest.param(
            lambda: released(a_record(hold="drain"), "rollout"),
            Refusal.HELD,
            id="nor is it ended for something else",
        ),
        pytest.param(
            lambda: released_anew(a_record(hold="drain"), "rollout", canary=True, now=NOW),
            Refusal.HELD,
            id="nor after a template was changed",
        ),
    ],
)
def test_a_change_is_refused(change: Callable[[], Outcome], reason: Refusal) -> None:
    """The guards; each refusal is a value that the caller cannot overlook."""
    assert refusal(change()) is reason


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda it: opened(it, now=NOW, settle_seconds=SETTLE), id="opened"),
        pytest.param(closed, id="closed"),
        pytest.param(lambda it: zero_confirmed(it, count=0, settled=True, now=NOW), id="zero_confirmed"),
        pytest.param(count_found_at_zero, id="count_found_at_zero"),
        pytest.param(lambda it: lowering(it, now=NOW), id="lowering"),
        pytest.param(lease_to, id="leased"),
        pytest.param(lambda it: voided(it, boot="boot-1", ask=2, now=NOW), id="voided"),
        pytest.param(lambda it: end(it, close=True), id="ended"),
        pytest.param(lambda it: dying(it, lease_id="lease-1", boot="boot-1", until=NOW), id="dying"),
        pytest.param(lambda it: registered(it, lease_id="lease-1", runner_id=7), id="registered"),
        pytest.param(
            lambda it: job_known(it, lease_id="lease-1", runner_id=7, job_id=70, repository="acme/w"),
            id="job_known",
        ),
        pytest.param(
            lambda it: job_completed(it, lease_id="lease-1", job_id=70, runner_id=7, now=NOW),
            id="job_completed",
        ),
        pytest.param(lambda it: timed_out(it, now=NOW + 10_000.0), id="timed_out"),
        pytest.param(lambda it: held(it, "rollout"), id="held"),
        pytest.param(lambda it: released(it, "rollout"), id="released"),
        pytest.param(lambda it: released_anew(it, "rollout", canary=True, now=NOW), id="released_anew"),
        pytest.param(
            lambda it: zeroed_by_others(it, count=0, settled=True, silent=True, now=NOW),
            id="zeroed_by_others",
        ),
        pytest.param(lambda it: ghost_cleared(it, runner_name="runner-of-lease-1"), id="ghost_cleared"),
    ],
)
def test_saying_it_twice_changes_nothing(change: Callable[[CellRecord], Outcome]) -> None:
    """A retry after a lost reply finds what the first try has made."""
    starts = [a_record(state=state) for state in CellState]
    starts += [a_record(leases=[LEASE]), a_record(leases=[SERVING]), a_record(leases=[a_lease(runner_id=7)])]
    starts += [a_record(state=state, hold="rollout") for state in CellState]
    starts += [a_record(ghosts=[Ghost(runner_name="runner-of-lease-1", runner_id=7, since=NOW)])]
    changed = 0
    for start in starts:
        once = change(start)
        if isinstance(once, CellRecord):
            changed += once != start
            assert change(once) == once
    assert changed, "no start shows the change itself"


def test_opening_forgets_the_zero_so_that_only_closing_leads_back() -> None:
    """OPEN has no zero to return to."""
    record = made(opened(a_record(state=ZERO), now=NOW, settle_seconds=SETTLE))
    assert (record.gate, record.zero_seen) == (Gate.OPEN, False)
    assert made(closed(record)).state is CLOSING
