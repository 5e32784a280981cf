"""What the agent is told by a signal, it is told at once."""

import subprocess
import sys

import pytest

# The main thread has the signal blocked and another one has not: so nothing interrupts the wait, as when a signal
# comes at the very moment at which it begins.
WAITING = """
import os, queue, signal, sys, threading
from runner_agent.signals import listen_to_signals
inbox = queue.SimpleQueue()
asked = listen_to_signals(inbox)
threading.Thread(target=threading.Event().wait, daemon=True).start()
number = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.kill(os.getpid(), number)
print(type(inbox.get(timeout=20)).__name__, asked.wait(0))
"""


@pytest.mark.parametrize(
    ("number", "heard"),
    [(15, "TerminationAsked True"), (2, "TerminationAsked True"), (17, "ChildrenChanged False")],
)
def test_a_signal_that_interrupts_no_wait_is_heard_all_the_same(number: int, heard: str) -> None:
    """Else its handler would run only when the wait is over."""
    done = subprocess.run(
        [sys.executable, "-c", WAITING, str(number)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (heard, "")
