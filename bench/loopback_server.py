"""Serves an ASGI application on a loopback port of its own, in a thread, for as long as a block lasts."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

_START_SECONDS = 10.0


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The application's URL. Raises RuntimeError when it does not answer in time."""
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, kept connections wait 40 ms per reply.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_SECONDS
    try:
        while not server.started:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the bench's own server did not start within {_START_SECONDS:g} s")
            time.sleep(0.01)
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
