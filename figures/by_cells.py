"""What more cells are worth: wait and price over the number of cells, a curve for each budget of writes."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from figures.numbers import paid_over_ideal
from figures.style import COLOURS, LINES, MARKERS, house_style, svg
from simulator.outcome import Outcome


def by_cells(curves: Mapping[str, Mapping[int, Outcome]]) -> bytes:
    """An SVG file. `curves`: up to four, by their label; each has an outcome for every number of cells."""
    numbers = sorted({number for curve in curves.values() for number in curve})
    with house_style():
        figure = Figure(figsize=(8.0, 5.2), layout="constrained")
        wait, price = figure.subplots(2, 1, sharex=True)
        for (label, curve), colour, line, marker in zip(
            curves.items(), COLOURS, LINES, MARKERS, strict=False
        ):
            ranked = sorted(curve)
            for panel, values in (
                (wait, [curve[number].wait(0.95) for number in ranked]),
                (price, [paid_over_ideal(curve[number]) for number in ranked]),
            ):
                panel.plot(ranked, values, label=label, color=colour, linestyle=line, marker=marker)
        longest = max(outcome.wait(0.95) for curve in curves.values() for outcome in curve.values())
        wait.set_ylim(0.0, 1.2 * max(1.0, longest))
        wait.set_ylabel("wait, p95 (seconds)")
        price.set_ylabel("paid over ideal")
        price.set_xlabel("number of cells")
        price.set_xscale("log")
        price.set_xticks(numbers, [f"{number}" for number in numbers])
        price.xaxis.set_minor_locator(NullLocator())
        price.xaxis.set_minor_formatter(NullFormatter())
        figure.suptitle(_finding(curves))
        figure.legend(*wait.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return svg(figure)


def _finding(curves: Mapping[str, Mapping[int, Outcome]]) -> str:
    label, curve = next(iter(curves.items()))
    few, many = curve[min(curve)], curve[max(curve)]
    return (
        f"{max(curve)} cells instead of {min(curve)}, {label}:\nwait p95 {few.wait(0.95):.0f} → {many.wait(0.95):.0f} s, "
        f"paid {paid_over_ideal(few):.2f} → {paid_over_ideal(many):.2f} times ideal"
    )
