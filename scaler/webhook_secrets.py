"""Which deliveries are GitHub's while the webhook's secret is being replaced: two secrets are good at a time.

GitHub knows one secret and signs with it from the moment that it is changed there; an admin cannot change it in two places
at once: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. Whichever place comes first,
no delivery is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from github_api.errors import SignatureWrong
from github_api.secret import Secret
from github_api.webhook import WebhookEvent, verified_event

# How long the older secret is good after the first delivery that was signed with the newer one: GitHub gives a delivery up
# after ten seconds, and an admin may have several webhooks to change.
OLDER_GOOD_SECONDS = 3600.0


class WebhookSecrets:
    """The secret as last read, and the one before it."""

    def __init__(
        self,
        secret: Secret,
        *,
        look_again: Callable[[], Awaitable[Secret]],
        told: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`look_again` gives the secret as it now stands where `secret` came from, and bounds by itself how often it
        reads; `told` hears that it is another one. `clock`: seconds.
        """
        self._newest = secret
        self._older: Secret | None = None
        self._older_until = float("inf")
        self._look_again = look_again
        self._told = told
        self._clock = clock

    async def refresh(self) -> None:
        """Take the secret as it stands now."""
        found = await self._look_again()
        if found != self._newest:
            # Until GitHub is told of it, the older one is the one in use.
            self._newest, self._older, self._older_until = found, self._newest, float("inf")
            self._told()

    async def event(
        self, *, body: bytes, signature: str | None, event: str | None, delivery: str | None
    ) -> WebhookEvent:
        """The event of a delivery that one of the secrets has signed; see `verified_event`. Raises WebhookRefused.

        A signature that fits neither is a reason to read the secret again before the delivery is refused.
        """

        def read_with(secret: Secret) -> WebhookEvent:
            return verified_event(
                body=body, signature=signature, secret=secret, event=event, delivery=delivery
            )

        newest = self._newest
        try:
            return self._read(read_with)
        except SignatureWrong:
            await self.refresh()
            if self._newest == newest:
                raise
        return self._read(read_with)

    def _read(self, read_with: Callable[[Secret], WebhookEvent]) -> WebhookEvent:
        now = self._clock()
        older = self._older if now < self._older_until else None
        try:
            event = read_with(self._newest)
        except SignatureWrong:
            if older is None:
                raise
            return read_with(older)
        self._older_until = min(self._older_until, now + OLDER_GOOD_SECONDS)
        return event
