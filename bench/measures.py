"""Figures of several runs and the table that shows them. Pure: runs nothing and reads no clock."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("bench", "measured in this run", "runs", "target", "verdict")
_WIDTHS = (24, 92, 22, 30, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `met` is None where there is no target, or where the bench was skipped."""

    bench: str
    measured: str
    runs: str
    target: str = "none"
    met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of the columns, in the order of HEADINGS."""
        verdict = "" if self.met is None else "met" if self.met else "falls short"
        return (self.bench, self.measured, self.runs, self.target, verdict)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values, so no percentile")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def union_seconds(spans: Sequence[tuple[float, float]]) -> float:
    """How long at least one of the spans (begin, end) lasted; what overlaps counts once."""
    total, reached = 0.0, -math.inf
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def table_line(cells: Sequence[str], *, markdown: bool) -> str:
    """One line of the table, for a page or for a terminal."""
    if markdown:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    padded = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    return "  ".join(padded).rstrip()


def table_head(*, markdown: bool) -> str:
    """The headings, and for a page the line below them."""
    line = table_line(HEADINGS, markdown=markdown)
    return f"{line}\n|{'---|' * len(HEADINGS)}" if markdown else line
