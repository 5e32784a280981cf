"""PURE: the jobs of a simulated time, as a generator, a file or the history of a repository gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceJob:
    """One workflow job. `queued_at` and `duration` are seconds, the former since the trace began; `labels` are lower-case."""

    queued_at: float
    duration: float
    labels: frozenset[str] = frozenset({"self-hosted"})
    repository: str = "acme/app"
    workflow: str = "ci"
    job: str = "build"


Trace = Sequence[TraceJob]
"""Jobs by their `queued_at`, the earliest first."""
