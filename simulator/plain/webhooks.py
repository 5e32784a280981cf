"""PURE: webhooks on their way, some of which never arrive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from simulator.baselines.google_sample import Webhook
from simulator.virtual_time import VirtualTime


class Webhooks:
    """Each is heard `seconds` after it was sent, or never, with the chance `lost` (0 to 1); nobody sends it again."""

    def __init__(
        self,
        *,
        time: VirtualTime,
        seconds: float,
        lost: float,
        chance: Random,
        heard: Callable[[Webhook], None],
    ) -> None:
        self.under_way = 0
        self._time = time
        self._seconds = seconds
        self._lost = lost
        self._chance = chance
        self._heard = heard

    def send(self, webhook: Webhook) -> None:
        """GitHub sends one."""
        if self._chance.random() >= self._lost:
            self.under_way += 1
            self._time.after(self._seconds, partial(self._arrive, webhook))

    def _arrive(self, webhook: Webhook) -> None:
        self.under_way -= 1
        self._heard(webhook)
