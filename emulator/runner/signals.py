"""Who hears signals.

Python runs handlers in the main thread, but the kernel may deliver a signal to any thread that does not block it;
a main thread that waits on a queue would then not wake up. Nor would one that begins to wait just as the signal comes. So a
thread reads them from the wake-up descriptor, into which the signal itself writes.
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

_HANDLED = frozenset({signal.SIGINT, signal.SIGTERM})


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Signals wait; threads and processes started inside begin with them blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_signals(told: Callable[[int], None]) -> None:
    """From here on `told` hears of SIGINT and SIGTERM, in a thread; call this in the main thread."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    heard = (signal.SIGINT, signal.SIGTERM)
    for number in heard:
        # Without a handler the signal would act by itself.
        signal.signal(number, lambda *_: None)

    def pass_on() -> None:
        while numbers := os.read(reading, 512):
            for number in numbers:
                if number in heard:
                    told(number)

    start_thread(pass_on, name="signals")


def start_thread(target: Callable[[], None], *, name: str) -> threading.Thread:
    """A helper thread that never receives a signal and does not keep the process alive."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    with signals_held():
        thread.start()
    return thread
