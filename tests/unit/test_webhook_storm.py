"""Four thousand webhook deliveries in process: service, loop, demand, records and decision are the program's own.

A delivery says where to look and nothing else, so what the scaler concludes after the storm is what one that has seen none
of it concludes. The same over real sockets, for a whole day, is in `tests/scenarios`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from github_api.points import Urgency
from scaler.assembly import Parts
from scaler.loop import Intervals, Loop
from scaler.service import Service
from tests.scaler_assembled import assembled
from tests.scaler_parts import QueueOfGitHub, a_github_job, until
from tests.scaler_service_world import fixed_webhook, no_look
from tests.webhook_day import a_day

OURS = tuple(f"acme/repository-{number}" for number in range(12))
FOREIGN = ("acme/not-installed", "elsewhere/widgets")
SECRET = "hook"
DELIVERIES = 2_000
AT_ONCE = 8
# Longer than any test may take: only signals bring a look.
NEVER_SECONDS = 3_600.0


@dataclass(slots=True)
class SlowQueue(QueueOfGitHub):
    """GitHub's queue, whose answers take a moment; notes how many looks at one repository overlap."""

    open: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0

    async def workflow_runs(self, repository: str, *, status: str, urgency: Urgency) -> Any:
        """See Queue."""
        self.open[f"{repository} {status}"] += 1
        self.most_at_once = max(self.most_at_once, *self.open.values())
        try:
            await asyncio.sleep(0.02)
            return await QueueOfGitHub.workflow_runs(self, repository, status=status, urgency=urgency)
        finally:
            self.open[f"{repository} {status}"] -= 1

    @property
    def looks(self) -> int:
        """How many looks there were."""
        return sum(times for what, times in self.reads.items() if what.endswith(" queued"))


@dataclass(slots=True)
class Storm:
    """A living scaler over that queue."""

    parts: Parts
    loop: Loop
    github: SlowQueue
    http: httpx.AsyncClient

    async def conclusions(self) -> Mapping[str, Any]:
        """What `/status` says once everything was looked at, without what tells of time or of how often."""
        assert await self.loop.look_at_everything() is not None
        status = self.parts.journal.status(demand_faults=self.parts.demand.faults)
        for pool in status["pools"]:
            del pool["oldest_queued_seconds"]
        return {key: value for key, value in status.items() if key not in ("at", "ticks")}


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Storm]:
    """A scaler in process; two of its repositories hold three queued jobs, whatever anybody delivers."""
    folder.mkdir()
    scaler = assembled(folder)
    parts, github = scaler.parts, SlowQueue(visible=dict.fromkeys(OURS, True))
    github.holds(a_github_job(1), a_github_job(2), repository=OURS[3])
    github.holds(a_github_job(3), a_github_job(4, labels=("windows",)), repository=OURS[7])
    for name in ("repositories", "workflow_runs", "jobs_of_run"):
        setattr(parts.github, name, getattr(github, name))
    loop = Loop(
        reconciler=parts.reconciler,
        demand=parts.demand,
        directory=parts.directory,
        writer=parts.writer,
        leadership=parts.leadership,
        journal=parts.journal,
        intervals=Intervals(demand=NEVER_SECONDS, cells=NEVER_SECONDS, leader_renewal=5.0),
        clock=time.time,
    )
    parts.on_change.append(loop.nudge)
    async with httpx.AsyncClient() as keys:
        service = Service(
            desk=parts.desk(loop),
            identity=parts.identity(keys),
            cell=parts.admission,
            secrets=parts.directory.secrets,
            callers=frozenset(),
            look_at_cells=no_look,
            webhook=fixed_webhook(SECRET),
            on_repository=loop.nudge_repository,
            tick=lambda: asyncio.sleep(0, {}),
            status=dict,
            ready=lambda: None,
        )
        life = asyncio.create_task(loop.run())
        transport = httpx.ASGITransport(service.app())
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://scaler.test") as http:
                await until(lambda: parts.demand.seen().complete, seen=lambda: parts.demand.faults)
                yield Storm(parts=parts, loop=loop, github=github, http=http)
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await parts.aclose()


async def test_thousands_of_webhooks_change_when_the_scaler_looks_and_not_what_it_concludes(
    tmp_path: Path,
) -> None:
    """Doubled, shuffled, forged and foreign ones among them; the looks that they ask for are shared."""
    day = a_day(seed=11, deliveries=DELIVERIES, repositories=OURS, foreign=FOREIGN, secret=SECRET)
    wrong: list[str] = []
    async with living(tmp_path / "stormy") as storm, living(tmp_path / "calm") as calm:
        before = storm.github.looks
        waiting = iter(day)

        async def sender() -> None:
            for each in waiting:
                await asyncio.sleep(0.001)  # nothing here waits for a network, so let the looks go on
                answer = await storm.http.post("/webhooks/github", content=each.body, headers=each.headers)
                if answer.status_code != each.answer:
                    wrong.append(f"{answer.status_code} instead of {each.answer}: {answer.text[:200]}")
                # Answered before the look, so however many come, tasks do not pile up behind GitHub.
                assert len(storm.loop._looks) <= 2 * (len(OURS) + len(FOREIGN))

        await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
        await until(lambda: not storm.loop._looks, seen=lambda: storm.loop._signalled)
        looks = storm.github.looks - before
        assert wrong == []
        assert await storm.conclusions() == await calm.conclusions()
        assert (await calm.conclusions())["pools"][0]["queued"] == 3
        assert storm.github.most_at_once == 1, "two looks at one repository were under way at once"
        signals = sum(each.looks_at in OURS for each in day)
        assert len(OURS) <= looks < signals / 3, f"{looks} looks for {signals} signals"
        assert not any(name in what for what in storm.github.reads for name in FOREIGN)
        # The list of repositories is not asked for again for each name that it does not hold.
        assert storm.github.reads["installation"] == 1
    print(f"{len(day)} deliveries, {signals} of them signals, {looks} looks")
