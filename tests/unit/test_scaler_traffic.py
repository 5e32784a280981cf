"""Whether callers reach a process: open calls and those of a moment ago count, probes do not."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from scaler.traffic import HEARD_SECONDS, Traffic
from tests.scaler_parts import Clock


async def plain(_: Scope, __: Receive, send: Send) -> None:
    """Answers at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("path", "heard"), [("/v1/leases", True), ("/tick", True), ("/healthz", False), ("/readyz", False)]
)
async def test_a_call_counts_for_a_while_and_a_probe_does_not(path: str, heard: bool) -> None:
    clock = Clock()
    traffic = Traffic(monotonic=clock)
    assert not traffic.heard()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(traffic.over(plain)), base_url="http://it"
    ) as http:
        await http.post(path)
    assert traffic.heard() is heard
    clock.now += HEARD_SECONDS
    assert not traffic.heard()


async def test_an_open_call_counts_however_long_it_takes_and_also_when_it_fails() -> None:
    clock, open_ones = Clock(), asyncio.Event()
    traffic = Traffic(monotonic=clock)

    async def waits(_: Scope, __: Receive, ___: Send) -> None:
        await open_ones.wait()
        raise RuntimeError("it breaks")

    async def called() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(traffic.over(waits)), base_url="http://it"
        ) as http:
            with pytest.raises(RuntimeError, match="it breaks"):
                await http.post("/v1/leases")

    call = asyncio.ensure_future(called())
    await asyncio.sleep(0)
    while not traffic.heard():
        await asyncio.sleep(0)
    clock.now += 10 * HEARD_SECONDS
    assert traffic.heard()
    open_ones.set()
    await call
    clock.now += HEARD_SECONDS
    assert not traffic.heard()
