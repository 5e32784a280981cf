"""Figures: made-up outcomes become SVG files that say what they show, and the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from figures import __main__ as program
from figures.by_cells import by_cells
from figures.by_policy import paid, waits
from figures.over_time import MOST_POINTS, over_time, peaks
from figures.page import places, with_tables
from figures.runs import Runs
from figures.stopped import stopped
from figures.tables import REASONS, TABLES
from simulator.assumptions import Assumptions
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome, Sample
from simulator.trace import Trace, TraceJob

MOST_BYTES = 150_000
HOURS_OF_SAMPLES = 12


def made_up(
    policy: str = "cells", *, killed: int = 0, slower: float = 1.0, samples: Sequence[Sample] | None = None
) -> Outcome:
    """An outcome of half a day with a sample every ten seconds."""
    each_ten_seconds = [
        Sample(at=at, instances=40 + at // 7 % 90, running=30 + at // 11 % 70, queued=at // 13 % 200)
        for at in range(0, HOURS_OF_SAMPLES * 3600, 10)
    ]
    return Outcome(
        policy=policy,
        jobs=100,
        completed=100 - killed,
        killed=killed,
        lost=0,
        waits=[slower * (6.0 + number) for number in range(100)],
        paid=1_000.0 + 100.0 * slower,
        ideal=1_000.0,
        writes=90,
        lowering_writes=40,
        registrations=100,
        cells=60,
        peak_instances=130,
        samples=each_ten_seconds if samples is None else samples,
    )


OUTCOMES = {
    "cells": made_up(),
    "crema": made_up("crema", killed=53, slower=4.0),
    "quiescent": made_up("quiescent", slower=2.0),
}
CURVES = {
    "30 writes a minute": {cells: made_up(slower=120 / cells) for cells in (40, 60, 120, 300)},
    "180 writes a minute": {cells: made_up(slower=60 / cells) for cells in (40, 60, 120, 300)},
}

FIGURES: dict[str, tuple[Callable[[], bytes], Sequence[str]]] = {
    "over time": (
        lambda: over_time(OUTCOMES),
        ("number", "time since the trace began (hours)", "queued jobs", "crema: 53 jobs stopped, paid 1.40 times ideal",
            "No job stopped: cells, quiescent", "Of these cells pays nearest to what the jobs need"),
    ),
    "waits": (
        lambda: waits(OUTCOMES, floor=[5.0] * 100),
        (
            "wait from queued to running (seconds)",
            "policy",
            "all-knowing scaler",
            "cells waits least: 95 of 100 jobs at most 100 s, 5 s where nothing is idle",
        ),
    ),
    "paid": (
        lambda: paid(OUTCOMES),
        (
            "paid instance seconds over ideal (1 = start, registration and work, no more)",
            "policy",
            "1.40, 53 jobs stopped",
            "Of those that stop no job cells pays least: 1.10 times ideal, wait p95 100 s",
        ),
    ),
    "stopped": (
        lambda: stopped({"team": OUTCOMES, "matrix": OUTCOMES}),
        (
            "running jobs that a lowered count stopped (% of all jobs)",
            "team",
            "53 of 100 jobs",
            "crema stopped 106 running jobs; cells 0",
        ),
    ),
    "cells": (
        lambda: by_cells(CURVES),
        (
            "number of cells",
            "wait, p95 (seconds)",
            "paid over ideal",
            "wait p95 300 → 40 s, paid 1.30 → 1.04 times ideal",
        ),
    ),
}  # fmt: skip


def texts(drawn: bytes) -> set[str]:
    """What stands in a figure, as a reader sees it."""
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return {"".join(each.itertext()).strip() for each in root.iter("{http://www.w3.org/2000/svg}text")}


@cache
def drawn_once(figure: str) -> bytes:
    """Drawn for the first time, whatever the order of the tests."""
    return FIGURES[figure][0]()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_says_what_its_axes_are_and_what_it_has_found(figure: str) -> None:
    assert set(FIGURES[figure][1]) <= texts(drawn_once(figure))


def test_figures_are_the_same_bytes_each_time_whatever_was_drawn_before() -> None:
    first = {figure: drawn_once(figure) for figure in FIGURES}
    assert {figure: draw() for figure, (draw, _) in reversed(FIGURES.items())} == first


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_small_has_its_own_white_paper_and_bears_no_date(figure: str) -> None:
    drawn = drawn_once(figure)
    assert len(drawn) < MOST_BYTES
    assert b"fill: #ffffff" in drawn
    assert not re.search(rb"<dc:date|\b20\d\d-\d\d-\d\d", drawn)


def test_a_peak_of_one_sample_is_in_the_figure_however_many_samples_there_are() -> None:
    samples = [
        Sample(at=float(at), instances=700 if at == 5_001 else 2, running=1, queued=0) for at in range(10_000)
    ]
    times, instances = peaks(samples, lambda each: each.instances)
    assert len(times) == len(instances) == MOST_POINTS
    assert max(instances) == 700
    assert sorted(times) == list(times)


def test_few_samples_are_drawn_as_they_are() -> None:
    samples = [Sample(at=at, instances=1, running=1, queued=0) for at in (0.0, 2.0, 7.5)]
    assert peaks(samples, lambda each: each.running) == ([0.0, 2.0, 7.5], [1, 1, 1])


def test_where_every_policy_stops_jobs_none_is_called_the_cheapest() -> None:
    assert "Every policy stops running jobs" in texts(paid({"crema": made_up("crema", killed=1)}))


class MadeUp:
    """A simulator that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int, int]] = []

    def simulate(self, policy: str, trace: Trace, assumptions: Assumptions, faults: Faults) -> Outcome:
        assert faults == NO_FAULTS
        self.asked.append((policy, len(trace), assumptions.max_cells, assumptions.writes_per_minute))
        # The more jobs a trace has, the longer they wait: so that a worst one is known.
        return made_up(policy, slower=float(len(trace)), samples=made_up().samples[:5])

    def generated(self, name: str, seed: int) -> Trace:
        return [TraceJob(queued_at=0.0, duration=60.0)] * (len(name) + seed)

    def wait_floors(self, trace: Trace, assumptions: Assumptions) -> Sequence[float]:
        return [1.0, 2.0]

    def matrix_bound(self, trace: Trace, assumptions: Assumptions) -> float:
        return 1.5


def test_the_program_writes_every_figure_and_each_table_into_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No run is made twice, each is told with its CPU time, and nothing of the page but its places is changed."""
    page = tmp_path / "page.md"
    before = "".join(f"Of {name}.\n<!-- table: {name} -->\nold\n<!-- end of table -->\n" for name in TABLES)
    page.write_text(before)
    simulator = MadeUp()
    program.write(simulator, into=tmp_path / "new", page=page)
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(program.FIGURES)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(set(told)) == len(simulator.asked)
    assert all("s of CPU" in line for line in told)
    inside = places(page.read_text())
    assert with_tables(page.read_text(), dict.fromkeys(TABLES, "old")) == with_tables(
        before, dict.fromkeys(TABLES, "old")
    )
    for name, table in TABLES.items():
        rows = [line.strip("| ").split(" | ") for line in inside[name].strip().splitlines()[2:]]
        assert sorted(tuple(row[: len(table.names[0])]) for row in rows) == sorted(table.names)
    assert "| 1.50 |" in inside["promises"]


def test_the_worst_row_of_the_traces_never_tuned_on_is_the_first_and_says_why(tmp_path: Path) -> None:
    runs = Runs(MadeUp(), cpu_seconds=lambda: 0.0, told=lambda line: None)
    rows = TABLES["unseen"].rows(runs)
    over = [(float(row[6]), float(row[7])) for row in rows]
    assert over == sorted(over, reverse=True)
    assert over[0] > over[-1]
    storm = next(row for row in rows if row[0] == "retry-storm")
    assert storm[-1] == REASONS["retry-storm"]


def test_a_page_without_the_place_of_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="places for"):
        with_tables("<!-- table: promises -->\n<!-- end of table -->\n", {"unseen": ""})
