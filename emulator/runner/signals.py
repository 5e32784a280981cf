"""Keeping signals with the main thread.

Python runs handlers in the main thread, but the kernel may deliver a signal to any thread that does not block it;
a main thread that waits on a queue would then not wake up.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_HANDLED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGALRM})


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Signals wait; threads and processes started inside begin with them blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_thread(target: Callable[[], None], *, name: str) -> threading.Thread:
    """A helper thread that never receives a signal and does not keep the process alive."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    with signals_held():
        thread.start()
    return thread
