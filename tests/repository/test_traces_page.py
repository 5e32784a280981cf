"""The page of traces agrees with the reader, with the generators and with the error's exit code."""

import re
from pathlib import Path

from simulator import errors
from simulator.assumptions import Assumptions
from simulator.crowding import most_at_once
from simulator.errors import SimulatorError, TraceUnusable
from simulator.generators import GENERATORS, generated
from simulator.trace_file import COLUMNS, parsed_trace
from tests.repository import tree

PAGE = tree.text_of(Path("docs/reference/traces.md"))


def rows(title: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE.partition(f"## {title}\n")[2], re.MULTILINE)
    assert table is not None
    return [[cell.strip("` ") for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def test_the_page_lists_the_columns_in_their_order() -> None:
    assert tuple(row[0] for row in rows("The file")) == COLUMNS


def test_the_example_can_be_read() -> None:
    example = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert len(parsed_trace(example[1], name="the example")) == 3


def test_the_page_says_of_each_generator_what_the_table_in_the_code_says_and_what_comes_of_it() -> None:
    expected = []
    for name, sentence in GENERATORS.items():
        trace = generated(name, 1)
        last = f"{trace[-1].queued_at / 3600:.1f} h"
        expected.append([name, sentence, f"{len(trace):,}", last, str(most_at_once(trace, Assumptions()))])
    assert rows("The generators") == expected


def test_the_page_names_the_exit_code_of_a_trace_that_cannot_be_used() -> None:
    assert re.findall(r"the exit code is (\d+)", PAGE) == [str(TraceUnusable.exit_code)]


def test_the_tree_of_the_simulators_errors_is_drawn_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn = dict(re.findall(r"^    (?:[├└]── )?(\w+) +(\d+)  ", errors.__doc__, re.MULTILINE))
    kinds: list[type[SimulatorError]] = [SimulatorError, *SimulatorError.__subclasses__()]
    assert drawn == {kind.__name__: str(kind.exit_code) for kind in kinds}
