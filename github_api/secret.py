"""A text that must not be seen: in logs, errors, reprs, argv or a debugger's locals it reads `***`.

Knows nothing of what it holds. Whoever needs the text says so by `reveal()`, which is easy to find in a
review.
"""

import hmac
from typing import Any, NoReturn, Self, final

_HIDDEN = "***"


@final
class Secret:
    """A hidden text. Equality takes the same time wherever the texts differ."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call this at the last moment and do not keep the result."""
        return self._text

    def __repr__(self) -> str:
        return _HIDDEN

    def __str__(self) -> str:
        return _HIDDEN

    def __format__(self, format_spec: str) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    # A copy is the same secret (dataclasses.asdict copies deeply); a pickle would be the text on somebody's
    # disk.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: the text would leave the process in the clear")
