"""The book of runs and jobs: what there is, found by every key that somebody asks with. Pure; decides nothing."""

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from emulator.github.accounts import Repository
from emulator.github.jobs import Job, JobEvent, JobStatus, Plan, PlannedJob, Run
from emulator.github.refusals import ControlRefusal, not_found

# Beyond 32 bits, as GitHub's are, so that nobody gets away with too small a number.
FIRST_RUN_ID: Final = 15_000_000_001
FIRST_JOB_ID: Final = 42_000_000_001
FIRST_WORKFLOW_ID: Final = 7_001


class Ledger:
    """Runs and jobs of all repositories, their logs, and the events that webhooks tell."""

    def __init__(self, *, chance: random.Random) -> None:
        self._chance = chance
        self._runs: dict[int, Run] = {}
        self._jobs: dict[int, Job] = {}
        self._by_uuid: dict[str, int] = {}
        self._logs: dict[int, str] = {}
        self._late: dict[int, list[tuple[float, Job]]] = {}
        self._workflow_ids: dict[tuple[int, str], int] = {}
        self._events: list[JobEvent] = []
        self._next_run_id = FIRST_RUN_ID
        self._next_job_id = FIRST_JOB_ID

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────

    def add_run(
        self,
        repository: Repository,
        plan: Plan,
        *,
        filename: str,
        head_sha: str,
        source: str | None,
        github_url: str,
        now: float,
    ) -> Run:
        """A new run of a workflow file, started by a push; it has no jobs yet."""
        workflow_id = self._workflow_ids.setdefault(
            (repository.id, filename), FIRST_WORKFLOW_ID + len(self._workflow_ids)
        )
        run_id = self._next_run_id
        self._next_run_id += 1 + self._chance.randrange(100)
        number = 1 + sum(run.workflow_id == workflow_id for run in self._runs.values())
        context = _github_context(
            repository, run_id=run_id, number=number, sha=head_sha, workflow=plan.name, url=github_url
        )
        run = Run(
            id=run_id,
            number=number,
            workflow_id=workflow_id,
            workflow=plan.name,
            path=f".github/workflows/{filename}",
            repository=repository,
            head_sha=head_sha,
            created_at=now,
            updated_at=now,
            source=source,
            github=context,
            progress=plan.start(github=context, run_id=run_id),
        )
        self._runs[run_id] = run
        return run

    def add_job(self, run: Run, planned: PlannedJob, *, now: float) -> Job:
        """A new job of the run, queued."""
        job = Job(
            id=self._next_job_id,
            uuid=self.new_uuid(),
            plan_id=self.new_uuid(),
            timeline_id=self.new_uuid(),
            run_id=run.id,
            key=planned.key,
            name=planned.name,
            labels=planned.labels,
            group=planned.group,
            created_at=now,
            queued_at=now,
            definition=planned.definition,
        )
        self._next_job_id += 1 + self._chance.randrange(10)
        self._jobs[job.id] = job
        self._by_uuid[job.uuid] = job.id
        run.job_ids.append(job.id)
        return job

    def change(self, job: Job) -> None:
        """`job` takes the place of the value that had its id."""
        self._jobs[job.id] = job

    def show_late(self, before: Job, *, until: float) -> None:
        """`before` is what is shown of the job until then, whatever it has become."""
        self._late.setdefault(before.id, []).append((until, before))

    def tell(self, action: str, job: Job, *, now: float) -> None:
        """Note an event; the run has moved."""
        run = self.run_of(job)
        run.updated_at = now
        self._events.append(JobEvent(action=action, job=job, run=run))

    def write_log(self, job_uuid: str, text: str) -> None:
        """Append to a job's log. Raises `ControlRefusal` 404 for a job that never was."""
        job = self.with_uuid(job_uuid)
        if job is None:
            raise ControlRefusal(404, f"no job has the id {job_uuid}")
        self._logs[job.id] = self._logs.get(job.id, "") + text

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────

    def take_events(self) -> list[JobEvent]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        return events

    def runs_of(
        self, repository: Repository, *, keep: Callable[[Run], bool] = lambda _run: True
    ) -> list[Run]:
        """Newest first, as GitHub lists them."""
        found = [run for run in self._runs.values() if run.repository.id == repository.id and keep(run)]
        return found[::-1]

    def run(self, run_id: int, repository: Repository) -> Run:
        """Raises `RestRefusal` 404."""
        run = self._runs.get(run_id)
        if run is None or run.repository.id != repository.id:
            raise not_found()
        return run

    def run_of(self, job: Job) -> Run:
        return self._runs[job.run_id]

    def status_of(self, run: Run) -> tuple[str, str | None]:
        """Status and conclusion of a run: queued until its first job moves, completed when all have ended."""
        if run.progress.conclusion is not None:
            return "completed", run.progress.conclusion
        moved = any(job.status is not JobStatus.QUEUED for job in self.jobs_of(run))
        return ("in_progress" if moved else "queued"), None

    def job(self, job_id: int, repository: Repository) -> tuple[Job, Run]:
        """Raises `RestRefusal` 404."""
        job = self._jobs.get(job_id)
        if job is None:
            raise not_found()
        return job, self.run(job.run_id, repository)

    def with_id(self, job_id: int) -> Job:
        return self._jobs[job_id]

    def with_uuid(self, job_uuid: str) -> Job | None:
        job_id = self._by_uuid.get(job_uuid)
        return None if job_id is None else self._jobs[job_id]

    def shown_late(self, job: Job, *, now: float) -> Job | None:
        """The earliest value that is still to be shown; None when that is the present one."""
        return next((before for until, before in self._late.get(job.id, ()) if now < until), None)

    def jobs_of(self, run: Run) -> list[Job]:
        return [self._jobs[job_id] for job_id in run.job_ids]

    def every_job(self) -> Iterator[tuple[Job, Run]]:
        return ((job, self._runs[job.run_id]) for job in self._jobs.values())

    def log_of(self, job: Job) -> str:
        return self._logs.get(job.id, "")


def _github_context(
    repository: Repository, *, run_id: int, number: int, sha: str, workflow: str, url: str
) -> dict[str, Any]:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#github-context"""
    return {
        "actor": repository.owner,
        "api_url": f"{url}/api/v3",
        "base_ref": "",
        "event": {"ref": "refs/heads/main", "after": sha, "repository": {"full_name": repository.full_name}},
        "event_name": "push",
        "head_ref": "",
        "ref": "refs/heads/main",
        "ref_name": "main",
        "ref_type": "branch",
        "repository": repository.full_name,
        "repository_id": str(repository.id),
        "repository_owner": repository.owner,
        "run_attempt": "1",
        "run_id": str(run_id),
        "run_number": str(number),
        "server_url": url,
        "sha": sha,
        "triggering_actor": repository.owner,
        "workflow": workflow,
    }
