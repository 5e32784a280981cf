"""Memory and computing time of the scaler while a thousand instances speak to it: all parked, or some with a lease."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.measures import Row
from bench.process_figures import cpu_seconds, proportional_mib, resident_mib
from bench.scaler_program import RunningScaler, running_scaler
from bench.stub_vendors import StubVendors, cell_name, cell_secret

NAME = "scaler-1000"
NAME_WITH_LEASES = "scaler-1000-leased"
INSTANCES = 1000
LEASED = 200
CELLS = 10
MEASURED_SECONDS = 30.0
MOST_MIB = 150.0
MOST_SHARE = 0.10
_LONG_POLL_SECONDS = 25.0
_HEARTBEAT_SECONDS = 20.0
_ANSWER_SECONDS = 35.0
# A registration costs 5 of GitHub's 900 points a minute, so so many leases cannot be given in one.
_LEASES_WITHIN_SECONDS = 100.0
_DEADLINE_SECONDS = 60.0


@dataclass(kw_only=True)
class _Heard:
    """What the instances have seen."""

    answered: int = 0
    waiting: int = 0
    leased: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    """One instance and how it signs in; each call is on a connection of its own, as the agent's are."""

    url: str
    token: str
    number: int

    @property
    def cell(self) -> int:
        """The number of its cell."""
        return self.number % CELLS

    async def post(self, path: str, body: Mapping[str, object]) -> tuple[str, bytes]:
        """Status and body of the answer. Raises TimeoutError, OSError, ValueError."""
        content = json.dumps({"cell": cell_name(self.cell), "boot": f"{self.number:032x}", **body}).encode()
        request = _request(self.url, path, content, token=self.token, secret=cell_secret(self.cell))
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await _answer(self.url, request)


def row() -> Row:
    """Measure a thousand parked instances."""
    return _row(NAME, leased=0)


def row_with_leases() -> Row:
    """Measure eight hundred parked instances and two hundred with a lease, spread over all cells."""
    return _row(NAME_WITH_LEASES, leased=LEASED)


def _row(name: str, *, leased: int) -> Row:
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
        return asyncio.run(_measured(scaler, idle, name=name, leased=leased))


async def _measured(scaler: RunningScaler, idle_mib: float, *, name: str, leased: int) -> Row:
    heard = _Heard()
    token = scaler.token()
    # Instances do not start in step: their calls are spread evenly over the time that one lasts.
    instances = [
        asyncio.create_task(
            (_with_lease if number < leased else _in_park)(
                _Instance(url=scaler.url, token=token, number=number), heard
            )
        )
        for number in range(INSTANCES)
    ]
    try:
        await _settled(heard, leased=leased)
        before, answered, begun = cpu_seconds(scaler.pid), heard.answered, time.monotonic()
        resident: list[float] = []
        while time.monotonic() < begun + MEASURED_SECONDS:
            await asyncio.sleep(1.0)
            resident.append(resident_mib(scaler.pid))
        lasted = time.monotonic() - begun
        share = (cpu_seconds(scaler.pid) - before) / lasted
        proportional = proportional_mib(scaler.pid)
        calls = heard.answered - answered
    finally:
        for each in instances:
            each.cancel()
        await asyncio.gather(*instances, return_exceptions=True)
    if heard.faults:
        raise RuntimeError(f"{len(heard.faults)} calls were refused, the first with {heard.faults[0]}")
    of_whom = f" ({leased} of {INSTANCES} leased)" if leased else ""
    return Row(
        bench=name,
        measured=f"resident {max(resident):.0f} MiB (proportional {proportional:.0f}, before the first poll {idle_mib:.0f}), "
        f"{share:.1%} of a core at {calls / lasted:.0f} calls/s{of_whom}: "
        f"{share * lasted / max(1, calls) * 1000:.1f} ms a call",
        runs=f"1, over {lasted:.0f} s",
        target=f"<= {MOST_MIB:.0f} MiB, <= {MOST_SHARE:.0%} of a core",
        met=max(resident) <= MOST_MIB and share <= MOST_SHARE,
    )


async def _settled(heard: _Heard, *, leased: int) -> None:
    """Wait until every instance has its lease or a poll open."""
    deadline = time.monotonic() + _LONG_POLL_SECONDS + _DEADLINE_SECONDS
    deadline += _LEASES_WITHIN_SECONDS if leased else 0.0
    parked = INSTANCES - leased
    while heard.leased < leased or heard.waiting < parked - parked // 100:
        if heard.faults or time.monotonic() > deadline:
            raise RuntimeError(
                f"only {heard.waiting} of {parked} polls are open and {heard.leased} of {leased} leases given; refused: "
                f"{heard.faults[:1]}"
            )
        await asyncio.sleep(0.2)


async def _in_park(instance: _Instance, heard: _Heard) -> None:
    """Park for ever."""
    await asyncio.sleep(_LONG_POLL_SECONDS * instance.number / INSTANCES)
    while True:
        heard.waiting += 1
        try:
            status, _ = await instance.post("/v1/leases", _ask(instance))
        except (TimeoutError, OSError, ValueError) as error:
            heard.faults.append(f"{type(error).__name__}: {error}")
            return
        finally:
            heard.waiting -= 1
        if status not in ("200", "204"):
            heard.faults.append(status)
            return
        heard.answered += 1


async def _with_lease(instance: _Instance, heard: _Heard) -> None:
    """Take a lease, then say for ever that its job runs."""
    await asyncio.sleep(_LEASES_WITHIN_SECONDS * instance.number / LEASED)
    try:
        status, content = await instance.post("/v1/leases/start", _ask(instance))
        if status != "200":
            heard.faults.append(f"{status} {content[:200]!r}")
            return
        heard.leased += 1
        path, seq = f"/v1/leases/{json.loads(content)['lease']}/events", 0
        while True:
            seq += 1
            status, content = await instance.post(path, {"seq": seq, "state": "running", "job": "build"})
            if status != "200":
                heard.faults.append(f"{status} {content[:200]!r}")
                return
            heard.answered += 1
            await asyncio.sleep(_HEARTBEAT_SECONDS)
    except (TimeoutError, OSError, ValueError) as error:
        heard.faults.append(f"{type(error).__name__}: {error}")


def _ask(instance: _Instance) -> Mapping[str, Any]:
    return {"instance": f"bench-{instance.number}", "ask": 1, "uptime": 0.01}


def _request(url: str, path: str, body: bytes, *, token: str, secret: str) -> bytes:
    lines: Sequence[str] = (
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {token}",
        f"X-Cell-Secret: {secret}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _answer(url: str, request: bytes) -> tuple[str, bytes]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        words = head.split(b"\r\n")[0].split()
        return (words[1].decode() if len(words) > 1 else "no answer"), body
    finally:
        writer.close()
