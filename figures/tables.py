"""The tables of results, made of the same runs as the figures. What a row is of is known without a simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from figures.chosen import BY_POLICY, PROMISES, UNSEEN
from figures.numbers import paid_over_ideal
from figures.runs import Run, Runs
from simulator.outcome import Outcome, percentile

# A row that is worse has its reason beside it. They are what was promised of the traces that were tuned on.
FINE_WAIT = 1.10
FINE_PAID = {180: 1.10, 30: 1.25}

REASONS = {
    "retry-storm": "200 jobs in a minute, one by one: few writes are used up by the first ones; retries wait for registrations",
    "night": "250 at once: all wait for registrations, and each cell is paid until its longest job ends",
    "tsz": "309 at once: all wait for registrations, whose return the next look sees, not sooner; cells wait for long jobs",
    "matrix": "120 uneven jobs at once: each cell is paid until its longest job ends",
    "company": "few writes: at the peak cells hold more instances each, and are paid until the longest job ends",
    "merge-queue": "batches of 30 at once: each cell is paid until its longest job ends",
}
"""Why a trace is hard, for those that may have a bad row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`names`: of each row, its first cells. `rows`: the whole ones, from the runs, in the order to be shown."""

    head: Sequence[str]
    names: Sequence[tuple[str, ...]]
    rows: Callable[[Runs], Sequence[Sequence[str]]]

    def markdown(self, runs: Runs) -> str:
        """The table as it stands in a page."""
        head, *rows = (f"| {' | '.join(line)} |\n" for line in (self.head, *self.rows(runs)))
        return "".join([head, f"|{'---|' * len(self.head)}\n", *rows])


def _promise(run: Run) -> tuple[str, ...]:
    return (f"{run.trace}, warm = {run.warm}" if run.warm else run.trace, f"{run.writes}")


def _unseen(run: Run) -> tuple[str, ...]:
    return run.trace, f"{run.trace_seed}", f"{run.writes}"


def _of_policy(run: Run) -> tuple[str, ...]:
    return run.trace, f"`{run.policy}`"


def _promises(runs: Runs) -> Sequence[Sequence[str]]:
    rows = []
    for run in PROMISES:
        outcome = runs.outcome(run)
        floor = percentile(runs.floors(run), 0.95)
        bound = f"{runs.bound(run):.2f}" if run.trace == "matrix" else ""
        rows.append(
            (
                *_promise(run),
                _seconds(outcome.wait(0.5)),
                _seconds(outcome.wait(0.95)),
                _seconds(outcome.wait(0.99)),
                _seconds(floor),
                f"{_over(outcome, floor):.2f}",
                f"{paid_over_ideal(outcome):.2f}",
                bound,
                f"{outcome.writes:,}",
                f"{outcome.cells:,}",
                f"{outcome.peak_instances:,}",
                f"{outcome.killed:,}",
            )
        )
    return rows


def _worst_first(runs: Runs) -> Sequence[Sequence[str]]:
    ranked = []
    for run in UNSEEN:
        outcome = runs.outcome(run)
        floor = percentile(runs.floors(run), 0.95)
        over, price = _over(outcome, floor), paid_over_ideal(outcome)
        bad = over > FINE_WAIT or price > FINE_PAID[run.writes]
        row = (
            *_unseen(run),
            _seconds(outcome.wait(0.5)),
            _seconds(outcome.wait(0.95)),
            _seconds(floor),
            f"{over:.2f}",
            f"{price:.2f}",
            f"{outcome.killed:,}",
            REASONS.get(run.trace, "") if bad else "",
        )
        # As they are shown, so that nobody wonders at the order of two that look alike.
        ranked.append(((round(over, 2), round(price, 2)), row))
    return [row for _, row in sorted(ranked, key=lambda each: each[0], reverse=True)]


def _policies(runs: Runs) -> Sequence[Sequence[str]]:
    rows = []
    for run in BY_POLICY:
        outcome = runs.outcome(run)
        price = f"{paid_over_ideal(outcome):.2f}"
        rows.append(
            (
                *_of_policy(run),
                f"{outcome.killed:,}",
                f"{outcome.lost:,}",
                _seconds(outcome.wait(0.95)),
                price,
            )
        )
    return rows


TABLES = {
    "promises": Table(
        head=(
            "trace", "writes a minute", "wait p50", "p95", "p99", "floor p95", "p95 / floor", "paid / ideal", "least possible",
            "writes", "cells", "peak", "killed",
        ),
        names=tuple(map(_promise, PROMISES)),
        rows=_promises,
    ),
    "unseen": Table(
        head=(
            "trace", "seed", "writes a minute", "wait p50", "p95", "floor p95", "p95 / floor", "paid / ideal", "killed", "why",
        ),
        names=tuple(map(_unseen, UNSEEN)),
        rows=_worst_first,
    ),
    "policies": Table(
        head=("trace", "policy", "killed", "lost", "wait p95", "paid / ideal"),
        names=tuple(map(_of_policy, BY_POLICY)),
        rows=_policies,
    ),
}  # fmt: skip
"""By the name in the page's marker."""


def _over(outcome: Outcome, floor: float) -> float:
    return outcome.wait(0.95) / floor if floor else 1.0


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 1000.0 else f"{seconds:.1f} s"
