"""How many running jobs each policy stopped by lowering a count, one panel for each trace."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from figures.numbers import counted
from figures.style import BLUE, DARK, ORANGE, house_style, svg
from simulator.outcome import Outcome


def stopped(by_trace: Mapping[str, Mapping[str, Outcome]]) -> bytes:
    """An SVG file. `by_trace`: outcomes by policy, by trace."""
    most_rows = max(len(outcomes) for outcomes in by_trace.values())
    with house_style():
        height = 1.1 + len(by_trace) * (0.5 + 0.3 * most_rows)
        figure = Figure(figsize=(8.0, height), layout="constrained")
        panels = figure.subplots(len(by_trace), 1, sharex=True, squeeze=False)[:, 0]
        most = 0.0
        for panel, (trace, outcomes) in zip(panels, by_trace.items(), strict=True):
            shares = [100.0 * each.killed / each.jobs if each.jobs else 0.0 for each in outcomes.values()]
            most = max(most, *shares)
            colours = [ORANGE if each.killed else BLUE for each in outcomes.values()]
            panel.barh(range(len(outcomes)), shares, color=colours, height=0.6)
            for row, (outcome, share) in enumerate(zip(outcomes.values(), shares, strict=True)):
                told = f" {outcome.killed:,} of {counted(outcome.jobs, 'job')}"
                panel.text(share, row, told, va="center", color=DARK)
            panel.set_yticks(range(len(outcomes)), list(outcomes))
            panel.set_ylim(len(outcomes) - 0.5, -0.5)
            panel.set_ylabel("policy")
            panel.grid(visible=False, axis="y")
            panel.set_title(trace)
        panels[-1].set_xlim(0.0, 1.3 * max(1.0, most))
        panels[-1].set_xlabel("running jobs that a lowered count stopped (% of all jobs)")
        figure.suptitle(_finding(by_trace))
        return svg(figure)


def _finding(by_trace: Mapping[str, Mapping[str, Outcome]]) -> str:
    killed: dict[str, int] = {}
    for outcomes in by_trace.values():
        for policy, outcome in outcomes.items():
            killed[policy] = killed.get(policy, 0) + outcome.killed
    worst = max(killed, key=lambda policy: killed[policy])
    if not killed[worst]:
        return "No policy stopped a running job"
    return f"{worst} stopped {counted(killed[worst], 'running job')}; cells {killed.get('cells', 0)}"
