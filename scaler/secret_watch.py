"""A secret that stands elsewhere and may be changed there while this program runs: read at the start, and again for a reason.

Knows nothing of what the secret is for. What cannot be read again changes nothing: the secret that was read stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from github_api.secret import Secret
from scaler.errors import SecretUnreadable
from scaler.secrets import SecretReference

# However many callers think that the secret has changed (a stranger can make them think so), it is read no more often.
AGAIN_SECONDS = 10.0


class SecretWatch:
    """One secret by its reference."""

    def __init__(
        self,
        reference: SecretReference,
        *,
        read: Callable[[], Secret],
        told: Callable[[SecretUnreadable], None],
        clock: Callable[[], float],
    ) -> None:
        """Reads for the first time; raises SecretUnreadable. `read` may block, and is called in a thread from then on;
        `told` hears of each fault of a later reading once. `clock`: seconds that are never set back.
        """
        self.reference = reference
        self._read = read
        self._told = told
        self._clock = clock
        self._lock = asyncio.Lock()
        self._fault: str | None = None
        self.current = read()
        self._read_at = clock()

    async def look_again(self) -> Secret:
        """The secret as it now stands there; as it was when it was read a moment ago, is pinned, or cannot be read."""
        async with self._lock:
            if self.reference.may_change and self._clock() >= self._read_at + AGAIN_SECONDS:
                self._read_at = self._clock()
                try:
                    self.current = await asyncio.to_thread(self._read)
                    self._fault = None
                except SecretUnreadable as error:
                    if error.what != self._fault:
                        self._fault = error.what
                        self._told(error)
        return self.current
