"""The private keys of a GitHub App while one is being replaced: which to sign with, and when to look for a newer one.

GitHub lets an App have several keys, so the new one is stored before the old one is deleted:
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/managing-private-keys-for-github-apps
Knows neither where a key stands nor how a call travels.
"""

from collections.abc import Awaitable, Callable, Collection
from enum import StrEnum

from github_api.app_auth import AppKey


class KeyNews(StrEnum):
    """What is told of a key."""

    IN_USE = "app_key_in_use"
    REFUSED = "app_key_refused"


class AppKeys:
    """The key that worked last or was read last comes first; the one before it stays good until GitHub refuses it."""

    def __init__(
        self,
        key: AppKey,
        *,
        read_again: Callable[[], Awaitable[AppKey | None]] | None = None,
        told: Callable[[KeyNews, AppKey], None] | None = None,
    ) -> None:
        """`read_again` gives the key that stands where `key` came from, or None when it cannot tell; it bounds by itself
        how often it really reads. `told` hears when another key than before works, and once of each that is refused.
        """
        self._keys = [key]
        self._read_again = read_again
        self._told = told
        self._in_use: AppKey | None = None
        self._refused: set[str] = set()

    async def untried(self, tried: Collection[str]) -> AppKey | None:
        """The next key whose fingerprint is not among `tried`; looks for a newer one when all that are known are."""
        return self._first(tried) or (self._first(tried) if await self.look_again() else None)

    async def look_again(self) -> bool:
        """Read the key again; whether there is somewhere to read it. A new one is the next to sign with."""
        if self._read_again is None:
            return False
        found = await self._read_again()
        if found is not None and self._first({key.fingerprint for key in self._keys}, (found,)):
            # Beside it the one that has worked is kept, not one that has had no chance yet.
            self._keys = [found, self._in_use or self._keys[0]]
        return True

    @property
    def proven(self) -> bool:
        """Whether the key that signs next is the one that worked last."""
        return self._in_use is not None and self._keys[0].fingerprint == self._in_use.fingerprint

    def worked(self, key: AppKey) -> None:
        """GitHub has taken a call that was signed with it."""
        if self._in_use is not None and self._in_use.fingerprint != key.fingerprint:
            self._tell(KeyNews.IN_USE, key)
        self._in_use = key
        self._refused.discard(key.fingerprint)
        self._keys.sort(key=lambda each: each.fingerprint != key.fingerprint)

    def refused(self, key: AppKey) -> None:
        """GitHub has answered 401 to a call that was signed with it."""
        if key.fingerprint not in self._refused:
            self._refused.add(key.fingerprint)
            self._tell(KeyNews.REFUSED, key)

    def _tell(self, news: KeyNews, key: AppKey) -> None:
        if self._told is not None:
            self._told(news, key)

    def _first(self, besides: Collection[str], among: Collection[AppKey] | None = None) -> AppKey | None:
        keys = self._keys if among is None else among
        return next((key for key in keys if key.fingerprint not in besides), None)
