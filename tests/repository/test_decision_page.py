"""The page on the decision has the figures and tables that `make figures` makes, and each number of the planner's code."""

import importlib
import pkgutil
import re
from dataclasses import MISSING, fields
from pathlib import Path

from figures.__main__ import FIGURES, INTO, PAGE
from figures.chosen import UNSEEN
from figures.page import places
from figures.tables import REASONS, TABLES
from scaler import core
from simulator.generators import GENERATORS
from tests.repository import tree

TEXT = tree.text_of(PAGE)
# Facts and no choices: they have no story.
NO_STORY = {("scaler.core.calendar", "MINUTES_OF_DAY")}


def cells_of(markdown: str) -> list[tuple[str, ...]]:
    """Every row of a table, without its head."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def numbers() -> list[tuple[str, float, str]]:
    """Name, value and module of each row of the table of numbers."""
    section = TEXT.split("## Every number and its story\n")[1].split("\n## ")[0]
    return [(row[0].strip("`"), float(row[1]), row[2].strip("`")) for row in cells_of(section)]


def value_in_code(module: str, name: str) -> object:
    """A module's constant, or the default of a class's field."""
    owner, _, field = name.partition(".")
    found = getattr(importlib.import_module(module), owner)
    if not field:
        return found
    (default,) = (each.default for each in fields(found) if each.name == field)
    assert default is not MISSING
    return default


def constants_of_the_core() -> set[tuple[str, str]]:
    """Each public number that a module of the core gives a name to."""
    found = set()
    for module in pkgutil.iter_modules(core.__path__, "scaler.core."):
        code = tree.text_of(Path(*module.name.split(".")).with_suffix(".py"))
        found |= {(module.name, name) for name in re.findall(r"^([A-Z][A-Z_]+) = [0-9]", code, re.MULTILINE)}
    return found


def test_every_number_of_the_page_is_the_one_in_the_code() -> None:
    wrong = [row for row in numbers() if value_in_code(row[2], row[0]) != row[1]]
    assert wrong == []


def test_every_number_of_the_planner_has_a_row_with_its_story() -> None:
    told = {(module, name) for name, _, module in numbers()}
    assert len(constants_of_the_core()) > 10
    assert constants_of_the_core() - NO_STORY <= told


def test_each_table_has_the_rows_that_the_command_would_make() -> None:
    """Their numbers cannot be made again in seconds; `make figures` does it."""
    inside = places(TEXT)
    assert set(inside) == set(TABLES)
    for name, table in TABLES.items():
        head = next(line for line in inside[name].splitlines() if line.startswith("|"))
        assert [cell.strip() for cell in head.strip("|").split("|")] == list(table.head)
        shown = [row[: len(table.names[0])] for row in cells_of(inside[name])]
        assert sorted(shown) == sorted(table.names), name


def test_the_rows_of_traces_never_tuned_on_stand_with_the_worst_first_and_those_that_are_bad_say_why() -> (
    None
):
    head = list(TABLES["unseen"].head)
    over, price, why = (head.index(name) for name in ("p95 / floor", "paid / ideal", "why"))
    rows = cells_of(places(TEXT)["unseen"])
    ranked = [(float(row[over]), float(row[price])) for row in rows]
    assert ranked == sorted(ranked, reverse=True)
    assert rows[0][why]
    assert {run.trace for run in UNSEEN} == set(GENERATORS)
    assert REASONS.keys() <= set(GENERATORS)


def test_every_figure_is_shown_on_the_page_and_no_other_one_is_kept() -> None:
    shown = re.findall(r"!\[[^\]]{20,}\]\(figures/([a-z_]+)\.svg\)", TEXT)
    kept = {path.stem for path in tree.files() if path.parent == INTO}
    assert set(shown) == set(FIGURES) == kept
    assert len(shown) == len(set(shown))
