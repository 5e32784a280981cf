"""The page about the model says what the model found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.model.guards import GUARDS, Guard
from tests.model.settings import IN_MAKE_TEST, LARGER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/protocol_model.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith("| ")
]


def test_each_guard_has_its_row_with_its_place_and_the_length_of_its_story() -> None:
    """Sentence, file and function, steps; no row without a guard."""
    rows = [row for row in ROWS if row[-1].isdigit() and len(row) == 3]
    assert rows == [(guard.says, f"`{guard.stands}`", str(guard.steps)) for guard in GUARDS]


def test_each_setting_has_its_row_with_its_states() -> None:
    """Those of `make test` first."""
    rows = [row for row in ROWS if row[-1].isdigit() and len(row) == 4]
    known = [("`make test`", each) for each in IN_MAKE_TEST] + [
        ("`make check-model`", each) for each in LARGER
    ]
    assert rows == [(str(it.setting), where, f"{it.states:,}", str(it.depth)) for where, it in known]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_its_row_says(guard: Guard) -> None:
    """The file is there, and has the function that is named."""
    file, function = guard.stands.split(" ")
    assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")
