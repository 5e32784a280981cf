"""PURE: how many running jobs a lowered count stops, if every instance is as likely a victim as any other.

Which instances Cloud Run takes is not documented and cannot be chosen; that all are equally likely is an assumption
(docs/reference/fidelity.md).
"""

from __future__ import annotations

from math import comb


def expected_kills(*, instances: int, busy: int, lowered_to: int) -> float:
    """The mean number of running jobs that are stopped."""
    return (instances - lowered_to) * busy / instances if instances else 0.0


def chance_of_no_kill(*, instances: int, busy: int, lowered_to: int) -> float:
    """The chance (0 to 1) that every victim is an instance without a job."""
    victims = instances - lowered_to
    return comb(instances - busy, victims) / comb(instances, victims)
