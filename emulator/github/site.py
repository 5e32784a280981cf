"""What all routes share: the world, the clock, the addresses, and whom to wake when something has changed.

All of it lives in one event loop; nothing here decides what GitHub does.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from emulator.github.jobs import JobEvent
from emulator.github.keys import KeyStock
from emulator.github.links import Links
from emulator.github.runners import Registration
from emulator.github.world import World


class Site:
    """`public_url` is asked each time, since the port is known only when the server listens."""

    def __init__(self, *, world: World, clock: Callable[[], float], public_url: Callable[[], str]) -> None:
        self.world = world
        self.clock = clock
        self.keys = KeyStock()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.events: asyncio.Queue[JobEvent] = asyncio.Queue()
        self.deadlines_changed = asyncio.Event()
        self.is_closing = False
        self._public_url = public_url
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @property
    def links(self) -> Links:
        return Links(self._public_url().rstrip("/"))

    def settle(self) -> None:
        """After every change: expire what is due, give out jobs, wake who got one, pass events on."""
        now = self.clock()
        self.world.work.expire(now=now)
        self.world.work.assign(now=now)
        for registration in self.world.work.take_called():
            self.wake(registration)
        for event in self.world.ledger.take_events():
            self.events.put_nowait(event)
        self.deadlines_changed.set()

    def wake(self, registration: Registration) -> None:
        """Let the open polls of a runner look again."""
        for event in self._waiting.get(registration.id, ()):
            event.set()

    def begin_waiting(self, registration: Registration) -> asyncio.Event:
        event = asyncio.Event()
        self._waiting.setdefault(registration.id, set()).add(event)
        return event

    def end_waiting(self, registration: Registration, event: asyncio.Event) -> None:
        waiting = self._waiting[registration.id]
        waiting.discard(event)
        if not waiting:
            del self._waiting[registration.id]

    def close(self) -> None:
        """Let every open poll end now: the server is going away."""
        self.is_closing = True
        for events in self._waiting.values():
            for event in events:
                event.set()
