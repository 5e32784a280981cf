"""PURE: what figures say of outcomes beyond what outcomes say themselves."""

from __future__ import annotations

from simulator.outcome import Outcome


def paid_over_ideal(outcome: Outcome) -> float:
    """How much was paid for each second that was needed; 1 without any job."""
    return outcome.paid / outcome.ideal if outcome.ideal else 1.0


def counted(number: int, what: str) -> str:
    """1 job, 2 jobs."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
