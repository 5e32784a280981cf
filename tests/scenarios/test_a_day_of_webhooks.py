"""A day's webhooks, twice each and in no order, over real sockets to the real scaler; GitHub and Cloud Run are stubs.

Forty thousand deliveries tell of more than five thousand jobs. GitHub itself, asked, shows seven. What the scaler concludes
must come from what GitHub shows: as with a second scaler that has had no delivery at all.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.measures import percentile
from bench.process_figures import resident_mib
from bench.scaler_program import WEBHOOK_SECRET, RunningScaler, running_scaler
from bench.stub_vendors import CALLER, ORGANIZATION, Asked, StubVendors
from tests.webhook_day import Delivery, a_day

DELIVERIES = 20_000
CONNECTIONS = 16
REPOSITORIES = tuple(f"repository-{number:02}" for number in range(30))
FOREIGN = (f"{ORGANIZATION}/not-installed", "elsewhere/widgets")
# What GitHub shows from the middle of the day on: seven jobs in three repositories.
QUEUED = {REPOSITORIES[4]: (501, 502, 503), REPOSITORIES[11]: (504,), REPOSITORIES[29]: (505, 506, 507)}
# How long GitHub takes for an answer; the looks of a storm share what they ask for all the more.
DELAY_SECONDS = 0.1
# The sizes sum up to more than is queued: a "+1" would show in what is asked for.
CELL_SIZES = (1, 1, 2, 2, 4, 4, 8, 8, 50)
# GitHub gives a delivery up after ten seconds.
ANSWERED_WITHIN_SECONDS = 10.0
# What a process may grow by between the first tenth of the day and its end: the interpreter's own slack.
MARGIN_MIB = 6.0
PATIENCE_SECONDS = 60.0


@contextmanager
def a_scaler(queued: Mapping[str, tuple[int, ...]]) -> Iterator[RunningScaler]:
    """A running scaler with vendors of its own."""
    vendors = StubVendors(
        repositories=REPOSITORIES, cell_sizes=CELL_SIZES, delay_seconds=DELAY_SECONDS, queued=dict(queued)
    )
    with running_scaler(vendors, minimum=0) as scaler:
        yield scaler


def status(scaler: RunningScaler) -> dict[str, Any]:
    """The document of `/status`."""
    reply = scaler.http.get(
        f"{scaler.url}/status", headers={"Authorization": f"Bearer {scaler.token(CALLER)}"}, timeout=30.0
    )
    return dict(reply.raise_for_status().json())


def conclusions(scaler: RunningScaler) -> tuple[int, Mapping[str, Any]]:
    """After how many ticks of ours everything was looked at and done, and `/status` then, without what tells of time, of how
    often, of who was not let in, or of the order in which jobs became known: that may choose other cells, for the same number
    of instances.
    """
    deadline, ticks = time.monotonic() + PATIENCE_SECONDS, 0
    while True:
        scaler.tick()
        ticks += 1
        document = status(scaler)
        (pool,) = document["pools"]
        if pool["observed"] == pool["requested"] == pool["wanted"]:
            break
        assert time.monotonic() < deadline, f"it does not come to rest; last seen: {document}"
    for each in document["pools"]:
        del each["oldest_queued_seconds"]
    left_out = ("at", "ticks", "cells", "refused_callers")
    return ticks, {key: value for key, value in document.items() if key not in left_out}


class Storm:
    """The sender of all deliveries, over a few kept connections, as fast as they are answered."""

    def __init__(self, scaler: RunningScaler, day: Sequence[Delivery]) -> None:
        self.scaler = scaler
        self.day = day
        self.sent = 0
        self.seconds: list[float] = []
        self.wrong: list[str] = []
        self.answers: Counter[int] = Counter()
        self.resident: list[float] = []

    async def sends_all(self) -> None:
        """Send everything; in the middle of the day jobs are queued at GitHub."""
        parts = urlsplit(self.scaler.url)
        waiting = iter(self.day)

        async def connection() -> None:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                for each in waiting:
                    begun = time.monotonic()
                    writer.write(_request(parts.netloc, each))
                    answer, body = await _answer(reader)
                    self.seconds.append(time.monotonic() - begun)
                    self.answers[answer] += 1
                    if answer != each.answer:
                        self.wrong.append(f"{answer} instead of {each.answer}: {body[:200]!r}")
                    self._count()
            finally:
                writer.close()

        async with asyncio.timeout(1_500.0):
            await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))

    def _count(self) -> None:
        self.sent += 1
        if self.sent == len(self.day) // 2:
            self.scaler.vendors.queued.update(QUEUED)
        if self.sent % (len(self.day) // 10) == 0:
            self.resident.append(resident_mib(self.scaler.pid))


def _request(host: str, delivery: Delivery) -> bytes:
    lines = [
        "POST /webhooks/github HTTP/1.1",
        f"Host: {host}",
        f"Content-Length: {len(delivery.body)}",
        *(f"{name}: {value}" for name, value in delivery.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + delivery.body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
    return int(lines[0].split()[1]), await reader.readexactly(int(lengths[0]))


def looks(asked: Sequence[Asked]) -> Mapping[str, list[Asked]]:
    """The looks at each repository: each begins with the list of its queued runs."""
    found: defaultdict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        if each.path.endswith("/actions/runs") and "status=queued" in each.query:
            found[each.path.split("/")[3]].append(each)
    return found


def most_at_once(spans: Sequence[Asked]) -> int:
    """How many of these requests were under way at the same time, at most."""
    edges = sorted([(each.begun, 1) for each in spans] + [(each.ended, -1) for each in spans])
    under_way = most = 0
    for _, step in edges:
        under_way += step
        most = max(most, under_way)
    return most


@pytest.mark.timeout(1_800)
def test_a_days_webhooks_change_when_the_scaler_looks_and_not_what_it_concludes() -> None:
    """Each gets its right answer in time, memory does not grow with their number, and the looks they ask for are shared."""
    ours = tuple(f"{ORGANIZATION}/{name}" for name in REPOSITORIES)
    day = a_day(seed=20, deliveries=DELIVERIES, repositories=ours, foreign=FOREIGN, secret=WEBHOOK_SECRET)
    signals = sum(each.looks_at in ours for each in day)
    with a_scaler({}) as stormy:
        before = len(stormy.vendors.asked)
        storm, begun = Storm(stormy, day), time.monotonic()
        # In a thread of its own, beside the vendors' thread.
        thread = threading.Thread(target=lambda: asyncio.run(storm.sends_all()), daemon=True)
        thread.start()
        thread.join()
        last_answer = time.monotonic()
        assert storm.sent == len(day) == 2 * DELIVERIES, f"{storm.sent} were answered; {storm.answers}"
        assert storm.wrong == []
        # Nobody has ticked so far: that jobs are queued was found by the looks that webhooks have asked for.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := status(stormy)["pools"][0]["queued"]) != sum(map(len, QUEUED.values())):
            assert time.monotonic() < deadline, f"webhooks alone have shown {seen} queued jobs"
        refused = sum(each.answer in (400, 401) for each in day)
        assert status(stormy)["refused_callers"] == {"webhook_refused": refused}
        ticks, concluded = conclusions(stormy)
        asked = stormy.vendors.asked[before:]
        log = stormy.log.read_text()
    with a_scaler(QUEUED) as calm:
        assert concluded == conclusions(calm)[1]
    assert concluded["pools"][0]["wanted"] == sum(map(len, QUEUED.values()))

    assert max(storm.seconds) < ANSWERED_WITHIN_SECONDS
    grown = storm.resident[-1] - storm.resident[0]
    assert grown < MARGIN_MIB, f"MiB at each tenth of the day: {storm.resident}"
    assert "Traceback" not in log

    by_repository = looks(asked)
    assert set(by_repository) == set(REPOSITORIES), "others were looked at, or some of ours were not"
    # One for all signals; beside it a sweep's or a decision's second look, for which nobody named waits.
    at_once = {name: most_at_once(each) for name, each in by_repository.items()}
    assert max(at_once.values()) <= 2, at_once
    # After the last delivery one look may be under way or about to begin, and one more is noted; each of our ticks adds one.
    late = [sum(each.begun > last_answer for each in spans) - ticks for spans in by_repository.values()]
    assert max(late) <= 2, (
        f"looks at each repository after the last delivery, without our {ticks} ticks': {late}"
    )
    total = sum(map(len, by_repository.values()))
    assert total < signals / 5, f"{total} looks for {signals} signals"
    print(
        f"{len(day)} deliveries ({signals} of them signals) in {last_answer - begun:.0f} s; answers "
        f"{dict(sorted(storm.answers.items()))}, p50 {percentile(storm.seconds, 0.5) * 1000:.1f} ms, "
        f"p99 {percentile(storm.seconds, 0.99) * 1000:.0f} ms, largest {max(storm.seconds) * 1000:.0f} ms"
    )
    print(
        f"{total} looks with {len(asked)} requests; after the last delivery at most {max(late)} looks at one repository"
    )
    print(f"MiB at each tenth of the day: {', '.join(f'{each:.1f}' for each in storm.resident)}")
