"""What `runner-pool simulate` says of a run: the keys of the document, the row and the sentences."""

import json
from decimal import Decimal

from simulator.assumptions import Assumptions
from simulator.outcome import Outcome
from simulator.prices import WORKER_POOL, Machine
from simulator.report import HEAD, Told, assumed, document, row, sentences, together

# Ten jobs: six ended, one was killed, one lost to Cloud Run, one stopped at its time limit, one never begun.
OUTCOME = Outcome(
    policy="cells",
    jobs=10,
    completed=6,
    killed=1,
    lost=1,
    waits=(18.0, 18.0, 18.0, 18.0, 19.0, 19.0, 19.0, 30.0, 40.0),
    paid=4_500.0,
    ideal=3_600.0,
    writes=12,
    lowering_writes=4,
    registrations=9,
    cells=3,
    peak_instances=5,
)
TOLD = Told(outcome=OUTCOME, floors=(18.0,) * 9 + (20.0,))
MACHINE = Machine(vcpu=4, memory_gib=Decimal(16))


def test_the_document_has_every_key_that_the_page_names_and_each_job_once() -> None:
    found = document(TOLD)
    assert found == {
        "policy": "cells",
        "jobs": 10,
        "completed": 6,
        "killed": 1,
        "lost": 2,
        "never_run": 1,
        "wait_p50_s": 19.0,
        "wait_p95_s": 40.0,
        "wait_p99_s": 40.0,
        "wait_floor_p50_s": 18.0,
        "wait_floor_p95_s": 20.0,
        "wait_floor_p99_s": 20.0,
        "paid_instance_s": 4_500.0,
        "ideal_instance_s": 3_600.0,
        "paid_over_ideal": 1.25,
        "writes": 12,
        "lowering_writes": 4,
        "registrations": 9,
        "cells": 3,
        "peak_instances": 5,
    }


def test_an_amount_stands_beside_its_machine_and_the_date_and_source_of_its_price() -> None:
    """4,500 s of 4 vCPU at 0.000011244 and 16 GiB at 0.000001235 USD."""
    found = document(Told(outcome=OUTCOME, floors=TOLD.floors, machine=MACHINE, price=WORKER_POOL))
    cost = found["cost"]
    assert isinstance(cost, dict)
    assert (cost["paid_usd"], cost["ideal_usd"]) == (0.2913, 0.233)
    assert cost["machine"] == {"vcpu": 4, "memory_gib": 16.0}
    assert cost["price"]["as_of"] == "2025-09"
    assert "article" in cost["price"]["source"]


def test_one_policy_is_the_object_itself_and_several_stand_under_policies() -> None:
    assumptions = assumed(Assumptions(), list_lag_s=0.0)
    one = together([document(TOLD)], assumptions, {})
    assert one["policy"] == "cells"
    assert one["assumptions"] == assumptions
    two = together([document(TOLD)] * 2, assumptions, {frozenset({"gpu", "self-hosted"}): 3})
    assert two["policies"] == [document(TOLD)] * 2
    assert two["left_out"] == [{"labels": ["gpu", "self-hosted"], "jobs": 3}]
    json.dumps(two)


def test_the_least_that_must_be_paid_is_told_where_it_was_asked_for() -> None:
    assert "least_paid_over_ideal" not in together([document(TOLD)], {}, {})
    assert together([document(TOLD)], {}, {}, least=1.00168)["least_paid_over_ideal"] == 1.0017
    assert sentences([TOLD], least=1.00168)[-1] == (
        "No policy that starts each of these jobs at once pays less than 1.00 times the ideal."
    )


def test_assumptions_are_named_as_the_options_are() -> None:
    assert assumed(Assumptions()) == {
        "max_runners": 300,
        "max_cells": 60,
        "writes_per_minute": 30,
        "registrations_per_minute": 150,
        "start_s": 12.0,
        "registration_s": 6.0,
        "restart_s": 4.0,
        "warm": 0,
        "seed": 1,
        "webhook_s": 0.5,
        "write_s": 0.3,
        "settle_s": 3.0,
    }


def test_a_row_has_a_value_for_each_heading() -> None:
    assert dict(zip(HEAD, row(TOLD), strict=True)) == {
        "policy": "cells",
        "completed": "6 of 10",
        "killed": "1",
        "lost": "2",
        "wait p50": "19.0 s",
        "wait p95": "40.0 s",
        "floor p95": "20.0 s",
        "wait p99": "40.0 s",
        "paid / ideal": "1.25",
        "writes": "12",
        "cells": "3",
        "peak": "5",
    }


def test_the_sentence_says_how_the_jobs_that_did_not_end_by_themselves_ended() -> None:
    assert sentences([TOLD])[0] == (
        "cells: of 10 jobs 1 stopped by a lowered count, 1 stopped by Cloud Run itself, 1 stopped at the time limit of a job "
        "or not over at the end, 1 never begun; 95 of 100 jobs that began ran within 40.0 s; 1.25 times the ideal was paid."
    )


def test_money_is_told_with_the_date_and_source_of_its_price() -> None:
    told = sentences([Told(outcome=OUTCOME, floors=TOLD.floors, machine=MACHINE, price=WORKER_POOL)])[-1]
    assert told.startswith(
        "cells, instances of 4 vCPU / 16 GiB: 0.291 USD (list price of 2025-09, quoted by others"
    )
