"""The errors of the simulator: what happened, the probable cause, the remedy, and an exit code each.

    SimulatorError        70  whatever has no code of its own
    ├── UnknownGenerator  2   no generator has that name
    ├── UnknownPolicy     2   no policy has that name
    └── TraceUnusable     30  a trace file cannot be read or written, or is wrong; lists every fault

The command's own codes are 1, 2 and 20 to 24, the scaler's 2 to 12.
"""

from collections.abc import Iterable
from typing import ClassVar


class SimulatorError(Exception):
    """One fatal error of a simulation, in three parts for people."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n  ".join(part for part in (self.what, self.cause, self.remedy) if part)


class UnknownGenerator(SimulatorError):
    """No generator has that name."""

    exit_code = 2


class TraceUnusable(SimulatorError):
    """A trace file cannot be read or written, or is wrong; lists every fault, twenty at most."""

    exit_code = 30


class UnknownPolicy(SimulatorError):
    """No policy has that name."""

    exit_code = 2

    def __init__(self, policy: str, *, known: Iterable[str]) -> None:
        super().__init__(f"there is no policy {policy!r}", remedy=f"take one of {', '.join(known)}")
