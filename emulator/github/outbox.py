"""Which webhooks are sent for an event, and when: once and soon, or what the faults make of that. Pure.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries on lost ones, and
https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/troubleshooting-webhooks on their order.
"""

import enum
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from emulator.github.accounts import Webhook
from emulator.github.delays import Delays
from emulator.github.faults import Fault, GitHubFaults
from emulator.github.jobs import JobEvent

OVERTAKEN_SECONDS: Final = 0.2  # enough for the one that overtakes to arrive


class Kind(enum.Enum):
    OWN = "GitHub's word about one of its jobs"
    FOREIGN = "rightly signed, about somebody else's repository"
    FORGED = "wrongly signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One request to `webhook`, at `at` seconds since the epoch; `id` is X-GitHub-Delivery."""

    event: JobEvent
    webhook: Webhook
    at: float
    id: str
    kind: Kind = Kind.OWN


class Outbox:
    """Deliveries that are not yet sent."""

    def __init__(self, *, delays: Delays, chance: random.Random, faults: GitHubFaults) -> None:
        self._delays = delays
        self._chance = chance
        self._faults = faults
        self._waiting: list[Delivery] = []
        self._overtaken: list[Delivery] = []  # waits for the next event; its time is the last moment

    def put(self, event: JobEvent, webhook: Webhook, *, now: float) -> None:
        own_id = self._new_id()
        # Up to twice the usual delay, so that two events of one job can overtake each other.
        at = now + self._delays.webhook_seconds * 2 * self._chance.random()
        self._waiting += [replace(late, at=at + OVERTAKEN_SECONDS) for late in self._overtaken]
        self._overtaken.clear()
        own = Delivery(event=event, webhook=webhook, at=at, id=own_id)
        self._waiting += self._additions(own)
        if self._faults.strike(Fault.WEBHOOK_LOST):
            return
        if late := self._faults.strike(Fault.WEBHOOK_LATE):
            own = replace(own, at=at + late["seconds"])
        if reordered := self._faults.strike(Fault.WEBHOOK_REORDERED):
            self._overtaken.append(replace(own, at=own.at + reordered["seconds"]))
        else:
            self._waiting.append(own)
        if doubled := self._faults.strike(Fault.WEBHOOK_DOUBLED):
            self._waiting.append(replace(own, at=own.at + doubled["seconds"]))

    def _additions(self, own: Delivery) -> Iterator[Delivery]:
        for fault, kind in ((Fault.WEBHOOK_FOREIGN, Kind.FOREIGN), (Fault.WEBHOOK_FORGED, Kind.FORGED)):
            if self._faults.strike(fault):
                yield replace(own, id=self._new_id(), kind=kind)

    def take_due(self, *, now: float) -> list[Delivery]:
        """What is to be sent now, in the order of its times."""
        due = sorted((one for one in self._all() if one.at <= now), key=lambda one: one.at)
        self._waiting = [one for one in self._waiting if one.at > now]
        self._overtaken = [one for one in self._overtaken if one.at > now]
        return due

    def next_due(self) -> float | None:
        return min((one.at for one in self._all()), default=None)

    def _all(self) -> list[Delivery]:
        return self._waiting + self._overtaken

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
