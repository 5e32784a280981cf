"""PURE: the named traces. The same name and seed give the same jobs on every machine.

`team`, `matrix` and `company` are what the planner may be tuned on; the others are kept to be met unseen.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from random import Random

from simulator.errors import UnknownGenerator
from simulator.shapes import crowds, streams, working_day
from simulator.trace import Trace, TraceJob

GENERATORS: Mapping[str, str] = {
    "team": "300 jobs of about fifteen people in one day.",
    "matrix": "120 jobs of uneven length at once, every 15 minutes for four hours.",
    "company": "20,000 jobs of forty repositories and three time zones in one day.",
    "heavy-tails": "3,000 jobs in half a day, a few of which take hours.",
    "merge-queue": "Batches of 30 jobs for six hours, each begun when the one before it has ended.",
    "retry-storm": "200 jobs that fail at once in an outage and are tried five more times within minutes.",
    "night": "250 jobs at once at 02:00 and little else in the day.",
    "trickle": "One short job about every ten minutes for a day.",
    "tsz": "309 jobs of 5 to 20 minutes at once, as in a public incident.",
}

_SHAPES: Mapping[str, Callable[[Random], Iterable[TraceJob]]] = {
    "team": working_day.team,
    "matrix": crowds.matrix,
    "company": working_day.company,
    "heavy-tails": streams.heavy_tails,
    "merge-queue": crowds.merge_queue,
    "retry-storm": crowds.retry_storm,
    "night": crowds.night,
    "trickle": streams.trickle,
    "tsz": crowds.tsz,
}


def generated(name: str, seed: int) -> Trace:
    """The jobs that the generator of that name draws with that seed. Raises UnknownGenerator."""
    if name not in _SHAPES:
        near = difflib.get_close_matches(name, GENERATORS, n=1)
        raise UnknownGenerator(
            f"There is no generator {name!r}",
            cause=f"Did you mean {near[0]}?" if near else "",
            remedy=f"Give one of {', '.join(GENERATORS)}, or a file with --trace.",
        )
    # Seeded by a text: how Random makes a state of it does not hang on the process (PYTHONHASHSEED) or the platform.
    chance = Random(f"{name} {seed}")  # noqa: S311 - a trace that can be repeated, not a secret
    return sorted(_SHAPES[name](chance), key=lambda job: job.queued_at)
