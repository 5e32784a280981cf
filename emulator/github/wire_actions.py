"""Runs, jobs, runners and `workflow_job` events as GitHub writes them in JSON. Pure.

The shapes are those of GitHub's OpenAPI description: workflow-run, job, runner, webhook-workflow-job-*.
"""

import zlib
from typing import Any, Final

from emulator.github.accounts import Organization
from emulator.github.jobs import Job, JobEvent, JobStatus, Run, Step
from emulator.github.links import Links, node_id, optional_moment
from emulator.github.runners import Registration
from emulator.github.wire_accounts import (
    account,
    minimal_repository,
    owner_of,
    webhook_organization,
    whole_repository,
)

SYSTEM_LABELS: Final = frozenset({"self-hosted", "linux", "windows", "macos", "x64", "arm", "arm64"})


def runner(registration: Registration, *, online: bool, busy: bool) -> dict[str, Any]:
    return {
        "id": registration.id,
        "name": registration.name,
        "os": registration.os,
        "status": "online" if online else "offline",
        "busy": busy,
        "ephemeral": True,
        "runner_group_id": registration.group.id,
        "version": registration.version,
        "labels": [
            {
                "id": zlib.crc32(label.casefold().encode()) % 100_000 + 1,
                "name": label,
                "type": "read-only" if label.casefold() in SYSTEM_LABELS else "custom",
            }
            for label in registration.labels
        ],
    }


def workflow_run(run: Run, *, status: str, conclusion: str | None, links: Links) -> dict[str, Any]:
    repository = run.repository
    at = f"{links.repository(repository)}/actions/runs/{run.id}"
    suite = run.id + 7  # every run has a check suite of its own
    small = minimal_repository(repository, links)
    pusher = owner_of(repository, links)
    born = links.moment(run.created_at)
    return {
        "id": run.id,
        "name": run.workflow,
        "node_id": node_id("WorkflowRun", run.id),
        "check_suite_id": suite,
        "check_suite_node_id": node_id("CheckSuite", suite),
        "head_branch": "main",
        "head_sha": run.head_sha,
        "path": run.path,
        "run_number": run.number,
        "run_attempt": 1,
        "referenced_workflows": [],
        "event": "push",
        "display_title": f"Push of {run.head_sha[:7]}",
        "status": status,
        "conclusion": conclusion,
        "workflow_id": run.workflow_id,
        "url": at,
        "html_url": f"{links.repository_page(repository)}/actions/runs/{run.id}",
        "pull_requests": [],
        "created_at": born,
        "updated_at": links.moment(run.updated_at),
        "run_started_at": born,
        "actor": pusher,
        "triggering_actor": pusher,
        "jobs_url": f"{at}/jobs",
        "logs_url": f"{at}/logs",
        "check_suite_url": f"{links.repository(repository)}/check-suites/{suite}",
        "artifacts_url": f"{at}/artifacts",
        "cancel_url": f"{at}/cancel",
        "rerun_url": f"{at}/rerun",
        "previous_attempt_url": None,
        "workflow_url": f"{links.repository(repository)}/actions/workflows/{run.workflow_id}",
        "head_commit": {
            "id": run.head_sha,
            "tree_id": run.head_sha[::-1],
            "message": f"Push of {run.head_sha[:7]}",
            "timestamp": born,
            "author": {"name": repository.owner, "email": f"{repository.owner}@example.com"},
            "committer": {"name": repository.owner, "email": f"{repository.owner}@example.com"},
        },
        "repository": small,
        "head_repository": small,
    }


def workflow_job(job: Job, run: Run, links: Links) -> dict[str, Any]:
    at = links.repository(run.repository)
    # A runner that was assigned is not shown before it has picked the job up.
    shown = job.runner if job.is_picked_up else None
    return {
        "id": job.id,
        "run_id": run.id,
        "run_url": f"{at}/actions/runs/{run.id}",
        "run_attempt": 1,
        "node_id": node_id("CheckRun", job.id),
        "head_sha": run.head_sha,
        "head_branch": "main",
        "url": f"{at}/actions/jobs/{job.id}",
        "html_url": f"{links.repository_page(run.repository)}/actions/runs/{run.id}/job/{job.id}",
        "check_run_url": f"{at}/check-runs/{job.id}",
        "status": job.status.value,
        "conclusion": job.conclusion,
        "created_at": links.moment(job.created_at),
        # Set from the beginning, also while the job is queued.
        "started_at": links.moment(job.started_at or job.created_at),
        "completed_at": links.optional_moment(job.completed_at),
        "name": job.name,
        "workflow_name": run.workflow,
        "labels": list(job.labels),
        "runner_id": shown.id if shown else None,
        "runner_name": shown.name if shown else None,
        "runner_group_id": shown.group_id if shown else None,
        "runner_group_name": shown.group_name if shown else None,
        "steps": _steps(job),
    }


def workflow_job_event(event: JobEvent, organization: Organization, links: Links) -> dict[str, Any]:
    repository = event.run.repository
    return {
        "action": event.action,
        "workflow_job": workflow_job(event.job, event.run, links),
        "repository": whole_repository(repository, links),
        "organization": webhook_organization(organization, links),
        "sender": account(f"{repository.owner}-bot", 8_000, links, kind="User"),
        "installation": {
            "id": organization.installation.id,
            "node_id": node_id("Installation", organization.installation.id),
        },
    }


def _steps(job: Job) -> list[dict[str, Any]]:
    steps = job.steps
    if job.status is JobStatus.IN_PROGRESS:
        # The runner tells of its steps at the end; before that GitHub knows of the first.
        steps = (
            Step(
                number=1,
                name="Set up job",
                status="in_progress",
                conclusion=None,
                started_at=job.started_at,
                completed_at=None,
            ),
        )
    return [
        {
            "number": step.number,
            "name": step.name,
            "status": step.status,
            "conclusion": step.conclusion,
            "started_at": optional_moment(step.started_at),
            "completed_at": optional_moment(step.completed_at),
        }
        for step in steps
    ]
