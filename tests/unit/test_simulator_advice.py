"""The advice on cells, sizes and warm instances, with simulations whose best answer is known by hand."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from simulator.advice import GRID, MIXES, Advice, Choice, Grid, Simulate, advice
from simulator.assumptions import Assumptions
from simulator.outcome import Outcome
from simulator.prices import WORKER_POOL, Machine, an_hour
from simulator.trace import Trace, TraceJob

HOUR = 3_600.0
MACHINE = Machine(vcpu=4, memory_gib=Decimal(16))  # 0.2330496 USD an hour
TRACE: Trace = tuple(TraceJob(queued_at=60.0 * number, duration=300.0) for number in range(100))
SINGLE, SMALL, MIXED, LARGE = MIXES


def an_outcome(*, paid: float, waits: Sequence[float], completed: int | None = None) -> Outcome:
    return Outcome(
        policy="fake",
        jobs=len(waits),
        completed=len(waits) if completed is None else completed,
        killed=0,
        lost=0,
        waits=waits,
        paid=paid,
        ideal=paid,
        writes=0,
        lowering_writes=0,
        registrations=0,
        cells=0,
        peak_instances=0,
    )


def each_warm_instance_costs_an_hour_and_saves_waiting(
    trace: Trace, assumptions: Assumptions, sizes: Sequence[int]
) -> Outcome:
    """Paid: 10 hours, one more for each warm instance, a tenth more for each size above 1 on average. Waited: each job
    18 s, 6 s with one warm instance, 3 s with more; and 1,000 s more with fewer than 40 cells.
    """
    average = sum(sizes) / len(sizes)
    paid = (10 + assumptions.warm + (average - 1) / 10) * HOUR
    wait = {0: 18.0, 1: 6.0}.get(assumptions.warm, 3.0) + (1_000.0 if assumptions.max_cells < 40 else 0.0)
    return an_outcome(paid=paid, waits=[wait] * len(trace))


def advised(
    simulate: Simulate = each_warm_instance_costs_an_hour_and_saves_waiting,
    *,
    usd_per_hour: str,
    grid: Grid = GRID,
    every_choice: bool = True,
) -> Advice:
    return advice(
        TRACE,
        Assumptions(max_runners=300),
        simulate,
        machine=MACHINE,
        price=WORKER_POOL,
        waiting_usd_per_hour=Decimal(usd_per_hour),
        grid=grid,
        every_choice=every_choice,
    )


@pytest.mark.parametrize("every_choice", [True, False])
@pytest.mark.parametrize(
    ("usd_per_hour", "cells", "warm"),
    [
        # Nothing saved is worth an instance: the fewest cells, none warm.
        ("0", 10, 0),
        # 100 jobs x 1,000 s are 27.8 h: that is worth 40 cells. 12 s less for each job is 0.33 h, 0.2 USD: less than an hour
        # of the machine.
        ("0.6", 40, 0),
        # 0.33 h at 0.75 USD are 0.25 USD, and an hour of the machine costs 0.233; the next 3 s are worth a quarter of that.
        ("0.75", 40, 1),
        # 3 s of 100 jobs at 3 USD are 0.25 USD as well.
        ("3", 40, 2),
    ],
)
def test_the_cheapest_sum_of_instances_and_waiting_wins(
    usd_per_hour: str, cells: int, warm: int, every_choice: bool
) -> None:
    found = advised(usd_per_hour=usd_per_hour, every_choice=every_choice)
    assert found.recommended.choice == Choice(cells=cells, mix=SINGLE, warm=warm)


def test_the_amounts_are_those_of_the_price_table() -> None:
    """10 hours of the machine, and 100 jobs that waited 18 s at 6 USD an hour: 3 USD."""
    found = advised(usd_per_hour="6", grid=Grid(cells=(40,), mixes=(SINGLE,), warm=(0,)))
    row = found.recommended
    assert row.instances_usd == 10 * an_hour(MACHINE, WORKER_POOL)
    assert row.waiting_usd == 3
    assert row.total_usd == row.instances_usd + 3
    assert (row.wait_p50, row.wait_p95, row.unfinished) == (18.0, 18.0, 0)


def test_every_choice_of_the_grid_is_a_row_and_the_best_comes_first() -> None:
    found = advised(usd_per_hour="3")
    assert {row.choice for row in found.rows} == set(GRID.choices())
    assert len(found.rows) == 5 * 4 * 5
    totals = [row.total_usd for row in found.rows]
    assert totals == sorted(totals)


def test_varying_one_at_a_time_asks_for_less_than_a_third_of_the_simulations() -> None:
    found = advised(usd_per_hour="3", every_choice=False)
    assert 13 <= len(found.rows) <= 33


def test_the_simulation_is_given_the_sizes_and_the_assumptions_of_the_choice() -> None:
    asked = []

    def simulate(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
        asked.append((assumptions.max_cells, assumptions.warm, tuple(sizes), assumptions.max_runners))
        return an_outcome(paid=0.0, waits=[])

    advised(simulate, usd_per_hour="1", grid=Grid(cells=(6,), mixes=(SMALL, LARGE), warm=(0, 5)))
    assert asked == [
        (6, 0, (1, 1, 1, 1, 2, 4), 300),
        (6, 5, (1, 1, 1, 1, 2, 4), 300),
        (6, 0, (4, 4, 8, 8, 16, 16), 300),
        (6, 5, (4, 4, 8, 8, 16, 16), 300),
    ]


def test_no_cell_is_larger_than_the_pool_may_be() -> None:
    assert Choice(cells=3, mix=LARGE, warm=0).sizes(most=5) == (4, 5, 5)


def test_a_choice_that_leaves_jobs_undone_loses_against_a_dearer_one() -> None:
    def simulate(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
        cheap = assumptions.max_cells == 10
        return an_outcome(paid=HOUR if cheap else 9 * HOUR, waits=[0.0] * 100, completed=99 if cheap else 100)

    found = advised(simulate, usd_per_hour="1")
    assert found.recommended.choice.cells == 20
    assert found.recommended.unfinished == 0


def test_where_every_choice_leaves_jobs_undone_the_sentence_says_so() -> None:
    def simulate(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
        return an_outcome(paid=HOUR, waits=[0.0] * 100, completed=100 - assumptions.max_cells)

    found = advised(simulate, usd_per_hour="1")
    assert found.why == (
        "With every choice that was tried jobs did not end; 10 cells, single (1), warm 0 left the fewest: 10."
    )


def test_of_two_that_cost_the_same_the_one_with_less_of_everything_wins() -> None:
    def simulate(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
        return an_outcome(paid=HOUR, waits=[1.0])

    found = advised(simulate, usd_per_hour="1")
    assert found.recommended.choice == Choice(cells=10, mix=SINGLE, warm=0)
    assert "cost the same" in found.why


def test_the_reason_is_one_sentence_with_both_amounts_and_the_next_best() -> None:
    """At 0.75 USD an hour 40 cells with one warm: 11 h of the machine, and 600 s of waiting."""
    found = advised(usd_per_hour="0.75")
    assert found.why == (
        "40 cells, single (1), warm 1 cost least: 2.689 USD, of which 2.564 USD are for instances and 0.125 USD for "
        "waiting; the next best, 60 cells, single (1), warm 1, cost the same."
    )
    one = advised(usd_per_hour="0.75", grid=Grid(cells=(40,), mixes=(SINGLE,), warm=(0, 1)))
    assert one.why.endswith(
        "warm 0, cost 0.017 USD more: it saved 0.233 USD of instances for 0.250 USD of waiting."
    )


def test_the_same_question_gets_the_same_answer() -> None:
    assert advised(usd_per_hour="0.75") == advised(usd_per_hour="0.75")
