"""Callers that open connections and do not say what they want: cut in time, and nobody else waits for them.

Real sockets to the scaler's own kind of connection, with a small application behind it and a short deadline.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.server import ServerState

from scaler.connections import PatientConnection, allow_many_connections
from tests.scaler_parts import until

HEAD_WITHIN_SECONDS = 0.4
HALF_OPEN = 1_000
# Longer than a head may take, shorter than a test may.
ANSWER_SECONDS = 3 * HEAD_WITHIN_SECONDS
PATIENCE_SECONDS = 20.0

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ImpatientConnection(PatientConnection):
    """The scaler's, with less time."""

    head_within_seconds = HEAD_WITHIN_SECONDS


class Place:
    """A listening server and the connections it has."""

    def __init__(self, port: int, state: ServerState) -> None:
        self.port = port
        self.state = state

    async def connected(self) -> Stream:
        """A fresh connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def says(self, text: bytes) -> bytes:
        """Everything that comes back on a connection of its own."""
        reader, writer = await self.connected()
        writer.write(text)
        async with asyncio.timeout(PATIENCE_SECONDS):
            came = await reader.read()
        writer.close()
        return came


async def _slow(_: Request) -> Response:
    await asyncio.sleep(ANSWER_SECONDS)
    return JSONResponse({"slow": True})


async def _quick(_: Request) -> Response:
    return JSONResponse({"quick": True})


async def _length(request: Request) -> Response:
    return JSONResponse({"length": len(await request.body())})


@asynccontextmanager
async def serving(
    *, timeout_keep_alive: int = 5, head_within: float = HEAD_WITHIN_SECONDS
) -> AsyncIterator[Place]:
    """A server of such connections. `head_within`: seconds that a head may take."""
    app = Starlette(
        routes=[Route("/slow", _slow), Route("/quick", _quick), Route("/length", _length, methods=["POST"])]
    )
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", timeout_keep_alive=timeout_keep_alive
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()

    def connection() -> ImpatientConnection:
        each = ImpatientConnection(config=config, server_state=state, app_state={})
        each.head_within_seconds = head_within
        return each

    server = await loop.create_server(
        connection,
        "127.0.0.1",
        0,
        backlog=2_048,
    )
    try:
        yield Place(server.sockets[0].getsockname()[1], state)
        await until(lambda: not state.connections, seen=lambda: f"{len(state.connections)} are left")
    finally:
        server.close()
        await server.wait_closed()


async def seconds_until_cut(stream: Stream, *, trickle: bytes = b"") -> float:
    """How long it takes the server to hang up, while bytes trickle in."""
    reader, writer = stream
    begun = asyncio.get_running_loop().time()
    sent = iter(trickle)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                async with asyncio.timeout(HEAD_WITHIN_SECONDS / 10):
                    if not await reader.read(65_536):
                        break
            except ConnectionError:
                break
            except TimeoutError:
                writer.write(bytes([each]) if (each := next(sent, 0)) else b"")
    writer.close()
    return asyncio.get_running_loop().time() - begun


@pytest.mark.parametrize("begins", [b"", b"GET /qui", b"GET /quick HTTP/1.1\r\nHost: a\r\n"])
async def test_a_caller_that_does_not_finish_its_head_is_cut(begins: bytes) -> None:
    async with serving() as place:
        stream = await place.connected()
        stream[1].write(begins)
        assert await seconds_until_cut(stream) >= HEAD_WITHIN_SECONDS * 0.9


async def test_a_head_that_trickles_in_gains_no_time() -> None:
    """Each byte would else be worth another wait."""
    async with serving() as place:
        endless = b"GET /quick HTTP/1.1\r\nX: " + b"a" * 10_000
        assert await seconds_until_cut(await place.connected(), trickle=endless) < 10 * HEAD_WITHIN_SECONDS


async def test_a_request_that_is_being_answered_may_take_longer() -> None:
    """A long poll lasts; so does a body that comes slowly, which the service itself bounds."""
    async with serving() as place:
        answers = asyncio.gather(
            place.says(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), _slow_body(place)
        )
        polled, posted = await answers
        assert polled.endswith(b'{"slow":true}')
        assert posted.endswith(b'{"length":5}')


async def _slow_body(place: Place) -> bytes:
    reader, writer = await place.connected()
    writer.write(b"POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")
    for each in b"hello":
        await asyncio.sleep(ANSWER_SECONDS / 5)
        writer.write(bytes([each]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        came = await reader.read()
    writer.close()
    return came


@pytest.mark.parametrize(
    "more",
    [
        b"GET /quick HTTP/1.1\r\nX: " + b"a" * 10_000,
        b"",
    ],
    ids=["a second head trickles in", "nothing more comes"],
)
async def test_a_kept_connection_has_as_long_for_its_next_head(more: bytes) -> None:
    """uvicorn's own limit ends with the first byte that comes."""
    async with serving(timeout_keep_alive=60) as place:
        stream = await place.connected()
        stream[1].write(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream[0].readuntil(b'{"quick":true}')
        taken = await seconds_until_cut(stream, trickle=more)
        assert HEAD_WITHIN_SECONDS * 0.9 <= taken < 10 * HEAD_WITHIN_SECONDS


async def test_many_requests_on_one_connection_outlive_the_deadline_of_each() -> None:
    async with serving() as place:
        reader, writer = await place.connected()
        for _ in range(8):
            writer.write(b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b'{"quick":true}')).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(HEAD_WITHIN_SECONDS / 4)
        writer.close()


async def test_what_comes_behind_an_answer_is_not_read_for_ever() -> None:
    """A body that nobody waits for."""
    async with serving() as place:
        stream = await place.connected()
        stream[1].write(b"GET /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        assert await seconds_until_cut(stream, trickle=b"a" * 9_000) < 10 * HEAD_WITHIN_SECONDS


async def test_a_thousand_half_open_connections_keep_nobody_waiting_and_are_all_cut() -> None:
    allow_many_connections()
    # The honest caller between them has this long too, on a machine that may be busy with a thousand others.
    async with serving(head_within=10 * HEAD_WITHIN_SECONDS) as place:
        half_open = []
        for number in range(HALF_OPEN):
            each = socket.create_connection(("127.0.0.1", place.port))
            each.sendall(b"GET /quick HTTP/1.1\r\nHost:"[: number % 28])
            half_open.append(each)
            if number % 100 == 0:
                answer = await place.says(b"GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert answer.endswith(b'{"quick":true}')
        await until(
            lambda: not place.state.connections, seen=lambda: f"{len(place.state.connections)} are left"
        )
        for each in half_open:
            each.close()


def test_a_process_uses_all_the_open_files_that_it_may_have() -> None:
    """Often 1,024 are given though many more are allowed; a thousand instances poll at once."""
    given, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, most), most))
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given, most))
