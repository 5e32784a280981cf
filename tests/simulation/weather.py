"""How bad the world is: every fault with its chance and its size. Chances are per call or step, times are seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration, drawn so that short and long ones of the span are equally common."""

    least: float
    most: float

    def drawn(self, chance: Random) -> float:
        """One duration."""
        return self.least * math.pow(self.most / self.least, chance.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What happens to processes, store, network, Cloud Run and GitHub. The default is a fine day."""

    # Scaler processes.
    freeze: float = 0.0
    freeze_seconds: Span = Span(least=1.0, most=400.0)
    crash_every_seconds: float = 0.0
    # One task of a process, before a call that it makes.
    stall: float = 0.0
    stall_seconds: Span = Span(least=5.0, most=200.0)
    # The record store.
    store_reply_lost: float = 0.0
    store_request_lost: float = 0.0
    store_seconds: Span = Span(least=0.005, most=0.2)
    # Between instances and scalers.
    call_lost: float = 0.0
    call_doubled: float = 0.0
    call_late: float = 0.0
    call_seconds: Span = Span(least=0.01, most=1.0)
    call_late_seconds: Span = Span(least=5.0, most=60.0)
    # Cloud Run.
    patch_late: float = 0.0
    patch_late_seconds: Span = Span(least=10.0, most=500.0)
    patch_doubled: float = 0.0
    patch_reply_lost: float = 0.0
    patch_refused: float = 0.0
    read_lost: float = 0.0
    rollout_seconds: Span = Span(least=0.5, most=10.0)
    settles_early_seconds: float = 0.0
    skips_rollouts: float = 0.0
    kill_seconds: Span = Span(least=0.1, most=2.0)
    kill_late: float = 0.0
    kill_late_seconds: Span = Span(least=10.0, most=400.0)
    stragglers: float = 0.0
    boot_seconds: Span = Span(least=1.0, most=15.0)
    foreign_write_every_seconds: float = 0.0
    preemption_every_seconds: float = 0.0
    # GitHub.
    registration_reply_lost: float = 0.0
    lists_lag_seconds: float = 10.0
    # Instances and their jobs. `cancel`: per push of jobs, that a person cancels what still waits.
    cancel: float = 0.1
    job_seconds: Span = Span(least=2.0, most=120.0)
    parked_for_seconds: Span = Span(least=100.0, most=2_000.0)
    idle_stop_seconds: float = 60.0

    @property
    def prompt(self) -> bool:
        """Whether every write that is sent arrives within moments, and nobody else writes."""
        return not (self.patch_late or self.freeze or self.stall or self.foreign_write_every_seconds)


FINE = Weather()

# Everything at once, each a little: what the seeds of the main test run under.
STORM = Weather(
    freeze=0.001,
    freeze_seconds=Span(least=1.0, most=200.0),
    stall=0.01,
    crash_every_seconds=250.0,
    store_reply_lost=0.02,
    store_request_lost=0.02,
    call_lost=0.05,
    call_doubled=0.05,
    call_late=0.05,
    patch_late=0.1,
    patch_doubled=0.15,
    patch_reply_lost=0.1,
    patch_refused=0.03,
    read_lost=0.02,
    rollout_seconds=Span(least=0.5, most=60.0),
    settles_early_seconds=40.0,
    skips_rollouts=0.3,
    kill_late=0.3,
    stragglers=0.5,
    foreign_write_every_seconds=300.0,
    preemption_every_seconds=600.0,
    registration_reply_lost=0.05,
    lists_lag_seconds=60.0,
)

# Processes freeze at the worst moments and writes come very late.
FROZEN = Weather(
    freeze=0.001,
    freeze_seconds=Span(least=5.0, most=200.0),
    stall=0.03,
    patch_late=0.3,
    patch_late_seconds=Span(least=20.0, most=200.0),
    patch_doubled=0.2,
    call_doubled=0.1,
    call_late=0.1,
    kill_late=0.3,
)

# Processes die and replies get lost, but whatever was sent arrives at once: here the bounds hold strictly.
CRASHING = Weather(
    crash_every_seconds=90.0,
    store_reply_lost=0.03,
    store_request_lost=0.03,
    call_lost=0.05,
    call_doubled=0.05,
    patch_doubled=0.2,
    patch_reply_lost=0.2,
    read_lost=0.03,
    registration_reply_lost=0.1,
)

# A platform that says "done" early, works slowly and kills late.
SLUGGISH = Weather(
    rollout_seconds=Span(least=5.0, most=250.0),
    settles_early_seconds=40.0,
    kill_late=0.5,
    stragglers=0.8,
    skips_rollouts=0.2,
    parked_for_seconds=Span(least=20.0, most=200.0),
    patch_late=0.1,
    freeze=0.0003,
)
