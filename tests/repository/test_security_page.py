"""The page on security names for each row the test that shows it, or says that there is none; each named test exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.repository import tree

PAGE = tree.text_of(Path("docs/explanation/security.md"))
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# The row says so itself where nothing here can show it.
NONE = re.compile(r"^no test(?: here)?: ")


def rows() -> list[list[str]]:
    """The cells of each row whose table has a column "shown by"."""
    found, inside = [], False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif cells[-1] == "shown by":
            inside = True
        elif inside and not set(line) <= set("|- "):
            found.append(cells)
    return found


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests."""
    nodes = ast.walk(ast.parse(tree.text_of(Path(file))))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_the_page_has_its_tables() -> None:
    assert len(rows()) > 30


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_each_row_names_a_test_that_exists_or_says_that_there_is_none(row: list[str]) -> None:
    named = NAMED.findall(row[-1])
    assert bool(named) != bool(NONE.match(row[-1])), row
    for file, name in named:
        assert (tree.ROOT / file).exists(), file
        assert name in names_in(file), f"{file} has no {name}"


def test_every_test_that_the_page_names_is_in_such_a_row() -> None:
    assert set(NAMED.findall(PAGE)) == {each for row in rows() for each in NAMED.findall(row[-1])}
