"""How long the stand-in Google Cloud takes for what, with the source of each number. Knows no clock."""

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Self

STOP_GRACE_SECONDS = 10.0
"""From SIGTERM to SIGKILL; never scaled. https://cloud.google.com/run/docs/container-contract#instance-shutdown"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A delay drawn evenly between two bounds, in seconds."""

    low_seconds: float
    high_seconds: float

    def drawn(self, chance: Random) -> float:
        return chance.uniform(self.low_seconds, self.high_seconds)

    def scaled(self, factor: float) -> "Span":
        return Span(low_seconds=self.low_seconds * factor, high_seconds=self.high_seconds * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Every delay of the stand-in cloud that `--time-factor` scales."""

    act: Span = Span(low_seconds=0.5, high_seconds=2.0)
    """From an accepted write until the platform acts on it: starts containers, stops victims. Assumed."""

    settle: Span = Span(low_seconds=0.5, high_seconds=3.0)
    """From acting until the operation is done and observedGeneration follows. Assumed. Stopped instances may
    live longer than that: Google promises nothing about them when the operation ends."""

    container_start: Span = Span(low_seconds=3.0, high_seconds=7.0)
    """From the platform's decision until the container's process starts. Google publishes no number for worker
    pools; executions of Cloud Run jobs were seen to start after 3.2 s and 7 s."""

    replacement: Span = Span(low_seconds=0.5, high_seconds=2.0)
    """From a container's exit until the platform decides to start the next one. Assumed, and without the growing
    back-off that the real platform may apply to containers that exit at once."""

    def scaled(self, factor: float) -> Self:
        return replace(self, **{f.name: getattr(self, f.name).scaled(factor) for f in fields(self)})
