"""What the REST API shows of runners, runs and jobs: the truth, or what the faults make of it. Pure; changes nothing.

The one place where GitHub's lists may lag, lie and leave out. Who gets a job is decided by the truth alone.
"""

from collections.abc import Callable

from emulator.github.accounts import Repository
from emulator.github.faults import Fault, GitHubFaults
from emulator.github.jobs import Job, JobStatus, Run
from emulator.github.ledger import Ledger
from emulator.github.runners import Registration, RegistrationState, Runners, Scope

IN_PROGRESS, QUEUED = JobStatus.IN_PROGRESS.value, JobStatus.QUEUED.value


class Shown:
    """Asked by the REST operations."""

    def __init__(self, *, faults: GitHubFaults, runners: Runners, ledger: Ledger) -> None:
        self._faults = faults
        self._runners = runners
        self._ledger = ledger

    # ── runners ──────────────────────────────────────────────────────────────────────────────────────────────

    def runners(self, scope: Scope, *, now: float) -> list[Registration]:
        """The list of a scope, oldest first."""
        if self._faults.strike(Fault.RUNNER_LIST_EMPTY):
            return []
        listed = self._runners.listed(scope)
        numbers = self._faults.numbers(Fault.RUNNER_LIST_LAG)
        if numbers is not None:
            old = self._runners.listed_at(scope, now - numbers["seconds"])
            if old != listed:
                self._faults.count(Fault.RUNNER_LIST_LAG)
            listed = old
        return [one for one in listed if not self._faults.strike(Fault.RUNNER_LIST_INCOMPLETE)]

    def state_of(self, registration: Registration, *, now: float) -> tuple[bool, bool]:
        """What `status` and `busy` say: whether it is online, whether it has a job."""
        then = self._looked_at(registration, now=now)
        online = self._runners.is_online(registration, now=then)
        busy = registration.was_busy(then)
        if self._faults.numbers(Fault.BUSY_LAG) is not None:
            truth = self._runners.is_online(registration, now=now), registration.is_busy
            if truth != (online, busy):
                self._faults.count(Fault.BUSY_LAG)
        return online, busy != (self._faults.strike(Fault.BUSY_LIES) is not None)

    def _looked_at(self, registration: Registration, *, now: float) -> float:
        """The moment whose state is shown: now, or earlier for what is gone or lags."""
        numbers = self._faults.numbers(Fault.BUSY_LAG)
        moment = now - numbers["seconds"] if numbers is not None else now
        if registration.state in (RegistrationState.CONSUMED, RegistrationState.DELETED):
            lag = self._faults.numbers(Fault.RUNNER_LIST_LAG)  # else it would not be in any list
            moment = min(moment, now - lag["seconds"]) if lag is not None else moment
        return moment

    # ── runs and jobs ────────────────────────────────────────────────────────────────────────────────────────

    def runs(
        self, repository: Repository, *, status: str | None, keep: Callable[[Run], bool], now: float
    ) -> list[Run]:
        """Newest first. Only lists that are filtered by status are empty or leave out."""
        if status is None:
            return self._ledger.runs_of(repository, keep=keep)
        if self._faults.strike(Fault.RUN_LIST_EMPTY):
            return []
        found = self._ledger.runs_of(
            repository,
            keep=lambda run: (
                keep(run) and status in self.status_of(run, now=now) and not self._hidden(run, now=now)
            ),
        )
        return [run for run in found if not self._faults.strike(Fault.RUN_LIST_INCOMPLETE)]

    def status_of(self, run: Run, *, now: float) -> tuple[str, str | None]:
        status, conclusion = self._ledger.status_of(run)
        if status == IN_PROGRESS and now < run.shown_queued_until:
            return QUEUED, None
        return status, conclusion

    def _hidden(self, run: Run, *, now: float) -> bool:
        waits = any(job.status is JobStatus.QUEUED for job in self._ledger.jobs_of(run))
        return waits and now < run.hidden_until

    def jobs_of(self, run: Run, *, now: float) -> list[Job]:
        if now < run.jobs_hidden_until:
            return []
        return [self.job(job, now=now) for job in self._ledger.jobs_of(run)]

    def job(self, job: Job, *, now: float) -> Job:
        """The job, or what it was before its last change."""
        return self._ledger.shown_late(job, now=now) or job
