"""Who was not let in: one line a minute for each kind of refusal, however many come, so that a log shows an attempt and is not
flooded by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Between two lines of one kind.
TOLD_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class _Kind:
    told_at: float = float("-inf")
    since: int = 0
    total: int = 0


class RefusedCallers:
    """Counts refusals by their code."""

    def __init__(self, told: Callable[..., None], *, clock: Callable[[], float]) -> None:
        """`told(event, warning=True, **facts)` writes one line; `clock`: seconds."""
        self._told = told
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    def note(self, code: str, what: str) -> None:
        """Take one refusal; `what` is the sentence that the caller was told, which holds no secret."""
        kind = self._kinds.setdefault(code, _Kind())
        kind.since += 1
        kind.total += 1
        now = self._clock()
        if now >= kind.told_at + TOLD_AGAIN_SECONDS:
            self._told("callers_refused", warning=True, code=code, refused=kind.since, last=what)
            kind.told_at, kind.since = now, 0

    def totals(self) -> dict[str, int]:
        """How many of each code since the start."""
        return {code: kind.total for code, kind in sorted(self._kinds.items())}
