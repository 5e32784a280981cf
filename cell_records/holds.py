"""PURE: what stands in a record's `hold`: a verb's word, and of a change that is under way which one it is and since when.

It is one text, `rollout 5c1e09ab since 2026-11-26T05:06:35Z`, so that a program which knows words alone respects it too. A word
alone (`rollout`, `drain`) keeps no other command with that verb away: a change that was ended or given up leaves it so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_TEXT = re.compile(r"(\S+) (\S+) since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """`verb`: its word; `wish`: a short name of the change that is under way, or empty; `since`: when the command that makes it
    began, in whole seconds since the epoch.
    """

    verb: str
    wish: str = ""
    since: int = 0

    @property
    def moment(self) -> str:
        """`since` for people."""
        return f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%dT%H:%M:%SZ}"

    @property
    def text(self) -> str:
        """As it stands in a record."""
        return f"{self.verb} {self.wish} since {self.moment}" if self.wish else self.verb


def hold_in(text: str) -> Hold:
    """What a text in a record says; one of another form is a verb's word."""
    found = _TEXT.fullmatch(text)
    if found is not None:
        try:
            since = datetime.fromisoformat(found[3])
        except ValueError:
            return Hold(verb=text)
        return Hold(verb=found[1], wish=found[2], since=int(since.timestamp()))
    return Hold(verb=text)


def is_own(ours: str, theirs: str) -> bool:
    """Whether a cell is held for the very change that `ours` stands for, by whichever command."""
    mine, other = hold_in(ours), hold_in(theirs)
    return (mine.verb, mine.wish) == (other.verb, other.wish)


def may_have(ours: str, theirs: str, *, take_over: bool = False) -> bool:
    """Whether who holds with `ours` may have a cell that is held with `theirs`.

    It may when nobody else is at work there under the same verb; with `take_over` also when the other command began earlier: of
    two that both take over, the younger one has the last word.
    """
    if not theirs:
        return True
    mine, other = hold_in(ours), hold_in(theirs)
    if mine.verb != other.verb:
        return False
    free = not mine.wish or not other.wish or mine.wish == other.wish
    return free or (take_over and other.since < mine.since)
