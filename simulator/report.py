"""PURE: what a simulation found, as the document that `runner-pool simulate` prints, and as rows and sentences for people.

docs/reference/simulate.md explains each key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from simulator.assumptions import Assumptions
from simulator.outcome import Outcome, percentile
from simulator.prices import Machine, Price, amount, cost

Document = dict[str, object]

HEAD = (
    "policy",
    "completed",
    "killed",
    "lost",
    "wait p50",
    "wait p95",
    "floor p95",
    "wait p99",
    "paid / ideal",
    "writes",
    "cells",
    "peak",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One run and what it is told beside: the floor's wait of each job, and a price when amounts are asked for."""

    outcome: Outcome
    floors: Sequence[float]
    machine: Machine | None = None
    price: Price | None = None

    @property
    def never_run(self) -> int:
        """Jobs that never began."""
        return self.outcome.jobs - len(self.outcome.waits)

    @property
    def unfinished(self) -> int:
        """Jobs that began and were neither completed nor killed nor pre-empted: stopped at the time limit, or running still."""
        ended = self.outcome.completed + self.outcome.killed + self.outcome.lost
        return max(0, self.outcome.jobs - ended - self.never_run)

    @property
    def paid_over_ideal(self) -> float:
        """1 when each job's instance was paid for its start, its registration and its work alone."""
        return self.outcome.paid / self.outcome.ideal if self.outcome.ideal else 1.0


def document(told: Told) -> Document:
    """One policy's results; seconds are rounded to the millisecond. jobs = completed + killed + lost + never_run."""
    outcome = told.outcome
    found: Document = {
        "policy": outcome.policy,
        "jobs": outcome.jobs,
        "completed": outcome.completed,
        "killed": outcome.killed,
        "lost": outcome.lost + told.unfinished,
        "never_run": told.never_run,
        **{f"wait_p{share}_s": round(outcome.wait(share / 100), 3) for share in (50, 95, 99)},
        **{
            f"wait_floor_p{share}_s": round(percentile(told.floors, share / 100), 3) for share in (50, 95, 99)
        },
        "paid_instance_s": round(outcome.paid, 3),
        "ideal_instance_s": round(outcome.ideal, 3),
        "paid_over_ideal": round(told.paid_over_ideal, 4),
        "writes": outcome.writes,
        "lowering_writes": outcome.lowering_writes,
        "registrations": outcome.registrations,
        "cells": outcome.cells,
        "peak_instances": outcome.peak_instances,
    }
    if told.machine is not None and told.price is not None:
        found["cost"] = {
            "paid_usd": usd(cost(outcome.paid, told.machine, told.price)),
            "ideal_usd": usd(cost(outcome.ideal, told.machine, told.price)),
            **price_document(told.machine, told.price),
        }
    return found


def usd(amount_of_money: object) -> float:
    """To a hundredth of a cent."""
    return round(float(str(amount_of_money)), 4)


def price_document(machine: Machine, price: Price) -> Document:
    """The machine, and the price with its date and source: no amount stands without them."""
    return {
        "machine": {"vcpu": machine.vcpu, "memory_gib": float(machine.memory_gib)},
        "price": {
            "product": price.product.value,
            "vcpu_second_usd": float(price.vcpu_second),
            "gib_second_usd": float(price.gib_second),
            "as_of": price.as_of,
            "source": price.source,
            "certainty": price.certainty.value,
        },
    }


def assumed(assumptions: Assumptions, **more: object) -> Document:
    """The assumptions as the options call them; `more` stands beside them."""
    seconds = {"start", "registration", "restart", "webhook", "write", "settle"}
    return {
        **{f"{name}_s" if name in seconds else name: value for name, value in asdict(assumptions).items()},
        **more,
    }


def together(
    documents: Sequence[Document],
    assumptions: Mapping[str, object],
    left_out: Mapping[frozenset[str], int],
    *,
    least: float | None = None,
) -> Document:
    """The one object that is printed: a single policy's results themselves, or several under `policies`.

    `least`: the least paid over ideal that `simulator.bounds` finds, where it was asked.
    """
    results = documents[0] if len(documents) == 1 else {"policies": list(documents)}
    return {
        **results,
        **({} if least is None else {"least_paid_over_ideal": round(least, 4)}),
        "left_out": left_out_document(left_out),
        "assumptions": dict(assumptions),
    }


def left_out_document(left_out: Mapping[frozenset[str], int]) -> list[Document]:
    """Jobs that fit no pool, by their labels, the most frequent first."""
    ranked = sorted(left_out.items(), key=lambda each: (-each[1], sorted(each[0])))
    return [{"labels": sorted(labels), "jobs": number} for labels, number in ranked]


def row(told: Told) -> Sequence[str]:
    """The values below HEAD."""
    outcome = told.outcome
    return (
        outcome.policy,
        f"{outcome.completed:,} of {outcome.jobs:,}",
        f"{outcome.killed:,}",
        f"{outcome.lost + told.unfinished:,}",
        f"{outcome.wait(0.5):.1f} s",
        f"{outcome.wait(0.95):.1f} s",
        f"{percentile(told.floors, 0.95):.1f} s",
        f"{outcome.wait(0.99):.1f} s",
        f"{told.paid_over_ideal:.2f}",
        f"{outcome.writes:,}",
        f"{outcome.cells:,}",
        f"{outcome.peak_instances:,}",
    )


def sentences(all_told: Sequence[Told], *, least: float | None = None) -> list[str]:
    """What the numbers mean, one sentence for each policy and two for all; then money, with the price's date and source."""
    floor = percentile(all_told[0].floors, 0.95)
    lines = [_sentence(told) for told in all_told]
    lines.append(
        "Waits are from queued to running. The floor is what an all-knowing scaler needs with the same delays and limits: "
        f"95 of 100 jobs within {floor:.1f} s."
    )
    lines.append(
        "Ideal is each job's work with one start and one registration; paid is every second of every instance counted."
    )
    if least is not None:
        lines.append(
            f"No policy that starts each of these jobs at once pays less than {least:.2f} times the ideal."
        )
    for told in all_told:
        if told.machine is not None and told.price is not None:
            paid = amount(told.outcome.paid, told.machine, told.price)
            lines.append(f"{told.outcome.policy}, instances of {told.machine}: {paid}.")
    return lines


def _sentence(told: Told) -> str:
    outcome = told.outcome
    ends = [
        (outcome.killed, "stopped by a lowered count"),
        (outcome.lost, "stopped by Cloud Run itself"),
        (told.unfinished, "stopped at the time limit of a job or not over at the end"),
        (told.never_run, "never begun"),
    ]
    bad = ", ".join(f"{number:,} {what}" for number, what in ends if number)
    fate = f"of {outcome.jobs:,} jobs {bad}" if bad else f"all {outcome.jobs:,} jobs ended by themselves"
    return (
        f"{outcome.policy}: {fate}; 95 of 100 jobs that began ran within {outcome.wait(0.95):.1f} s; "
        f"{told.paid_over_ideal:.2f} times the ideal was paid."
    )
