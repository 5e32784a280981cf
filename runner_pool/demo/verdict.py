"""What came of a demo: each job's result, what was stopped, what is left, and whether all is as it should be.

PURE: values in, values out; no clock, no terminal, no network.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runner_pool.control_door import Job, Stop

# A job says itself, in the name that everybody sees, that it is here to fail or to be left out.
FAILURE_MARK = "(expected to fail)"
SKIP_MARK = "(expected to be skipped)"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How one job ended; a time is None where the job never got so far."""

    workflow: str
    name: str
    conclusion: str
    as_expected: bool
    wait_seconds: float | None
    run_seconds: float | None
    instance: str | None
    message: str | None
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is still there when everything should have gone."""

    registrations: int
    instances: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a demo. `planned_jobs` is None where the number of jobs is known only at run time."""

    results: tuple[JobResult, ...]
    planned_jobs: int | None
    stopped_by_scaler: int
    stopped_otherwise: int
    idle_scale_ins: int
    left: Left

    def with_more_processes_left(self, processes: int) -> "Verdict":
        """Return this verdict with more processes that are left."""
        return replace(self, left=replace(self.left, processes=self.left.processes + processes))

    @property
    def surprises(self) -> tuple[JobResult, ...]:
        """The jobs that did not end as expected."""
        return tuple(result for result in self.results if not result.as_expected)

    @property
    def complaints(self) -> tuple[str, ...]:
        """One sentence for each thing that is not as it should be; empty means that the demo succeeded."""
        found = []
        if self.surprises:
            found.append(f"{len(self.surprises)} job(s) did not end as expected")
        if self.planned_jobs is not None and len(self.results) != self.planned_jobs:
            found.append(f"{self.planned_jobs} jobs were planned and {len(self.results)} were seen")
        if self.stopped_by_scaler:
            found.append(f"{self.stopped_by_scaler} job(s) were stopped by the scaler")
        if self.stopped_otherwise:
            found.append(f"{self.stopped_otherwise} job(s) were stopped by something else than the scaler")
        for number, what in (
            (self.left.registrations, "registration(s)"),
            (self.left.instances, "instance(s)"),
            (self.left.processes, "process(es)"),
        ):
            if number:
                found.append(f"{number} {what} were left")
        return tuple(found)


def verdict(
    *, jobs: Iterable[Job], stops: Sequence[Stop], left: Left, planned_jobs: int | None, may_be_skipped: bool
) -> Verdict:
    """Judge a finished demo; `may_be_skipped`: in a user's own workflow a job whose `if:` is false is as it should be."""
    busy = [stop for stop in stops if stop.was_busy]
    scale_ins = [stop for stop in stops if stop.cause == "scale-in"]
    return Verdict(
        results=tuple(_result(job, may_be_skipped=may_be_skipped) for job in jobs),
        planned_jobs=planned_jobs,
        stopped_by_scaler=sum(stop.cause == "scale-in" for stop in busy),
        stopped_otherwise=sum(stop.cause != "scale-in" for stop in busy),
        idle_scale_ins=sum(not stop.was_busy for stop in scale_ins),
        left=left,
    )


def expected_conclusions(name: str) -> frozenset[str]:
    """Return the conclusions that a job of this name may have."""
    if name.endswith(FAILURE_MARK):
        return frozenset({"failure"})
    if name.endswith(SKIP_MARK):
        return frozenset({"skipped"})
    return frozenset({"success"})


def _result(job: Job, *, may_be_skipped: bool) -> JobResult:
    conclusion = job.conclusion or job.status
    ran = job.instance is not None
    return JobResult(
        workflow=job.workflow,
        name=job.name,
        conclusion=conclusion,
        as_expected=conclusion in expected_conclusions(job.name)
        or (may_be_skipped and conclusion == "skipped"),
        wait_seconds=_span(job.queued_at, job.started_at) if ran else None,
        run_seconds=_span(job.started_at, job.completed_at) if ran else None,
        instance=job.instance,
        message=job.message,
        log=job.log,
    )


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
