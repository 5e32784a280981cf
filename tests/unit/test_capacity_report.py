"""What the admin reads of a history and of the advice, the file that is saved, and the assumptions behind it."""

import csv
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from runner_pool.capacity.documents import advice_documents, history_document
from runner_pool.capacity.history import History, LeftOut
from runner_pool.capacity.report import MOST_ROWS, advice_lines, history_lines
from runner_pool.capacity.saving import save_trace
from runner_pool.capacity.study import assumptions_of
from runner_pool.errors import UsageError
from simulator.advice import GRID, MIXES, Advice, Grid, advice
from simulator.assumptions import Assumptions
from simulator.outcome import Outcome
from simulator.prices import WORKER_POOL, Machine
from simulator.trace import Trace, TraceJob
from simulator.trace_file import read_trace
from tests.config_text import SMALLEST, config_from
from tests.history_jobs import SINCE

TRACE = (
    TraceJob(queued_at=0.0, duration=100.0, labels=frozenset({"self-hosted", "linux"}), job='say "a", b'),
    TraceJob(queued_at=50.0, duration=100.0),
    TraceJob(queued_at=100.0, duration=3_400.0),
)

LINUX_LINE = (
    "  pool linux: 3, with 1.0 hours of work; half of them within 100 s, the longest 3400 s, "
    "at most 2 at once had none waited"
)


def test_the_history_says_what_was_found_left_out_and_not_read() -> None:
    """Of the three jobs two would have run at once: the third begins when the first ends."""
    found = History(
        since=SINCE,
        until=SINCE + 7 * 86_400.0,
        traces={"linux": TRACE, "large": ()},
        left_out={LeftOut.NEVER_RAN: 4, LeftOut.NO_POOL: 2},
        unread=("acme/x was not read to its end: gone",),
    )
    assert history_lines(found) == [
        "finished jobs from 2027-01-15 08:00 UTC to 2027-01-22 08:00 UTC: 3",
        LINUX_LINE,
        "  pool large: no job",
        "  left out, 4: jobs that never ran: skipped, or cancelled before a runner began",
        "  left out, 2: jobs that ask for labels that no pool has",
        "  not read: acme/x was not read to its end: gone",
    ]


def simulate(trace: Trace, assumptions: Assumptions, sizes: Sequence[int]) -> Outcome:
    """An hour for each cell; nobody waits."""
    return Outcome(
        policy="fake",
        jobs=3,
        completed=3,
        killed=0,
        lost=0,
        waits=[6.0, 6.0, 12.0],
        paid=3_600.0 * len(sizes),
        ideal=3_600.0,
        writes=0,
        lowering_writes=0,
        registrations=0,
        cells=len(sizes),
        peak_instances=1,
    )


def advice_for(grid: Grid) -> Advice:
    return advice(
        TRACE,
        Assumptions(),
        simulate,
        machine=Machine(vcpu=4, memory_gib=Decimal(16)),
        price=WORKER_POOL,
        waiting_usd_per_hour=Decimal(15),
        grid=grid,
    )


def lines_for(grid: Grid) -> list[str]:
    return advice_lines("linux", advice_for(grid))


def test_the_advice_is_a_table_with_the_recommended_row_marked_and_its_prices_below() -> None:
    told = lines_for(Grid(cells=(10, 20), mixes=MIXES[:1], warm=(0,)))
    assert told[0].startswith("pool linux: 10 cells, single (1), warm 0 cost least: 2.430 USD")
    head, first, second = (" ".join(line.split()) for line in told[1:4])
    assert head == "cells sizes warm wait p50 wait p95 instance hours instances waiting total"
    assert first == "> 10 single (1) 0 6 s 12 s 10.0 2.330 USD 0.100 USD 2.430 USD"
    assert second == "20 single (1) 0 6 s 12 s 20.0 4.661 USD 0.100 USD 4.761 USD"
    assert len({len(line) for line in told[1:4]}) == 1
    assert told[4].startswith(
        "  an hour of 4 vCPU / 16 GiB: 0.233 USD (list price of 2025-09, quoted by others"
    )
    assert told[5] == "  an hour of waiting: 15.00 USD, as stated"


def test_of_a_large_grid_the_cheapest_rows_are_shown_and_the_rest_counted() -> None:
    told = lines_for(GRID)
    assert told[2 + MOST_ROWS] == f"  and {100 - MOST_ROWS} dearer choices"


def test_a_saved_trace_has_a_line_for_each_job_in_the_columns_of_the_format(tmp_path: Path) -> None:
    save_trace(TRACE, tmp_path / "week.csv")
    with (tmp_path / "week.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["queued_at_s", "duration_s", "labels", "repo", "workflow", "job"]
    assert rows[1] == ["0.0", "100.0", "linux;self-hosted", "acme/app", "ci", 'say "a", b']
    assert len(rows) == 4


def test_a_file_that_cannot_be_written_is_told_with_its_name(tmp_path: Path) -> None:
    """As an option that cannot be honoured: with the command's code 2, not with the code of a bad trace."""
    with pytest.raises(UsageError, match="no-folder") as told:
        save_trace(TRACE, tmp_path / "no-folder" / "week.csv")
    assert told.value.what.startswith("--save: The trace ")
    assert told.value.remedy == "Give a path in a folder that exists and may be written to."


def test_what_is_saved_is_read_back_as_the_same_jobs(tmp_path: Path) -> None:
    save_trace(TRACE, tmp_path / "week.csv")
    assert read_trace(tmp_path / "week.csv") == list(TRACE)


def test_an_advice_is_a_document_with_every_choice_the_best_first() -> None:
    found = advice_for(Grid(cells=(10, 20), mixes=MIXES[:1], warm=(0,)))
    (document,) = advice_documents({"linux": found})
    assert document["pool"] == "linux"
    assert document["why"] == found.why
    rows = document["rows"]
    assert isinstance(rows, list)
    assert [(row["cells"], row["total_usd"]) for row in rows] == [(10, 2.4305), (20, 4.761)]
    assert rows[0]["pattern"] == [1]
    assert document["waiting_usd_per_hour"] == 15.0
    json.dumps(document)


def test_a_history_is_a_document_with_what_was_left_out() -> None:
    found = History(
        since=SINCE,
        until=SINCE + 86_400.0,
        traces={"linux": TRACE},
        left_out={LeftOut.NEVER_RAN: 2},
        unread=("run 7 of acme/app was deleted meanwhile",),
    )
    assert history_document(found) == {
        "since": SINCE,
        "until": SINCE + 86_400.0,
        "jobs": {"linux": 3},
        "left_out": {LeftOut.NEVER_RAN.value: 2},
        "unread": ["run 7 of acme/app was deleted meanwhile"],
    }


def test_the_assumptions_come_from_the_configuration(tmp_path: Path) -> None:
    """The pool's max, unless all pools together may have less."""
    config = config_from(tmp_path, SMALLEST.replace("max: 3", "max: 300\n    warm: 2"))
    found = assumptions_of(config, config.pools[0])
    assert (found.max_runners, found.warm) == (100, 2)
    assert (found.writes_per_minute, found.registrations_per_minute) == (30, 150)
