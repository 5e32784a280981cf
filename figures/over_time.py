"""Instances, running and queued jobs over time: one panel for each policy on the same trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.numbers import counted, paid_over_ideal
from figures.style import BLUE, ORANGE, SKY, house_style, svg
from simulator.outcome import Outcome, Sample

# More points than this cannot be told apart at this width, and the file grows with them.
MOST_POINTS = 240
_HOUR = 3600.0


def over_time(outcomes: Mapping[str, Outcome]) -> bytes:
    """An SVG file. `outcomes`: at least one, by the name of the policy, each with samples, in the order of the panels.

    Each point is the largest number within its span of time, so that no peak is lost.
    """
    with house_style():
        figure = Figure(figsize=(8.0, 1.0 + 1.9 * len(outcomes)), layout="constrained")
        panels = figure.subplots(len(outcomes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for panel, (policy, outcome) in zip(panels, outcomes.items(), strict=True):
            _draw(panel, outcome)
            panel.set_title(
                f"{policy}: {counted(outcome.killed, 'job')} stopped, paid {paid_over_ideal(outcome):.2f} times ideal"
            )
            panel.set_ylabel("number")
        # They share it; set earlier it would hold the first one's top.
        panels[-1].set_ylim(bottom=0)
        panels[-1].set_xlabel("time since the trace began (hours)")
        figure.suptitle(_finding(outcomes))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return svg(figure)


def _draw(panel: Axes, outcome: Outcome) -> None:
    samples = outcome.samples
    for label, of, look in (
        ("instances that are paid", lambda each: each.instances, {"color": SKY}),
        ("running jobs", lambda each: each.running, {"color": BLUE, "linewidth": 1.2}),
        (
            "queued jobs",
            lambda each: each.queued,
            {"color": ORANGE, "linewidth": 1.0, "linestyle": "--"},
        ),
    ):
        times, numbers = peaks(samples, of)
        hours = [at / _HOUR for at in times]
        if label.startswith("instances"):
            panel.fill_between(hours, numbers, label=label, linewidth=0.0, **look)
        else:
            panel.plot(hours, numbers, label=label, **look)
    panel.margins(x=0)


def peaks(
    samples: Sequence[Sample], of: Callable[[Sample], int], *, most: int = MOST_POINTS
) -> tuple[Sequence[float], Sequence[int]]:
    """Times (seconds) and the largest number of each of at most so many equal spans; spans without a sample are left out."""
    if len(samples) <= most:
        return [each.at for each in samples], [of(each) for each in samples]
    begin, end = samples[0].at, samples[-1].at
    largest: dict[int, int] = {}
    for each in samples:
        span = min(most - 1, int((each.at - begin) / (end - begin) * most))
        largest[span] = max(largest.get(span, 0), of(each))
    return [begin + (span + 0.5) * (end - begin) / most for span in largest], list(largest.values())


def _finding(outcomes: Mapping[str, Outcome]) -> str:
    harmless = [policy for policy, outcome in outcomes.items() if outcome.killed == 0]
    nearest = min(harmless or outcomes, key=lambda policy: abs(paid_over_ideal(outcomes[policy]) - 1.0))
    told = ", ".join(harmless) if harmless else "no policy"
    return f"No job stopped: {told}\nOf these {nearest} pays nearest to what the jobs need"
