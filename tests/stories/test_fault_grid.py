"""A short selection of the grid of faults, one of each side and a mixture; `make test-faults` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.__main__ import grid
from tests.faults.case import mixture, names, single
from tests.faults.table import table

# Numbers with which each strikes for certain, however quick the burst is: a row without a stroke fails.
SELECTION = {
    "instance-dies": {"per_minute": 60, "most": 3},
    "github-reply-lost": {"share": 1, "most": 2},
    "run-list-empty": {"share": 1, "most": 3},
    "runner-dies": {"seconds": 1, "share": 1, "most": 2},
    "network-cut-from-scaler": {"per_minute": 12, "seconds": 4},
    "record-lost": {"per_minute": 12, "seconds": 5},
}
MIXTURES = (1,)


@pytest.mark.timeout(400)
def test_a_burst_under_faults_is_done_or_reported_never_stopped_never_run_twice_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    """Every row is as promised, and its fault has struck."""
    cases = [single(name, numbers=numbers) for name, numbers in SELECTION.items()]
    cases += map(mixture, MIXTURES)
    results = grid(cases, tmp_path, jobs=4, at_once=2)
    wrong = [result for result in results if not result.faultless]
    if wrong:
        Console(width=180).print(table(results))
    assert wrong == []


def test_every_fault_has_a_row_and_a_mixture_is_the_same_each_time() -> None:
    """A row that fails can be lived through again."""
    assert len(names()) == len(set(names())) > 60
    assert {case.name for case in map(single, names())} == set(names())
    assert mixture(7) == mixture(7)
    assert mixture(7).faults != mixture(8).faults
