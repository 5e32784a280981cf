"""One instance's metadata server on a loopback port of its own: bytes to `metadata_reply` and back.

Made light (asyncio and h11, no framework) because every instance has one. Must not decide what is answered.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import h11

from emulator.cloud.metadata import FLAVOR, InstanceFacts, Reply, Tokens, metadata_reply

LOOPBACK = "127.0.0.1"
MAX_READ_BYTES = 65536


@dataclass(slots=True, kw_only=True)
class MetadataServer:
    """`start` it, give `host` to the instance as GCE_METADATA_HOST, `close` it when the instance is gone."""

    facts: InstanceFacts
    tokens: Tokens
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("The metadata server has no port yet: start it first.")
        return f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            with contextlib.suppress(ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(MAX_READ_BYTES))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                writer.write(_sent(connection, self._reply(request)))
                await writer.drain()
                if connection.our_state is h11.MUST_CLOSE:
                    return
                connection.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return

    def _reply(self, request: h11.Request) -> Reply:
        return metadata_reply(
            method=request.method.decode("ascii"),
            target=request.target.decode("ascii"),
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in request.headers},
            facts=self.facts,
            tokens=self.tokens,
        )


def _sent(connection: h11.Connection, reply: Reply) -> bytes:
    body = reply.body.encode()
    head = h11.Response(
        status_code=reply.status,
        headers=[
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(body))),
            FLAVOR,
            ("Server", "Metadata Server for Serverless"),
        ],
    )
    return b"".join(
        connection.send(event) or b"" for event in (head, h11.Data(data=body), h11.EndOfMessage())
    )
