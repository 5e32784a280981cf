"""What has happened in a world, line by line, and what of it must never happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Story:
    """`faults`: sentences, each a broken promise; a world stops at the first."""

    clock: Callable[[], float]
    begun_at: float
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    faults: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str) -> None:
        """Add a line."""
        self.lines.append(f"{self.clock() - self.begun_at:9.2f}  {who:<12} {what}")

    def fault(self, who: str, what: str) -> None:
        """Add a line that breaks a promise."""
        self.tell(who, f"FAULT: {what}")
        self.faults.append(what)

    def told(self) -> str:
        """The story for a failed test."""
        return "\n".join(self.lines)
