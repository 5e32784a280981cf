"""The message poll: one thread that asks the broker, and hands over what it hears. Decides nothing.

A poll is asked for each time, because a listener that is busy with a message takes no other one meanwhile.
"""

import queue
import random
import threading
from collections.abc import Callable
from typing import Any

from emulator.runner.broker import Broker
from emulator.runner.errors import AbortedError, RegistrationGoneError, RunnerError, UnreachableError
from emulator.runner.exchange import Exchange
from emulator.runner.signals import start_thread
from emulator.runner.terminal import complain, say, stamped

MOST_ERRORS_IN_A_ROW = 10
_PATIENT_ERRORS = 5


class Poller:
    """Polls in its own thread. Each message or fatal RunnerError is given to `tell`, once for each `ask`."""

    def __init__(self, broker: Broker, tell: Callable[[Any], None], *, time_factor: float) -> None:
        self._broker = broker
        self._tell = tell
        self._factor = time_factor
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._exchange = Exchange()
        self._status = "Online"
        self._stopped = threading.Event()

    def start(self) -> None:
        """Starts the thread; nothing is polled before `ask`."""
        start_thread(self._run, name="message poll")

    def ask(self) -> None:
        """Polls until there is a message or a fatal error."""
        self._asked.put(True)

    def set_status(self, status: str) -> None:
        """Online or Busy: the poll on its way is given up, and asked again with the new status."""
        self._status = status
        self._exchange.abort()

    def stop(self) -> None:
        """Ends the thread; a poll on its way is given up."""
        self._stopped.set()
        self._asked.put(False)
        self._exchange.abort()

    def _run(self) -> None:
        while self._asked.get() and not self._stopped.is_set():
            try:
                message = self._heard()
            except RunnerError as error:
                self._tell(error)
            else:
                if message is None:
                    return
                self._tell(message)

    def _heard(self) -> dict[str, Any] | None:
        """The next message; None once stopped."""
        errors = 0
        while not self._stopped.is_set():
            status = self._status
            self._exchange = Exchange()
            if status != self._status or self._stopped.is_set():
                continue  # told something new before there was an exchange to give up
            try:
                message = self._broker.message(self._exchange, status=status)
            except AbortedError:
                continue
            except (UnreachableError, RegistrationGoneError) as error:
                errors += 1
                if errors >= MOST_ERRORS_IN_A_ROW:
                    raise
                if errors == 1:
                    complain(stamped(f"Runner connect error: {error}. Retrying until reconnected."))
                least = 15.0 if errors <= _PATIENT_ERRORS else 30.0
                self._stopped.wait(random.uniform(least, 2 * least) * self._factor)  # noqa: S311 - no secret
                continue
            if errors:
                say(stamped("Runner reconnected."))
                errors = 0
            if message is not None:
                return message
        return None
