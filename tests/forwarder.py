"""What stands between instances and scaler processes, like a load balancer; its lines can be cut, in one direction or both.

A cut connection is not closed: who waits on it waits, as on a network that swallows packets. When a cut ends, the
connections that it has swallowed anything of are aborted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from enum import Enum


class Cut(Enum):
    """Which way nothing comes through."""

    TO_SCALER = "what instances say does not arrive"
    FROM_SCALER = "what the scaler answers does not arrive"
    BOTH = "nothing arrives"


@dataclass(slots=True, eq=False)
class _Line:
    """One connection between a client and a backend."""

    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    swallowed: bool = False

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


@dataclass(slots=True)
class Weather:
    """What happens to bytes on their way, from now on; set from any thread."""

    cut: Cut | None = None
    delay_seconds: float = 0.0
    struck: dict[str, int] = field(default_factory=dict)


class Forwarder:
    """Forwards TCP connections on one port to the next backend that accepts."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.weather = Weather()
        self._lines: set[_Line] = set()
        self._next = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What the agents are given."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self, cut: Cut | None) -> None:
        """Cut the lines, or mend them."""
        self.weather.cut = cut
        if cut is None:
            self._loop.call_soon_threadsafe(self._abort_swallowed)

    def close(self) -> None:
        """Drop every connection and end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._listening.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listening))
        self._loop.run_forever()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    def _abort_swallowed(self) -> None:
        for line in list(self._lines):
            if line.swallowed:
                line.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            backend = await self._backend()
            if backend is None:
                return
            line = _Line((writer, backend[1]))
            self._lines.add(line)
            try:
                await asyncio.gather(
                    self._copy(reader, backend[1], line, Cut.TO_SCALER),
                    self._copy(backend[0], writer, line, Cut.FROM_SCALER),
                )
            finally:
                self._lines.discard(line)
        finally:
            writer.close()

    async def _backend(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self.backends)):
            self._next += 1
            port = self.backends[self._next % len(self.backends)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: _Line, way: Cut
    ) -> None:
        try:
            while data := await reader.read(65536):
                if self.weather.delay_seconds:
                    self._strike("network-slow")
                    await asyncio.sleep(self.weather.delay_seconds)
                if self.weather.cut in (way, Cut.BOTH):
                    self._strike(f"network-cut-{self.weather.cut.name.lower().replace('_', '-')}")
                    line.swallowed = True
                    continue
                if line.swallowed:
                    line.abort()  # half a request or half an answer is worth nothing
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    def _strike(self, what: str) -> None:
        self.weather.struck[what] = self.weather.struck.get(what, 0) + 1
