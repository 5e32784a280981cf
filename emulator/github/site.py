"""What all routes share: the world, the clock, the addresses, and whom to wake when something has changed.

All of it lives in one event loop; nothing here decides what GitHub does.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from emulator.github.faults import Fault
from emulator.github.jobs import JobEvent
from emulator.github.keys import KeyStock
from emulator.github.links import Links
from emulator.github.runners import Registration
from emulator.github.world import World

# Of each kind the last ones.
CREDENTIALS_KEPT: Final = 4096


class Site:
    """`public_url` is asked each time, since the port is known only when the server listens."""

    def __init__(self, *, world: World, clock: Callable[[], float], public_url: Callable[[], str]) -> None:
        self.world = world
        self.clock = clock
        self.keys = KeyStock()
        # What must stay secret, by its kind, as it was handed out or shown: who tests for leaks asks for it.
        self.credentials: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=CREDENTIALS_KEPT))
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.events: asyncio.Queue[JobEvent] = asyncio.Queue()
        self.deadlines_changed = asyncio.Event()
        self.is_closing = False
        self._closing = asyncio.Event()
        self._public_url = public_url
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @property
    def links(self) -> Links:
        skew = self.world.faults.numbers(Fault.CLOCK_SKEW)
        return Links(
            self._public_url().rstrip("/"), ahead_seconds=0.0 if skew is None else skew["seconds_ahead"]
        )

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

    async def hold(self, request: Request, *, seconds: float) -> None:
        """Keep a reply back for so long, unless its client hangs up or the server goes away."""
        if seconds <= 0 or self.is_closing:
            return
        waits = {asyncio.ensure_future(self._closing.wait()), asyncio.ensure_future(disconnection(request))}
        _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def close(self) -> None:
        """Let every open poll and every held reply end now: the server is going away."""
        self.is_closing = True
        self._closing.set()
        for events in self._waiting.values():
            for event in events:
                event.set()


async def disconnection(request: Request) -> None:
    """Return when the client has hung up. The request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
