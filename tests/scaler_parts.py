"""Builders and fakes for tests of the scaler's shells: a clock, records in memory, GitHub by its protocols, paced sleeps.

Knows the shells' own protocols and nothing of sockets, processes or files.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count

from cell_records.codec import cell_text
from cell_records.record import CellRecord
from cell_records.store import RecordStore, Stored, cell_key
from github_api.errors import GitHubError, NotFound
from github_api.points import Urgency
from github_api.secret import Secret
from github_api.values import JitConfiguration, Job, JobStatus, Repository, Runner, WorkflowRun
from scaler.core.model import CellSeen, Decision, PoolPicture, Seen
from scaler.reconciler import TickRecord
from scaler.records import Records
from tests.factories import NOW, OWNER, REPOSITORY, an_open_cell, seen
from tests.simulation.forgetful_store import ForgetfulStore

# How long a test waits for a fact that only takes turns of the event loop.
PATIENCE_SECONDS = 5.0

# One row for all processes of a test: a nonce is never drawn twice.
_NONCES = count(1)


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch that only a test moves."""

    now: float = NOW

    def __call__(self) -> float:
        """The moment."""
        return self.now


async def until(fact: Callable[[], bool], *, seen: Callable[[], object]) -> None:
    """Let other tasks run until a fact holds; fails with what was last seen."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fact():
                await asyncio.sleep(0.0005)
    except TimeoutError:
        raise AssertionError(f"it did not come true; last seen: {seen()}") from None


async def a_few_turns() -> None:
    """Let every task that can go on without a timer do so."""
    for _ in range(20):
        await asyncio.sleep(0)


class PacedSleep:
    """A `sleep` whose time is a test's clock: sleepers wake when the test moves it to their moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Sleep by the test's clock."""
        self.asked.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._clock.now + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move the clock and let those whose moment has come run."""
        self._clock.now += seconds
        for due, woken in self._sleepers:
            if due <= self._clock.now and not woken.done():
                woken.set_result(None)
        self._sleepers = [each for each in self._sleepers if not each[1].done()]
        await a_few_turns()


def records_over(store: RecordStore, *, location: str = "") -> Records:
    """This deployment's records in that store."""
    return Records(store, owner=OWNER, nonce=lambda: f"nonce-{next(_NONCES)}", location=location)


def records_of(**cells: CellRecord) -> Records:
    """Records in memory that hold these cells (`_` in a name stands for `-`)."""
    store = ForgetfulStore()
    for name, record in cells.items():
        store.texts[cell_key(name.replace("_", "-"))] = Stored(cell_text(record), 1)
    return records_over(store)


def a_github_job(
    number: int = 1,
    status: JobStatus = JobStatus.QUEUED,
    *,
    labels: Sequence[str] = ("self-hosted", "Linux"),
    runner_id: int | None = None,
    runner_name: str | None = None,
    created_at: float = NOW - 30.0,
    started_at: float | None = None,
    completed_at: float | None = None,
) -> Job:
    """A job as GitHub's REST API tells of it; queued unless told otherwise."""
    return Job(
        id=number,
        run_id=7,
        run_attempt=1,
        name=f"job-{number}",
        status=status,
        conclusion=None,
        labels_as_written=tuple(labels),
        created_at=created_at,
        started_at=started_at,
        completed_at=completed_at,
        runner_id=runner_id,
        runner_name=runner_name,
        html_url=None,
    )


@dataclass(slots=True)
class QueueOfGitHub:
    """Runs and jobs by repository; `single`: jobs that can be asked about by their id. `fails`: what the reading of a
    repository, of a run or of the "installation" ends with; `gate`: what each reading of runs waits for.
    """

    visible: dict[str, bool] = field(default_factory=lambda: {REPOSITORY: True})
    runs: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    jobs: dict[int, tuple[Job, ...]] = field(default_factory=dict)
    single: dict[int, Job] = field(default_factory=dict)
    fails: dict[str | int, GitHubError] = field(default_factory=dict)
    gate: Callable[[str], asyncio.Event | None] = field(default=lambda _: None)
    reads: Counter[str] = field(default_factory=Counter)
    pages: Counter[int] = field(default_factory=Counter)
    under_way: set[str] = field(default_factory=set)
    most_under_way: int = 0
    urgencies: set[tuple[str, Urgency]] = field(default_factory=set)

    def holds(self, *jobs: Job, repository: str = REPOSITORY) -> None:
        """The repository's queue is one run with these jobs; the run's id is made of the repository's name."""
        run = sum(map(ord, repository))
        self.runs[repository, "queued"] = (run,) if jobs else ()
        self.jobs[run] = jobs

    async def repositories(self) -> tuple[Repository, ...]:
        """See Queue."""
        self.reads["installation"] += 1
        self._fail("installation")
        return tuple(Repository(full_name=name, private=private) for name, private in self.visible.items())

    async def workflow_runs(
        self, repository: str, *, status: str, urgency: Urgency
    ) -> tuple[WorkflowRun, ...]:
        """See Queue."""
        self.reads[f"{repository} {status}"] += 1
        self.urgencies.add((repository, urgency))
        self.under_way.add(repository)
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        try:
            gate = self.gate(repository)
            if gate is not None:
                await gate.wait()
        finally:
            self.under_way.discard(repository)
        self._fail(repository)
        found = self.runs.get((repository, status), ())
        return tuple(
            WorkflowRun(id=run, status=status, run_attempt=1, created_at=NOW, html_url="") for run in found
        )

    async def jobs_of_run(self, repository: str, run_id: int, *, urgency: Urgency) -> tuple[Job, ...]:
        """See Queue."""
        self.pages[run_id] += 1
        self.urgencies.add((repository, urgency))
        self._fail(run_id)
        return self.jobs.get(run_id, ())

    async def job(self, repository: str, job_id: int) -> Job:
        """See Queue."""
        self.reads[f"job {job_id}"] += 1
        found = self.single.get(job_id)
        if found is None:
            raise NotFound(f"no job {job_id}")
        return found

    def _fail(self, what: str | int) -> None:
        if what in self.fails:
            raise self.fails[what]


@dataclass(slots=True)
class RegistrationsOfGitHub:
    """Registrations by id; `fails` maps a call's name or a runner's id to what it ends with."""

    registered: dict[int, str] = field(default_factory=dict)
    fails: dict[str | int, GitHubError] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    made: list[tuple[str, tuple[str, ...], int, float]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)

    async def generate_jit_configuration(
        self, *, name: str, labels: Collection[str], runner_group_id: int, timeout_seconds: float
    ) -> JitConfiguration:
        """See Registrations."""
        self.made.append((name, tuple(labels), runner_group_id, timeout_seconds))
        self._fail("register")
        runner_id = 100 + len(self.made)
        self.registered[runner_id] = name
        return JitConfiguration(runner_id=runner_id, runner_name=name, encoded=Secret(f"jit-of-{name}"))

    async def runners(self, *, name: str | None = None) -> tuple[Runner, ...]:
        """See Registrations."""
        self._fail("runners")
        return tuple(
            Runner(id=number, name=each, status="offline", busy=False, labels=frozenset())
            for number, each in self.registered.items()
            if name in (None, each)
        )

    async def delete_runner(self, runner_id: int) -> None:
        """See Registrations."""
        self._fail(runner_id)
        self.deleted.append(runner_id)
        self.registered.pop(runner_id, None)

    async def job(self, repository: str, job_id: int) -> Job:
        """See Registrations."""
        self._fail("job")
        return self.jobs[job_id]

    def _fail(self, what: str | int) -> None:
        if what in self.fails:
            raise self.fails[what]


def a_picture(pool: str = "linux", *, queued: int = 0, oldest: float | None = None) -> PoolPicture:
    """The numbers of a pool that has one instance of everything."""
    return PoolPicture(
        pool=pool,
        queued=queued,
        uncovered=0,
        oldest_queued_seconds=oldest,
        parked=1,
        booting=1,
        leased=1,
        wanted=3,
        requested=3,
        observed=2,
        max=10,
    )


def a_tick(
    decision: Decision | None = None,
    *cells: CellSeen,
    observed: Seen | None = None,
    leads: bool = True,
    faults: dict[str, str] | None = None,
) -> TickRecord:
    """One tick of the leader that has seen one open cell and decided nothing."""
    everything = observed or seen(*(cells or (an_open_cell(),)))
    return TickRecord(
        at=everything.at,
        leads=leads,
        seen=everything,
        decision=decision or Decision(pools=(a_picture(),), look_again_at=everything.at + 30.0),
        faults=faults or {},
    )
