"""Jobs that GitHub gives to nobody although runners listen: two leases in vain, then they are left out for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaler.core.decide import decide
from scaler.core.demand import LISTS_LAG_SECONDS
from scaler.core.memory_text import memory_in, memory_text
from scaler.core.model import Decision, LeaseSeen, LeaseState, Memory, PassedOver, Reason
from scaler.core.unservable import BACK_OFF_SECONDS
from tests.factories import NOW, REPOSITORY, a_job, a_policy, a_pool, an_open_cell, demand, lease_seen, seen

JOB = a_job(number=1, queued_at=NOW - 10.0)
LABELS = JOB.labels
BELIEVED = LISTS_LAG_SECONDS + 1.0


def listening(name: str, *, since: float) -> LeaseSeen:
    """A lease that waits for a job."""
    return replace(lease_seen(LeaseState.LISTENING, since=since), id=name)


class Pool:
    """One pool whose clock a test moves on; each look goes on from the memory of the one before."""

    def __init__(self) -> None:
        self.now = NOW
        self.memory = Memory()

    def look(self, *leases: LeaseSeen, after: float = 0.0, running: dict[int, int] | None = None) -> Decision:
        """Decide on the one queued job beside these leases, `after` seconds later."""
        self.now += after
        facts = seen(
            an_open_cell("a", count=4, leases=leases, parked=2),
            demand=demand(JOB, at=self.now, running=running),
            at=self.now,
        )
        decision, self.memory = decide(a_policy(), facts, self.memory)
        return decision

    def in_vain(self, name: str) -> Decision:
        """A new lease listens until the lists must have shown its job."""
        self.look(listening(name, since=self.now))
        return self.look(listening(name, since=self.now), after=BELIEVED)


def left_out(decision: Decision) -> bool:
    """Whether the job is no demand for now, and the decision says so."""
    named = [limit for limit in decision.limits if limit.reason is Reason.UNSERVABLE]
    assert len(named) == (decision.pools[0].queued == 0)
    return bool(named)


def test_one_lease_in_vain_is_no_proof() -> None:
    assert not left_out(Pool().in_vain("first"))


def test_after_two_leases_in_vain_the_job_is_left_out_and_the_reason_names_its_kind() -> None:
    pool = Pool()
    pool.in_vain("first")
    decision = pool.in_vain("second")
    assert left_out(decision)
    (limit,) = decision.limits
    assert REPOSITORY in limit.detail
    assert all(label in limit.detail for label in LABELS)
    assert decision.look_again_at <= pool.now + BACK_OFF_SECONDS
    assert not pool.look().grants


def test_the_order_of_the_leases_in_a_record_is_not_remembered() -> None:
    """The same facts leave the same memory."""
    pools = []
    leases = [listening("first", since=NOW), listening("second", since=NOW)]
    for order in (leases, leases[::-1]):
        pools.append(pool := Pool())
        pool.look(*order, after=BELIEVED)
    assert pools[0].memory == pools[1].memory


def test_it_is_tried_again_after_the_back_off_and_one_more_lease_in_vain_leaves_it_out_again() -> None:
    pool = Pool()
    pool.in_vain("first")
    pool.in_vain("second")
    assert left_out(pool.look(after=BACK_OFF_SECONDS - 1.0))
    tried = pool.look(after=2.0)
    assert not left_out(tried)
    assert tried.grants
    assert left_out(pool.in_vain("third"))


def passed_over_kinds(*kinds: str, running: bool = False) -> list[Reason]:
    """Why jobs of these repositories are left out, once two leases of one pool have listened for all of them in vain."""
    queued = [
        a_job(number=number, repository=kind, queued_at=NOW - 10.0) for number, kind in enumerate(kinds, 1)
    ]
    memory, decision, now = Memory(), Decision(), NOW
    busy = [lease_seen(LeaseState.RUNNING, lease_id="busy", job_id=99)] if running else []
    for name in ("first", "second"):
        lease = listening(name, since=now)
        for at in (now, now + BELIEVED):
            facts = seen(
                an_open_cell("a", count=4, leases=[lease, *busy], parked=2),
                demand=demand(*queued, at=at),
                at=at,
            )
            decision, memory = decide(a_policy(), facts, memory)
        now += BELIEVED
    return [limit.reason for limit in decision.limits]


def test_several_kinds_that_no_runner_gets_name_the_runner_version_as_a_possible_cause() -> None:
    """A runner that is too old registers and listens, and gets nothing."""
    assert passed_over_kinds("acme/a", "acme/b") == [Reason.UNSERVABLE_KINDS] * 2
    assert "new image" in Reason.UNSERVABLE_KINDS.value
    assert passed_over_kinds("acme/a") == [Reason.UNSERVABLE]


def test_a_runner_of_the_pool_that_has_a_job_shows_that_its_version_is_right() -> None:
    assert passed_over_kinds("acme/a", "acme/b", running=True) == [Reason.UNSERVABLE] * 2


def after_the_back_off(*kinds: str, served_at: float = 0.0, new: str | None = None) -> int:
    """How many leases are granted when jobs of kinds that were left out are tried again, twenty of each."""
    queued = [
        a_job(number=number, repository=kind, queued_at=NOW - 10.0)
        for number, kind in enumerate(kinds * 20, start=1)
    ]
    if new is not None:
        queued += [a_job(number=900 + number, repository=new) for number in range(20)]
    known = PassedOver(leases=("first", "second"), until=NOW - 1.0)
    memory = Memory(passed={(kind, LABELS): known for kind in kinds})
    facts = seen(
        an_open_cell("a", count=100, parked=100, served_at=served_at), demand=demand(*queued), at=NOW
    )
    decision, _ = decide(a_policy(a_pool(maximum=100)), facts, memory)
    return sum(grant.leases for grant in decision.grants)


@pytest.mark.parametrize(
    ("kinds", "served_at", "new", "leases"),
    [
        pytest.param(("acme/a",), 0.0, None, 1, id="one lease, however many jobs wait"),
        pytest.param(("acme/a",), 0.0, "acme/new", 21, id="other kinds go on"),
        pytest.param(("acme/a", "acme/b"), 0.0, None, 1, id="one for a pool that serves no kind"),
        pytest.param(("acme/a", "acme/b"), 0.0, "acme/new", 1, id="a new kind is served by the same runners"),
        pytest.param(
            ("acme/a", "acme/b"), NOW - 100.0, "acme/new", 22, id="one for each where the pool serves"
        ),
        pytest.param(("acme/a", "acme/b"), NOW - 9_000.0, None, 1, id="what it served before proves nothing"),
    ],
)
def test_a_kind_is_tried_again_with_one_lease(
    kinds: tuple[str, ...], served_at: float, new: str | None, leases: int
) -> None:
    """Runners that are too old would otherwise all listen again, every quarter of an hour."""
    assert after_the_back_off(*kinds, served_at=served_at, new=new) == leases


@pytest.mark.parametrize("early", ["the lease", "the reading"])
def test_nothing_is_concluded_before_the_lists_must_show_it(early: str) -> None:
    """GitHub's lists lag; a lease that has only just begun to listen proves nothing either."""
    pool = Pool()
    pool.in_vain("first")
    pool.now += 1_000.0
    begun = pool.now if early == "the lease" else pool.now - LISTS_LAG_SECONDS + 1.0
    assert not left_out(pool.look(listening("second", since=begun)))


def test_a_runner_that_has_a_job_is_not_idle() -> None:
    pool = Pool()
    pool.in_vain("first")
    busy = replace(lease_seen(LeaseState.RUNNING, since=pool.now), id="second")
    assert not left_out(pool.look(busy, after=BELIEVED))


def test_a_job_of_the_kind_that_was_given_out_shows_that_the_kind_is_servable() -> None:
    """So a listener that GitHub has forgotten condemns nobody."""
    pool = Pool()
    pool.in_vain("ghost")
    pool.look(listening("ghost", since=NOW), running={7: JOB.id})
    assert not left_out(pool.in_vain("second"))


def test_what_is_remembered_survives_as_text() -> None:
    pool = Pool()
    pool.in_vain("first")
    pool.in_vain("second")
    remembered = replace(pool.memory, surplus={"a": NOW + 0.125})
    assert memory_in(memory_text(remembered)) == remembered
    assert remembered.passed[(REPOSITORY, LABELS)].leases == ("first", "second")
    fresh = Memory(passed={(REPOSITORY, LABELS): PassedOver()})
    assert memory_in(memory_text(fresh)) == fresh


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "3", "null", '{"surplus": {"a": "soon"}}', '{"passed": [{}]}', '{"surplus": 3}'],
)
def test_a_memory_that_cannot_be_read_is_none(text: str) -> None:
    """Another version may have written it; losing it costs time only."""
    assert memory_in(text) == Memory()
