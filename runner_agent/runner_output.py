"""Reads the runner's output in a thread of its own: each line is logged, and what it says becomes an event."""

import os
import threading
from collections.abc import Callable, Iterator

from runner_agent.lifecycle.events import Event, OutputEnded
from runner_agent.log import Journal
from runner_agent.runner_log import event_of

_CHUNK_BYTES = 65_536
_LINE_BYTES_MOST = 65_536


def follow_output(descriptor: int, *, put: Callable[[Event], None], journal: Journal) -> None:
    """Start following; takes over the descriptor. The last event is OutputEnded."""

    def follow() -> None:
        try:
            for line in lines_of(lambda: os.read(descriptor, _CHUNK_BYTES)):
                if line.strip():
                    journal.info(line, source="runner")
                event = event_of(line)
                if event is not None:
                    put(event)
        finally:
            os.close(descriptor)
            put(OutputEnded())

    threading.Thread(target=follow, name="runner-output", daemon=True).start()


def lines_of(read: Callable[[], bytes]) -> Iterator[str]:
    """The lines that `read` gives in pieces until it gives nothing.

    A line without an end cannot fill the memory: what is beyond 64 KiB of it comes as lines of its own.
    """
    rest = b""
    while chunk := read():
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (_text(line) for line in whole)
        if len(rest) > _LINE_BYTES_MOST:
            yield _text(rest)
            rest = b""
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
