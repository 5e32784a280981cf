"""PURE: what a simulation takes for granted of Cloud Run, GitHub and the deployment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The options of `runner-pool simulate` and the delays behind them; times are seconds.

    `start`: from a write that raises a count to a container that is up. `registration`: from the wish for a runner to one
    that can run a job. `restart`: from the exit of a container to its replacement being up. None of the three is published
    for worker pools (docs/reference/fidelity.md); the defaults are those of earlier measurements of neighbouring products.
    `webhook`: from a job's queueing to the scaler having looked. `write`: one call of the Admin API. `settle`: from a count
    of zero to the operation being over.
    """

    max_runners: int = 300
    max_cells: int = 60
    writes_per_minute: int = 30
    registrations_per_minute: int = 150
    start: float = 12.0
    registration: float = 6.0
    restart: float = 4.0
    warm: int = 0
    seed: int = 1
    webhook: float = 0.5
    write: float = 0.3
    settle: float = 3.0
