"""PURE: which sizes the cells of a pool have, when nobody says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

# A closing or cooling cell counts until its zero is seen and settled, so about a fifth of all instances is on top of max.
SPARE = 0.2

# A size is a bound and no portion: the decision asks for as few instances of a cell as the writes allow. With 30 writes a
# minute, some kept for closing, cells of this size let a burst grow as fast as GitHub's 150 registrations a minute.
LEAST = 8

# What a cell may be labelled with; see scaler/cell_directory.py.
MOST = 100


def default_sizes(max_runners: int, max_cells: int) -> Sequence[int]:
    """The sizes of at most `max_cells` cells that together hold `max_runners` and a fifth more."""
    room = ceil(max_runners * (1 + SPARE))
    cells = min(max_cells, room)
    return (min(MOST, max_runners, max(LEAST, ceil(room / cells))),) * cells
