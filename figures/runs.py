"""Runs of the simulator: what each is of, and each of them made once however many figures and tables ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.assumptions import Assumptions
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome
from simulator.trace import Trace

# Of the simulated world; the trace has its own.
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One policy over one trace. `writes`: those that Cloud Run takes in a minute."""

    trace: str
    policy: str = "cells"
    trace_seed: int = 1
    writes: int = 30
    cells: int = 60
    warm: int = 0

    @property
    def assumptions(self) -> Assumptions:
        """Those of the simulation; all others are the defaults."""
        return Assumptions(seed=SEED, writes_per_minute=self.writes, max_cells=self.cells, warm=self.warm)

    def __str__(self) -> str:
        warm = f", warm {self.warm}" if self.warm else ""
        return (
            f"{self.policy} on {self.trace} (seed {self.trace_seed}), {self.writes} writes a minute, "
            f"{self.cells} cells{warm}"
        )


class Simulator(Protocol):
    """What the figures need of `simulator`."""

    def simulate(self, policy: str, trace: Trace, assumptions: Assumptions, faults: Faults) -> Outcome:
        """One run."""

    def generated(self, name: str, seed: int) -> Trace:
        """A named trace."""

    def wait_floors(self, trace: Trace, assumptions: Assumptions) -> Sequence[float]:
        """The wait of each job under an all-knowing scaler, in seconds."""

    def matrix_bound(self, trace: Trace, assumptions: Assumptions) -> float:
        """The least paid over ideal of any policy that starts each job at once."""


class Runs:
    """Nothing outlives the process, so that no figure can be of an older planner."""

    def __init__(
        self, simulator: Simulator, *, cpu_seconds: Callable[[], float], told: Callable[[str], None]
    ) -> None:
        """`told` gets one line for each run, with its CPU time by `cpu_seconds`."""
        self._simulator = simulator
        self._cpu_seconds = cpu_seconds
        self._told = told
        self._outcomes: dict[Run, Outcome] = {}
        self._traces: dict[tuple[str, int], Trace] = {}

    def outcome(self, run: Run) -> Outcome:
        """What came of a run; simulated when it is asked for the first time."""
        if run not in self._outcomes:
            trace = self._trace(run)
            begun = self._cpu_seconds()
            outcome = self._simulator.simulate(run.policy, trace, run.assumptions, NO_FAULTS)
            self._outcomes[run] = outcome
            self._told(f"{self._cpu_seconds() - begun:6.1f} s of CPU  {run}")
        return self._outcomes[run]

    def floors(self, run: Run) -> Sequence[float]:
        """The waits that this run's are compared with."""
        return self._simulator.wait_floors(self._trace(run), run.assumptions)

    def bound(self, run: Run) -> float:
        """The paid over ideal that this run's is compared with."""
        return self._simulator.matrix_bound(self._trace(run), run.assumptions)

    def _trace(self, run: Run) -> Trace:
        key = (run.trace, run.trace_seed)
        if key not in self._traces:
            self._traces[key] = self._simulator.generated(*key)
        return self._traces[key]
