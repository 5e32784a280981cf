"""A change of the planner shows in a table that is reviewed, not only in bounds that it still keeps."""

from __future__ import annotations

import difflib

from tests.simulation.golden import REFRESH, TABLE, drawn


def test_the_planner_does_with_fixed_seeds_what_the_table_says() -> None:
    """Writes, registrations, cells, peak and price are as they were when somebody last agreed to them."""
    golden, now = TABLE.read_text(encoding="utf-8"), drawn()
    drift = "\n".join(
        difflib.unified_diff(golden.splitlines(), now.splitlines(), "golden", "now", lineterm="")
    )
    assert golden == now, (
        f"The planner decides otherwise than in {TABLE.name}:\n{drift}\n"
        f"If that is meant, run `{REFRESH}`, commit the table, and say in the message why the numbers moved."
    )
