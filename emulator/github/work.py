"""Runs and jobs: what starts, who gets it, how it ends. Pure: no I/O, no own clock, chance is an argument.

Must not know HTTP. A job is given away and taken back as GitHub does it:

    QUEUED ── assigned to a listening runner ──> QUEUED with a runner ── acquirejob ──> IN_PROGRESS ── completejob ──┐
       ^                                              │                                     │                         v
       └────── nobody acquired it in time ────────────┘                                     └── lock expired ──> COMPLETED
"""

import math
import random
from collections.abc import Mapping
from dataclasses import replace

from emulator.github.accounts import Repository
from emulator.github.delays import Delays
from emulator.github.faults import Fault, GitHubFaults
from emulator.github.jobs import (
    LOST_COMMUNICATION,
    Job,
    JobRunner,
    JobStatus,
    PlanLoader,
    PlannedJob,
    Run,
    Step,
)
from emulator.github.ledger import Ledger
from emulator.github.refusals import BrokerRefusal
from emulator.github.runners import Registration, RegistrationState, Runners


class Work:
    """Everything that happens to a job. The ledger keeps what has happened."""

    def __init__(
        self,
        *,
        delays: Delays,
        chance: random.Random,
        runners: Runners,
        ledger: Ledger,
        load_plan: PlanLoader,
        faults: GitHubFaults,
    ) -> None:
        self._delays = delays
        self._chance = chance
        self._runners = runners
        self._ledger = ledger
        self._load_plan = load_plan
        self._faults = faults
        self._queued: set[int] = set()  # waiting for a runner
        self._requests: dict[str, int] = {}  # assignments there ever were, to their jobs
        self._held: dict[int, Registration] = {}  # given to a runner and not ended
        self._called: list[Registration] = []
        self._barred_until: dict[int, float] = {}  # queued jobs that nobody is given before
        self._cancelled_at: dict[int, float] = {}  # running jobs that a user will cancel

    # ── what begins ──────────────────────────────────────────────────────────────────────────────────────────

    def push(
        self,
        repository: Repository,
        *,
        workflows: Mapping[str, str],
        source: str | None,
        github_url: str,
        now: float,
    ) -> list[Run]:
        """Start a run of every file that a push triggers. Raises `ControlRefusal` 422, and then starts none."""
        plans = [(filename, self._load_plan(text, filename=filename)) for filename, text in workflows.items()]
        head_sha = f"{self._chance.getrandbits(160):040x}"
        runs = []
        for filename, plan in plans:
            if not plan.triggers("push"):
                continue
            run = self._ledger.add_run(
                repository,
                plan,
                filename=filename,
                head_sha=head_sha,
                source=source,
                github_url=github_url,
                now=now,
            )
            if hidden := self._faults.strike(Fault.RUN_HIDDEN):
                run.hidden_until = now + hidden["seconds"]
            if empty := self._faults.strike(Fault.JOB_LIST_EMPTY):
                run.jobs_hidden_until = now + empty["seconds"]
            runs.append(run)
            self._let_due_jobs_begin(run, now=now)
        return runs

    def _let_due_jobs_begin(self, run: Run, *, now: float) -> None:
        while planned := run.progress.due():
            for one in planned:
                self._begin(run, one, now=now)

    def _begin(self, run: Run, planned: PlannedJob, *, now: float) -> None:
        job = self._ledger.add_job(run, planned, now=now)
        if planned.conclusion is None:
            self._queued.add(job.id)
            if barred := self._faults.strike(Fault.JOB_UNASSIGNABLE):
                self._barred_until[job.id] = now + barred["seconds"]
            self._ledger.tell("queued", job, now=now)
        else:
            ended = replace(
                job,
                status=JobStatus.COMPLETED,
                conclusion=planned.conclusion,
                completed_at=now,
                message=planned.message,
            )
            self._ledger.change(ended)
            self._ledger.tell("completed", ended, now=now)

    # ── who gets it ──────────────────────────────────────────────────────────────────────────────────────────

    def assign(self, *, now: float) -> None:
        """Give queued jobs, oldest first, to any matching runner that listens."""
        listening = self._runners.listening()
        for job_id in sorted(self._queued):  # ids grow with time
            if not listening:
                break
            if now < self._barred_until.get(job_id, now):
                continue
            job = self._ledger.with_id(job_id)
            repository = self._ledger.run_of(job).repository
            suitable = [
                r for r in listening if r.serves(repository=repository, labels=job.labels, group=job.group)
            ]
            if not suitable:
                continue
            registration = self._chance.choice(suitable)
            listening.remove(registration)
            self._give(job, registration, now=now)

    def _give(self, job: Job, registration: Registration, *, now: float) -> None:
        session = registration.session
        assert session is not None  # it listens
        request_id = self._ledger.new_uuid()
        registration.state, registration.assigned_at = RegistrationState.ASSIGNED, now
        if not self._faults.strike(Fault.ASSIGNMENT_LOST):
            session.assignment = request_id
            self._called.append(registration)
        self._queued.remove(job.id)
        self._requests[request_id] = job.id
        self._held[job.id] = registration
        runner = JobRunner(
            id=registration.id,
            name=registration.name,
            group_id=registration.group.id,
            group_name=registration.group.name,
            instance=registration.instance,
        )
        self._ledger.change(
            replace(job, runner=runner, request_id=request_id, assigned_at=now, attempts=job.attempts + 1)
        )

    def acquire(self, registration: Registration, request_id: str, *, now: float) -> Job:
        """The runner picks up its job. Raises `BrokerRefusal` 404, 409 or 422: the runner then has no job."""
        job_id = self._requests.get(request_id)
        job = None if job_id is None else self._ledger.with_id(job_id)
        if (
            job is None
            or job.request_id != request_id
            or job.runner is None
            or job.runner.id != registration.id
        ):
            raise BrokerRefusal(404, f"Job message not found: {request_id}")
        if job.status is JobStatus.IN_PROGRESS:
            raise BrokerRefusal(409, f"Job message was acquired already: {request_id}")
        if job.status is JobStatus.COMPLETED:
            raise BrokerRefusal(422, f"Job has ended already: {request_id}")
        if self._faults.strike(Fault.CANCELLED_BEFORE_PICK_UP):
            self._end(job, conclusion="cancelled", outputs={}, message=None, now=now)
            status = self._chance.choice((404, 409, 422))
            raise BrokerRefusal(status, f"Job was cancelled before it was acquired: {request_id}")
        job = self._picked_up(job, now=now)
        _forget_assignment(registration)
        return job

    def _picked_up(self, before: Job, *, now: float) -> Job:
        job = replace(
            before,
            status=JobStatus.IN_PROGRESS,
            started_at=now,
            locked_until=now + self._delays.lock_seconds,
            acquired=before.acquired + 1,
        )
        self._change(job, now=now)
        self._ledger.tell("in_progress", job, now=now)
        run = self._ledger.run_of(job)
        is_first = sum(other.acquired for other in self._ledger.jobs_of(run)) == 1
        if is_first and (queued := self._faults.strike(Fault.RUN_SHOWN_QUEUED)):
            run.shown_queued_until = now + queued["seconds"]
        if user := self._faults.strike(Fault.CANCELLED_BY_USER):
            self._cancelled_at[job.id] = now + user["seconds"]
        return job

    def _change(self, job: Job, *, now: float) -> None:
        """A step in the job's life, which may be shown late."""
        if lag := self._faults.strike(Fault.JOB_LAG):
            self._ledger.show_late(self._ledger.with_id(job.id), until=now + self._faults.drawn_seconds(lag))
        self._ledger.change(job)

    def renew(self, job_uuid: str, plan_id: str, *, now: float) -> float:
        """Extend the lock; its new end. Raises `BrokerRefusal` 404 when the job is not running."""
        until = now + self._delays.lock_seconds
        self._ledger.change(replace(self._running(job_uuid, plan_id), locked_until=until))
        return until

    # ── how it ends ──────────────────────────────────────────────────────────────────────────────────────────

    def complete(
        self,
        job_uuid: str,
        plan_id: str,
        *,
        conclusion: str,
        outputs: dict[str, str],
        steps: tuple[Step, ...],
        now: float,
    ) -> Job:
        """The runner reports the end. Raises `BrokerRefusal` 404 when the job is not running."""
        job = replace(self._running(job_uuid, plan_id), steps=steps)
        return self._end(job, conclusion=conclusion, outputs=outputs, message=None, now=now)

    def expire(self, *, now: float) -> None:
        """Re-queue what nobody picked up in time; fail what lost its lock; do what faults have put off until now."""
        self._called += self._runners.remove_idle(now=now)
        for job_id in [job_id for job_id, at in self._cancelled_at.items() if at <= now]:
            del self._cancelled_at[job_id]
            job = self._ledger.with_id(job_id)
            self._cancel(self._ledger.run_of(job), job.key, now=now)
        self._barred_until = {job_id: at for job_id, at in self._barred_until.items() if now < at}
        for job_id, registration in list(self._held.items()):
            job = self._ledger.with_id(job_id)
            # The end of one job can have ended another one meanwhile.
            if job_id not in self._held or now < self._deadline(job):
                continue
            if job.is_picked_up:
                self._end(job, conclusion="failure", outputs={}, message=LOST_COMMUNICATION, now=now)
            else:
                # The assignment has consumed the registration all the same: actions/runner#4617.
                registration.leave(RegistrationState.CONSUMED, now=now)
                _forget_assignment(registration)
                del self._held[job_id]
                self._queued.add(job_id)
                self._ledger.change(
                    replace(job, runner=None, request_id=None, assigned_at=None, queued_at=now)
                )

    def next_deadline(self) -> float | None:
        """When `expire` has something to do at the earliest, unless something happens before."""
        held = [self._deadline(self._ledger.with_id(job_id)) for job_id in self._held]
        put_off = [*self._cancelled_at.values(), *self._barred_until.values(), self._runners.next_removal()]
        first = min((*held, *put_off))
        return None if first == math.inf else first

    def _deadline(self, job: Job) -> float:
        if job.locked_until is not None:
            return job.locked_until
        assert job.assigned_at is not None
        return job.assigned_at + self._delays.pick_up_seconds

    def _end(
        self, job: Job, *, conclusion: str, outputs: dict[str, str], message: str | None, now: float
    ) -> Job:
        ended = replace(
            job,
            status=JobStatus.COMPLETED,
            conclusion=conclusion,
            completed_at=now,
            locked_until=None,
            message=message,
        )
        self._change(ended, now=now)
        self._ledger.tell("completed", ended, now=now)
        self._queued.discard(job.id)
        self._barred_until.pop(job.id, None)
        self._cancelled_at.pop(job.id, None)
        holder = self._held.pop(job.id, None)
        if holder is not None:
            holder.leave(RegistrationState.CONSUMED, now=now)
            _forget_assignment(holder)
        run = self._ledger.run_of(job)
        run.progress.conclude(job.key, conclusion, outputs)
        for key in run.progress.unwanted():
            self._cancel(run, key, now=now)
        self._let_due_jobs_begin(run, now=now)
        return ended

    def _cancel(self, run: Run, key: str, *, now: float) -> None:
        """End a job that has not been picked up; ask the runner to stop one that has (it reports the end)."""
        job = next(job for job in self._ledger.jobs_of(run) if job.key == key)
        if job.status is JobStatus.QUEUED:
            self._end(job, conclusion="cancelled", outputs={}, message=None, now=now)
        elif job.status is JobStatus.IN_PROGRESS:
            holder = self._held[job.id]
            if holder.session is not None:
                holder.session.cancellation = job.uuid
                self._called.append(holder)

    def _running(self, job_uuid: str, plan_id: str) -> Job:
        job = self._ledger.with_uuid(job_uuid)
        if job is None or job.plan_id != plan_id or job.status is not JobStatus.IN_PROGRESS:
            raise BrokerRefusal(404, f"Job not found: {job_uuid}")
        return job

    # ── what can be seen ─────────────────────────────────────────────────────────────────────────────────────

    def take_called(self) -> list[Registration]:
        """Runners that have been given something to hear since the last call."""
        called, self._called = self._called, []
        return called

    def busy_instances(self) -> frozenset[str]:
        """Instances that hold a job which was assigned and has not ended."""
        return frozenset(r.instance for r in self._held.values() if r.instance is not None)


def _forget_assignment(registration: Registration) -> None:
    """The runner has heard of its job, or is not to hear of it any more."""
    if registration.session is not None:
        registration.session.assignment = None
