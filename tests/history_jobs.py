"""Finished jobs as GitHub lists them, and pools, for tests of the history: every argument has a plain default."""

from github_api.values import Job, JobStatus
from runner_pool.capacity.history import FinishedJob
from scaler.core.model import PoolPolicy

SINCE = 1_800_000_000.0
UNTIL = SINCE + 86_400.0

LINUX = PoolPolicy(name="linux", labels=frozenset({"self-hosted", "linux"}), max=10)
LARGE = PoolPolicy(name="large", labels=frozenset({"self-hosted", "linux", "large"}), max=4)


def a_job(
    *,
    number: int = 1,
    run_id: int = 7,
    queued: float = 100.0,
    began: float = 130.0,
    ended: float | None = 190.0,
    labels: tuple[str, ...] = ("self-hosted", "Linux"),
    status: JobStatus = JobStatus.COMPLETED,
    conclusion: str | None = "success",
    runner_id: int | None = 5,
    group: str | None = "Default",
    workflow: str | None = "CI",
    name: str = "build",
) -> Job:
    """A job that was queued, began and ended so many seconds after `SINCE`."""
    return Job(
        id=number,
        run_id=run_id,
        run_attempt=1,
        name=name,
        status=status,
        conclusion=conclusion,
        labels_as_written=labels,
        created_at=SINCE + queued,
        started_at=SINCE + began,
        completed_at=None if ended is None else SINCE + ended,
        runner_id=runner_id,
        runner_name=None if runner_id is None else f"runner-{runner_id}",
        html_url=None,
        workflow_name=workflow,
        runner_group_name=group,
    )


def finished(job: Job, *, repository: str = "acme/widgets", public: bool = False) -> FinishedJob:
    return FinishedJob(repository=repository, public=public, job=job)
