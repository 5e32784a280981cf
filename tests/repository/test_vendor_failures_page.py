"""The page of published failures has a line for each row of the tests, and a row for each line."""

import re
from pathlib import Path

import pytest

from tests.repository import tree
from tests.vendor_failures.test_vendor_failures import ROWS

LINES = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in tree.text_of(Path("docs/reference/vendor_failures.md")).splitlines()
    if line.startswith("| ") and not line.startswith("| what")
]


def test_each_line_names_its_own_row_and_each_row_has_its_line() -> None:
    named = [line[-1].strip("`| ") for line in LINES]
    assert sorted(named) == sorted(row.name for row in ROWS)


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line[-1].strip("`| ")))
def test_a_line_says_where_it_was_read_and_which_file_handles_it(line: list[str]) -> None:
    what, handled, _ = line
    assert re.search(r"\]\(https://|\((Google|the same|tsz|ai-research-arm)", what), "no source"
    files = re.findall(r"`([a-z_/]+\.py)`", handled)
    assert files
    assert [file for file in files if not (tree.ROOT / file).exists()] == []
