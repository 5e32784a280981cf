"""The worlds of `make simulate-many`: some of them whole, and some without one guard, in which the judge must see a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from cell_records import record as guards
from cell_records.record import CellRecord, Gate, Lease, Outcome
from runner_agent.contract import Outcome as Ending
from runner_agent.lifecycle.actions import EndLease
from runner_agent.lifecycle.states import Leased
from scaler.core import cell_steps
from simulator.cells import desk, keeping
from simulator.cells.agent import Agent
from simulator.cells.cloud import Answer, ModelCloud
from simulator.cells.github import SimulatedJob
from simulator.faults import NO_FAULTS
from simulator.many.life import STEPS_OF_CLOSING, Life, live, lived
from simulator.many.worlds import world_of
from tests.worlds.table import report
from tests.worlds.totals import LEAST_CRASHES, Totals

WORLDS = 40
MOST_WORLDS = 60


def test_no_world_breaks_a_promise() -> None:
    """No live runner stopped by a count of ours, every lease witnessed, bounds kept, rest in the end; and enough happens."""
    lives = [lived(world_of(seed)) for seed in range(1, WORLDS + 1)]
    for life in lives:
        assert not life.verdicts, f"seed {life.seed}: {life.verdicts[0]}\n" + "\n".join(life.story)
        assert life.done + sum(life.lost.values()) == life.jobs
    assert sum(life.stopped_by_us for life in lives) == 0
    assert sum(life.counts for life in lives) > WORLDS * 0.7
    faults = sum((Counter(life.faults) for life in lives), Counter[str]())
    assert min(faults.values()) > 0
    assert len(faults) > 15


def test_the_world_whose_failed_zero_was_once_forgotten_comes_to_rest() -> None:
    """Another hand's zero was not carried out, and its instances were paid for ever."""
    life = lived(world_of(6625))
    assert life.faults["zero not carried out"]
    assert not life.verdicts, "\n".join(life.story)


def test_every_fault_occurs_in_some_world() -> None:
    """A fault that no seed draws would never be tried."""
    drawn = [world_of(seed).faults for seed in range(1, 101)]
    for fault in fields(NO_FAULTS):
        assert any(getattr(each, fault.name) != getattr(NO_FAULTS, fault.name) for each in drawn), fault.name


def test_a_seed_gives_the_same_world_twice() -> None:
    """A broken world can be lived through again, to its last event."""
    lives = [live(7, most_told=None) for _ in range(2)]
    assert lives[0] == lives[1]
    assert len(lives[0].story) > 300


def test_other_scalers_stop_jobs_in_the_same_worlds() -> None:
    """The worlds are not so mild that anybody would do."""
    kills = sum((Counter(live(seed).others) for seed in range(1, 11)), Counter[str]())
    assert kills["crema"] > 0


def end_before_the_runner_is_reaped(patch: pytest.MonkeyPatch) -> None:
    begin = Agent._begin

    def hasty(agent: Agent, job: SimulatedJob, life: int) -> None:
        begin(agent, job, life)
        if not agent._is_over(life):
            assert isinstance(agent.state, Leased)
            lease = agent.state.lease.id
            end = EndLease(
                lease=lease, seq=99, outcome=Ending.FINISHED, cause="", job=job.traced.job, result=None
            )
            agent.given_back.add(lease)
            agent.scaler.end(agent, end, lambda _: None)

    patch.setattr(Agent, "_begin", hasty)


def stale_etags_are_taken(patch: pytest.MonkeyPatch) -> None:
    set_count = ModelCloud.set_count

    def any_etag(cloud: ModelCloud, cell: str, count: int, *, etag: int) -> Answer:
        return set_count(cloud, cell, count, etag=cloud.pools[cell].etag)

    patch.setattr(ModelCloud, "set_count", any_etag)


def leases_end_by_their_age(patch: pytest.MonkeyPatch) -> None:
    def timed_out(record: CellRecord, *, now: float) -> CellRecord:
        early = tuple(replace(lease, hard_end=lease.started_at + 20.0) for lease in record.leases)
        return guards.timed_out(replace(record, leases=early), now=now)

    patch.setattr(keeping, "timed_out", timed_out)
    patch.setattr(keeping, "_is_late", lambda record, now: True)


def close_over_leases(patch: pytest.MonkeyPatch) -> None:
    def closed(record: CellRecord) -> Outcome:
        return replace(record, gate=Gate.CLOSED, zero_seen=False)

    def ended(record: CellRecord, *, close: bool, **said: object) -> Outcome:
        after = guards.ended(record, close=False, **said)  # type: ignore[arg-type]  # handed through
        return closed(after) if close and isinstance(after, CellRecord) else after

    patch.setattr(cell_steps, "closed", closed)
    patch.setattr(desk, "ended", ended)


def lease_behind_a_closed_gate(patch: pytest.MonkeyPatch) -> None:
    def leased(record: CellRecord, lease: Lease, **facts: float) -> Outcome:
        outcome = guards.leased(replace(record, gate=Gate.OPEN), lease, **facts)  # type: ignore[arg-type]  # handed through
        return replace(outcome, gate=record.gate) if isinstance(outcome, CellRecord) else outcome

    patch.setattr(desk, "leased", leased)


# What stands still or is late, until others have overtaken it.
OVERTAKEN = {"writes_late": 0.4, "writes_doubled": 0.4, "pauses": 0.2, "late": 60.0, "standstill": 60.0}


def harsher(seed: int) -> Life:
    """The world of a seed with more of what needs the guards."""
    plan = world_of(seed)
    faults = replace(plan.faults, **OVERTAKEN)  # type: ignore[arg-type]  # fields by name
    return lived(replace(plan, faults=faults))


def first_verdict(sentence: str) -> Life:
    """The first world in which something is broken in these words."""
    for seed in range(1, MOST_WORLDS + 1):
        life = harsher(seed)
        if any(sentence in verdict for verdict in life.verdicts):
            return life
    pytest.fail(f"{MOST_WORLDS} worlds, and in none: {sentence}")


@pytest.mark.parametrize(
    "remove",
    [
        end_before_the_runner_is_reaped,
        stale_etags_are_taken,
        leases_end_by_their_age,
        close_over_leases,
    ],
)
def test_without_a_guard_the_judge_sees_a_kill(
    remove: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worlds that are harmless with all guards."""
    remove(monkeypatch)
    life = first_verdict("was stopped by a count of ours")
    assert life.stopped_by_us
    assert life.story


def test_a_lease_behind_a_closed_gate_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody is killed: a record that contradicts itself is enough."""
    lease_behind_a_closed_gate(monkeypatch)
    first_verdict("the gate is closed though leases stand")


def test_with_every_guard_the_harsher_worlds_break_nothing() -> None:
    """What kills above is the missing guard."""
    assert [verdict for seed in range(1, 6) for verdict in harsher(seed).verdicts] == []


def a_life(**changed: object) -> Life:
    """A world with enough in it, in which each end of each step of closing was crashed often enough."""
    crashes = dict.fromkeys(STEPS_OF_CLOSING, LEAST_CRASHES)
    life = Life(
        seed=1,
        jobs=50,
        done=50,
        lost={},
        stopped_by_us=0,
        lowers=10,
        writes=20,
        leases=50,
        faults={"preemption": 5},
        crashes=crashes,
        others={},
        rest_after=100.0,
    )
    return replace(life, **changed)  # type: ignore[arg-type]  # fields by name


def of(*lives: Life) -> Totals:
    """The sums over these worlds."""
    totals = Totals()
    for life in lives:
        totals.add(life)
    return totals


def test_a_run_proves_something_only_with_every_step_of_closing_crashed() -> None:
    """A step that was never crashed fails the run and is named."""
    crashes = dict.fromkeys(STEPS_OF_CLOSING[1:], LEAST_CRASHES)
    assert of(a_life()).faultless
    assert of(a_life(crashes=crashes)).too_few == STEPS_OF_CLOSING[:1]
    assert not of(a_life(crashes=crashes)).faultless


def test_ten_thousand_worlds_need_a_hundred_crashes_of_each_step() -> None:
    """Fewer worlds need as many in proportion, so that a short run can pass."""
    totals = of(a_life())
    totals.worlds = 10_000
    assert totals.wanted_crashes == LEAST_CRASHES
    totals.worlds = 300
    assert totals.wanted_crashes == 3


def test_a_world_with_too_little_in_it_is_replaced_but_judged() -> None:
    """Its jobs count for nothing, its kill counts."""
    poor = a_life(lowers=9, stopped_by_us=1, verdicts=("at 3 s: a kill",))
    totals = of(a_life(), poor, a_life(faults={"preemption": 4}), a_life(faults={"list behind": 9}))
    assert (totals.worlds, totals.replaced, totals.jobs, totals.stopped_by_us) == (1, 3, 50, 1)
    assert not totals.faultless


def test_the_report_shows_kills_beside_those_of_the_other_scalers() -> None:
    """Whoever reads the page finds the promise and what it is compared with."""
    told = report(of(a_life(others={"crema": 7})), seconds=1.0, cpu_seconds=2.0)
    assert "| **stopped by the scaler** | **0** |" in told
    assert "| crema | 7 |" in told
    assert all(step in told for step in STEPS_OF_CLOSING)
