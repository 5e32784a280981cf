"""PURE: the faults of a world while they last, and how often each has struck."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from simulator.faults import NO_FAULTS, Faults


class Weather:
    """Asked wherever a fault may strike. `faults` are those of this moment; `struck(fault)` hears of each that does."""

    def __init__(self, faults: Faults, *, chance: Random, struck: Callable[[str], None]) -> None:
        self.faults = faults
        self.foul = faults is not NO_FAULTS
        """Whether this world has faults at all, now or earlier."""
        self.struck = struck
        self._chance = chance

    def strikes(self, fault: str, probability: float) -> bool:
        """Whether a fault of this probability strikes now; it is counted when it does."""
        if not probability or self._chance.random() >= probability:
            return False
        self.struck(fault)
        return True

    def clear_up(self) -> None:
        """From now on nothing new goes wrong; what is under way arrives as it would have."""
        self.faults = NO_FAULTS
