"""One process of a step: started, read line by line, stopped the way the runner stops it.

The ladder of ProcessInvoker.cs (https://github.com/actions/runner): SIGINT, 7.5 s, SIGTERM, 2.5 s, then SIGKILL
for it and everything below it. The process stays in the worker's own process group.
"""

import contextlib
import queue
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

from emulator.runner.process_tree import kill_tree
from emulator.runner.signals import start_thread

INTERRUPT_SECONDS = 7.5
TERMINATE_SECONDS = 2.5
DRAIN_SECONDS = 5.0  # for output that a process left behind still holds open


class Stop(NamedTuple):
    """Why a process is stopped: `timeout` or `cancelled`."""

    reason: str


class Ended(NamedTuple):
    """How a process ended; `stopped` is the reason when we made it end."""

    exit_code: int
    stopped: str | None


class _Exit(NamedTuple):
    code: int


class StepProcess:
    """Runs a command line. `stop` may be called from another thread."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[_Exit | Stop] = queue.SimpleQueue()

    def stop(self) -> None:
        """The job is cancelled: begin the ladder."""
        self._events.put(Stop("cancelled"))

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: str,
        environment: Mapping[str, str],
        timeout_seconds: float | None,
        hear: Callable[[str], object],
    ) -> Ended:
        """Runs to the end; `hear` gets each line of output. Raises OSError when it cannot be started."""
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        output = process.stdout
        reader = start_thread(lambda: _read(output, hear), name="output")
        start_thread(lambda: self._events.put(_Exit(process.wait())), name="exit")
        ended = self._watched(process, timeout_seconds)
        reader.join(DRAIN_SECONDS)
        return ended

    def _watched(self, process: "subprocess.Popen[bytes]", timeout_seconds: float | None) -> Ended:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        ladder = [(signal.SIGINT, INTERRUPT_SECONDS), (signal.SIGTERM, TERMINATE_SECONDS)]
        stopped: str | None = None
        while True:
            event = self._next_event(deadline)
            if isinstance(event, _Exit):
                return Ended(event.code if event.code >= 0 else 128 - event.code, stopped)
            if isinstance(event, Stop) and stopped is not None:
                continue  # on its way already
            stopped = stopped or (event.reason if isinstance(event, Stop) else "timeout")
            if ladder:
                number, patience = ladder.pop(0)
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                deadline = time.monotonic() + patience
            else:
                kill_tree(process.pid)
                deadline = None

    def _next_event(self, deadline: float | None) -> _Exit | Stop | None:
        """The next event; None when the deadline has passed."""
        try:
            return self._events.get(
                timeout=None if deadline is None else max(0.0, deadline - time.monotonic())
            )
        except queue.Empty:
            return None


def _read(output: IO[bytes], hear: Callable[[str], object]) -> None:
    with output:
        for line in output:
            hear(line.decode("utf-8", "replace").rstrip("\r\n"))
