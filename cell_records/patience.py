"""PURE: how often a change of a record is tried again, and how long it waits in between.

Three things can keep an attempt from its end. Somebody was quicker: then reading again at once is right. The outcome is
not known: reading again tells, but a store that is silent again and again is down. The store asks for a pause: then waits
grow, with chance in them, so that instances of one cell which start together do not come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from cell_records.errors import StoreUnavailable

# Losing this many races in a row means that something writes in a loop; giving up lets the caller ask again later.
ATTEMPTS = 16

# A silent write may take the whole time-out of a store's client.
UNKNOWN_MOST = 4

# A start must still have the time for its registration (15 s) within what its instance waits for (30 s).
PAUSES_SECONDS_MOST = 15.0
# For a store that allows one write a second: eight who come at once are through after 9 s, of which 7 cannot be saved.
FIRST_PAUSE_SECONDS = 0.6
LONGEST_PAUSE_SECONDS = 1.5
GROWTH = 1.2


class Again(Enum):
    """Why an attempt has not come to an end."""

    BEATEN = "somebody else changed the record first"
    UNKNOWN = "whether the write was made is not known"
    BUSY = "the store asks for a pause"


class Patience:
    """One change's patience. `chance` gives numbers from 0 to 1."""

    def __init__(self, key: str, *, chance: Callable[[], float]) -> None:
        self._key = key
        self._chance = chance
        self._counts = dict.fromkeys(Again, 0)
        self._paused_seconds = 0.0

    def seconds_before_next(self, again: Again) -> float:
        """How long to wait before the next attempt. Raises StoreUnavailable when it has been enough."""
        self._counts[again] += 1
        if sum(self._counts.values()) >= ATTEMPTS:
            raise StoreUnavailable(
                f"The record {self._key!r} was changed by others {ATTEMPTS} times in a row; try again later."
            )
        if self._counts[Again.UNKNOWN] >= UNKNOWN_MOST:
            raise StoreUnavailable(
                f"Whether the record {self._key!r} was written could not be found out in {UNKNOWN_MOST} attempts: "
                "the store answers reads and loses writes. Try again later."
            )
        if again is not Again.BUSY:
            return 0.0
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * GROWTH ** (self._counts[Again.BUSY] - 1))
        pause *= 0.5 + self._chance()
        if self._paused_seconds + pause > PAUSES_SECONDS_MOST:
            raise StoreUnavailable(
                f"The store has asked for pauses for {self._paused_seconds:.0f} s when the record {self._key!r} was to be "
                "written: more hands write it than the store allows. Try again later."
            )
        self._paused_seconds += pause
        return pause
