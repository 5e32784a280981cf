"""PURE: which sizes the cells of a pool have, when nobody says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

# A closing or cooling cell counts until its zero is seen and settled, so about a fifth of all instances is on top of max.
SPARE = 0.2


def default_sizes(max_runners: int, max_cells: int) -> Sequence[int]:
    """The sizes of at most `max_cells` cells that together hold `max_runners` and a fifth more, the smallest first."""
    room = ceil(max_runners * (1 + SPARE))
    if room <= max_cells:
        return (1,) * room
    sizes = [1] * max_cells
    left = room - max_cells
    # Half of the cells stay at one instance; the others share what is left, each a little larger than the one before.
    growing = list(range(max_cells // 2, max_cells))
    weights = [1.0 + 3.0 * (index - growing[0]) / max(1, len(growing) - 1) for index in growing]
    scale = left / sum(weights)
    for index, weight in zip(growing, weights, strict=True):
        sizes[index] += int(weight * scale)
    index = len(sizes) - 1
    while sum(sizes) < room:
        sizes[index] += 1
        index = index - 1 if index > growing[0] else len(sizes) - 1
    return tuple(sorted(sizes))
