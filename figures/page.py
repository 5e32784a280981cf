"""PURE: the places of a page that are written by a program, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(
    r"(?P<begin><!-- table: (?P<name>[a-z-]+) -->\n)(?P<inside>.*?)(?P<end><!-- end of table -->)", re.DOTALL
)


def places(page: str) -> dict[str, str]:
    """What stands between the markers of each table, by the table's name."""
    return {found["name"]: found["inside"] for found in _PLACE.finditer(page)}


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table in its place. Raises ValueError when places and tables are not the same."""
    if sorted(places(page)) != sorted(tables):
        raise ValueError(
            f"The page has places for {sorted(places(page))}, and the tables are {sorted(tables)}"
        )
    return _PLACE.sub(lambda found: f"{found['begin']}\n{tables[found['name']]}\n{found['end']}", page)
