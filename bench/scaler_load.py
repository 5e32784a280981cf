"""Memory and computing time of the scaler while a thousand parked instances poll it."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.measures import Row
from bench.process_figures import cpu_seconds, proportional_mib, resident_mib
from bench.scaler_program import RunningScaler, running_scaler
from bench.stub_vendors import StubVendors, cell_name, cell_secret

NAME = "scaler-1000"
INSTANCES = 1000
CELLS = 10
MEASURED_SECONDS = 30.0
MOST_MIB = 150.0
MOST_SHARE = 0.10
_LONG_POLL_SECONDS = 25.0
_ANSWER_SECONDS = 35.0
_DEADLINE_SECONDS = 60.0


@dataclass(kw_only=True)
class _Polls:
    """What the instances have seen."""

    answered: int = 0
    waiting: int = 0
    faults: list[str] = field(default_factory=list)


def row() -> Row:
    """Measure."""
    vendors = StubVendors(repositories=("widgets",), cell_sizes=(INSTANCES // CELLS,) * CELLS)
    with running_scaler(vendors, minimum=INSTANCES) as scaler:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while sum(vendors.counts) < INSTANCES:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"the cells were not raised within {_DEADLINE_SECONDS:g} s: {vendors.counts}"
                )
            time.sleep(0.1)
        idle = resident_mib(scaler.pid)
        return asyncio.run(_measured(scaler, idle))


async def _measured(scaler: RunningScaler, idle_mib: float) -> Row:
    polls = _Polls()
    token = scaler.token()
    # Instances do not start in step: their polls are spread evenly over the time that one lasts.
    instances = [
        asyncio.create_task(_instance(scaler.url, token, number, polls)) for number in range(INSTANCES)
    ]
    try:
        await _parked(polls)
        before, answered, begun = cpu_seconds(scaler.pid), polls.answered, time.monotonic()
        resident: list[float] = []
        while time.monotonic() < begun + MEASURED_SECONDS:
            await asyncio.sleep(1.0)
            resident.append(resident_mib(scaler.pid))
        lasted = time.monotonic() - begun
        share = (cpu_seconds(scaler.pid) - before) / lasted
        proportional = proportional_mib(scaler.pid)
        polled = polls.answered - answered
    finally:
        for each in instances:
            each.cancel()
        await asyncio.gather(*instances, return_exceptions=True)
    if polls.faults:
        raise RuntimeError(f"{len(polls.faults)} polls were refused, the first with {polls.faults[0]}")
    return Row(
        bench=NAME,
        measured=f"resident {max(resident):.0f} MiB (proportional {proportional:.0f}, before the first poll {idle_mib:.0f}), "
        f"{share:.0%} of a core at {polled / lasted:.0f} polls/s: {share * lasted / max(1, polled) * 1000:.1f} ms a poll",
        runs=f"1, over {lasted:.0f} s",
        target=f"<= {MOST_MIB:.0f} MiB, <= {MOST_SHARE:.0%} of a core",
        met=max(resident) <= MOST_MIB and share <= MOST_SHARE,
    )


async def _parked(polls: _Polls) -> None:
    """Wait until every instance has a poll open."""
    deadline = time.monotonic() + _LONG_POLL_SECONDS + _DEADLINE_SECONDS
    while polls.waiting < INSTANCES - INSTANCES // 100:
        if polls.faults or time.monotonic() > deadline:
            raise RuntimeError(
                f"only {polls.waiting} of {INSTANCES} polls are open; refused: {polls.faults[:1]}"
            )
        await asyncio.sleep(0.2)


async def _instance(url: str, token: str, number: int, polls: _Polls) -> None:
    """Park for ever, each time on a connection of its own, as the agent does."""
    cell = number % CELLS
    await asyncio.sleep(_LONG_POLL_SECONDS * number / INSTANCES)
    body = {
        "cell": cell_name(cell),
        "instance": f"bench-{number}",
        "boot": f"{number:032x}",
        "ask": 1,
        "uptime": 0.01,
    }
    request = _request(url, json.dumps(body).encode(), token=token, secret=cell_secret(cell))
    while True:
        polls.waiting += 1
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                status = await _status(url, request)
        except (TimeoutError, OSError, ValueError) as error:
            polls.faults.append(f"{type(error).__name__}: {error}")
            return
        finally:
            polls.waiting -= 1
        if status not in ("200", "204"):
            polls.faults.append(status)
            return
        polls.answered += 1


def _request(url: str, body: bytes, *, token: str, secret: str) -> bytes:
    lines: Sequence[str] = (
        "POST /v1/leases HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {token}",
        f"X-Cell-Secret: {secret}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _status(url: str, request: bytes) -> str:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        line = await reader.readline()
        await reader.read()
        return line.split()[1].decode() if len(line.split()) > 1 else "no answer"
    finally:
        writer.close()
