"""PURE: what kept a lease from having a job, where the next lease of its pool will most likely meet the same.

Kept in the records, so that every process, the next one too, and `once` in direct mode know of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# The decision asks for the last few of a whole pool; each cell keeps as many.
OBSTACLES_KEPT = 4

# What was said is for people, and any runner may have said it.
WORDS_CHARACTERS_MOST = 240


class Obstacle(Enum):
    """The value goes over the wire and into records."""

    RUNNER_DEPRECATED = "runner_deprecated"
    RUNNER_FAILED = "runner_failed"
    REGISTRATION_REFUSED = "registration_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstacleMet:
    """One lease that met an obstacle. `at`: seconds since the epoch; `words`: what runner or GitHub said."""

    lease: str
    obstacle: Obstacle
    at: float
    words: str = ""


def obstacle_met(lease: str, obstacle: Obstacle, *, at: float, words: str) -> ObstacleMet:
    """An obstacle with its words cut to one short line."""
    line = " ".join(words.split())[:WORDS_CHARACTERS_MOST]
    return ObstacleMet(lease=lease, obstacle=obstacle, at=at, words=line)


def with_obstacle(known: Iterable[ObstacleMet], met: ObstacleMet) -> tuple[ObstacleMet, ...]:
    """The last obstacles, each lease's once."""
    others = tuple(each for each in known if each.lease != met.lease)
    return (*others, met)[-OBSTACLES_KEPT:]
