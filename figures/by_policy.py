"""One row for each policy on the same trace: how long jobs waited, and what was paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from figures.numbers import counted, paid_over_ideal
from figures.style import BLUE, COLOURS, DARK, GREY, MARKERS, ORANGE, house_style, svg
from simulator.outcome import Outcome, percentile

SHARES = ((0.5, "half of the jobs (p50)"), (0.95, "95 of 100 (p95)"), (0.99, "99 of 100 (p99)"))
FLOOR = "all-knowing scaler"
# A wait of less has no place on an axis of powers.
_SHORTEST_SECONDS = 0.1
_TICKS = (0.1, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800)


def waits(outcomes: Mapping[str, Outcome], *, floor: Sequence[float]) -> bytes:
    """An SVG file: percentiles of the wait. `floor`: the waits in seconds that no scaler could have made shorter."""
    rows = {FLOOR: floor, **{policy: outcome.waits for policy, outcome in outcomes.items()}}
    with house_style():
        figure = Figure(figsize=(8.0, 1.9 + 0.42 * len(rows)), layout="constrained")
        panel = figure.subplots()
        for (share, label), colour, marker in zip(SHARES, COLOURS, MARKERS, strict=False):
            seconds = [max(_SHORTEST_SECONDS, percentile(each, share)) for each in rows.values()]
            panel.plot(
                seconds,
                range(len(rows)),
                label=label,
                color=colour,
                marker=marker,
                linestyle="",
                markersize=7,
            )
            panel.axvline(seconds[0], color=colour, linewidth=0.8, linestyle=":")
        _seconds_axis(panel)
        _policies_axis(panel, list(rows))
        panel.set_xlabel("wait from queued to running (seconds)")
        figure.suptitle(_shortest_wait(outcomes, floor))
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return svg(figure)


def paid(outcomes: Mapping[str, Outcome]) -> bytes:
    """An SVG file: what was paid, as a multiple of what the jobs needed, and how many jobs were stopped for it."""
    ratios = [paid_over_ideal(outcome) for outcome in outcomes.values()]
    with house_style():
        figure = Figure(figsize=(8.0, 1.5 + 0.42 * len(outcomes)), layout="constrained")
        panel = figure.subplots()
        colours = [ORANGE if outcome.killed else BLUE for outcome in outcomes.values()]
        panel.barh(range(len(outcomes)), ratios, color=colours, height=0.6)
        for row, (outcome, ratio) in enumerate(zip(outcomes.values(), ratios, strict=True)):
            told = f" {ratio:.2f}" + (f", {counted(outcome.killed, 'job')} stopped" if outcome.killed else "")
            panel.text(ratio, row, told, va="center", color=DARK)
        panel.axvline(1.0, color=GREY, linewidth=1.0, linestyle="--")
        panel.set_xlim(0.0, 1.35 * max(1.0, *ratios))
        _policies_axis(panel, list(outcomes))
        panel.set_xlabel("paid instance seconds over ideal (1 = start, registration and work, no more)")
        figure.suptitle(_least_paid(outcomes))
        return svg(figure)


def _policies_axis(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_ylabel("policy")
    panel.grid(visible=False, axis="y")


def _seconds_axis(panel: Axes) -> None:
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    ticks = [each for each in _TICKS if low <= each <= high]
    panel.set_xticks(ticks, [f"{each:,}" for each in ticks])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_minor_formatter(NullFormatter())


def _shortest_wait(outcomes: Mapping[str, Outcome], floor: Sequence[float]) -> str:
    best = min(outcomes, key=lambda policy: outcomes[policy].wait(0.95))
    return (
        f"{best} waits least: 95 of 100 jobs at most {outcomes[best].wait(0.95):.0f} s, "
        f"{percentile(floor, 0.95):.0f} s where nothing is idle"
    )


def _least_paid(outcomes: Mapping[str, Outcome]) -> str:
    harmless = {policy: outcome for policy, outcome in outcomes.items() if outcome.killed == 0}
    if not harmless:
        return "Every policy stops running jobs"
    best = min(harmless, key=lambda policy: paid_over_ideal(harmless[policy]))
    return (
        f"Of those that stop no job {best} pays least: {paid_over_ideal(harmless[best]):.2f} times ideal, "
        f"wait p95 {harmless[best].wait(0.95):,.0f} s"
    )
