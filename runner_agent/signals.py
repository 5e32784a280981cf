"""Signals as events of the inbox, each at once.

Python runs its handlers in the main thread between two instructions. A signal that comes just before that thread begins to
wait for the inbox interrupts nothing: its handler would run when the wait is over, seconds into the ten that Cloud Run leaves.
What is told at once is the wake-up descriptor: a thread of our own reads it.
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

import os
import signal
import threading

from runner_agent.lifecycle.events import TerminationAsked
from runner_agent.supervisor import ChildrenChanged, Inbox

_TERMINATION = (signal.SIGTERM, signal.SIGINT)


def listen_to_signals(inbox: Inbox) -> threading.Event:
    """From here on SIGTERM, SIGINT and SIGCHLD are events of `inbox`; call it in the main thread.

    The event that is returned is set once the agent was asked to leave.
    """
    asked = threading.Event()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*_TERMINATION, signal.SIGCHLD):
        # Without a handler the signal would act by itself; what it means is said by the thread below.
        signal.signal(number, _nothing)

    def pass_on() -> None:
        while numbers := os.read(reading, 512):
            for number in numbers:
                if number in _TERMINATION:
                    asked.set()
                    inbox.put(TerminationAsked())
                elif number == signal.SIGCHLD:
                    inbox.put(ChildrenChanged())

    threading.Thread(target=pass_on, name="signals", daemon=True).start()
    return asked


def _nothing(_number: int, _frame: object) -> None:
    pass
