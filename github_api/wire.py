"""GitHub's JSON documents as values. PURE: bytes in, `values` out or `WrongShape`; field names of the vendor
live here only.

https://docs.github.com/en/rest, API version 2022-11-28.
"""

from collections.abc import Mapping
from typing import Any

from github_api.secret import Secret
from github_api.shape import (
    an_object,
    epoch_seconds,
    epoch_seconds_or_none,
    flag,
    id_or_none,
    inner_object,
    objects,
    parsed,
    text,
    text_or_none,
    texts,
    whole,
)
from github_api.values import (
    Allowance,
    JitConfiguration,
    Job,
    JobStatus,
    Repository,
    Runner,
    RunnerDeprecation,
    RunnerGroup,
    WorkflowRun,
)


def installation_id(body: bytes) -> int:
    """https://docs.github.com/en/rest/apps/apps#get-an-organization-installation-for-the-authenticated-app."""
    return whole(_document(body), "id")


def installation_token(body: bytes) -> tuple[Secret, float]:
    """The token and when it expires. No assumption about its length: it has grown before.

    https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
    """
    data = _document(body)
    return Secret(text(data, "token")), epoch_seconds(data, "expires_at")


def repositories(body: bytes) -> tuple[Repository, ...]:
    """https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation"""
    return tuple(
        Repository(full_name=text(item, "full_name"), private=flag(item, "private"))
        for item in objects(_document(body), "repositories")
    )


def workflow_runs(body: bytes) -> tuple[WorkflowRun, ...]:
    """https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository"""
    return tuple(
        WorkflowRun(
            id=whole(item, "id"),
            status=text_or_none(item, "status") or "",
            run_attempt=id_or_none(item, "run_attempt") or 1,
            created_at=epoch_seconds(item, "created_at"),
            html_url=text(item, "html_url"),
        )
        for item in objects(_document(body), "workflow_runs")
    )


def how_many(body: bytes) -> int:
    """How many results a list has in all, whatever the page."""
    return whole(_document(body), "total_count")


def jobs(body: bytes) -> tuple[Job, ...]:
    """https://docs.github.com/en/rest/actions/workflow-jobs#list-jobs-for-a-workflow-run"""
    return tuple(_job(item) for item in objects(_document(body), "jobs"))


def job(body: bytes) -> Job:
    """https://docs.github.com/en/rest/actions/workflow-jobs#get-a-job-for-a-workflow-run"""
    return _job(_document(body))


def runners(body: bytes) -> tuple[Runner, ...]:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#list-self-hosted-runners-for-an-organization"""
    return tuple(_runner(item) for item in objects(_document(body), "runners"))


def runner(body: bytes) -> Runner:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#get-a-self-hosted-runner-for-an-organization"""
    return _runner(_document(body))


def runner_deprecation(body: bytes) -> RunnerDeprecation:
    """`actions/runners/deprecations/{version}`, in GitHub's description since 2026-09:
    https://docs.github.com/en/rest/actions/self-hosted-runners
    """
    data = _document(body)
    return RunnerDeprecation(
        version=text(data, "runner_version"),
        registers_until=epoch_seconds_or_none(data, "registration_deprecates_at"),
        gets_jobs_until=epoch_seconds_or_none(data, "runtime_deprecates_at"),
    )


def runner_groups(body: bytes) -> tuple[RunnerGroup, ...]:
    """https://docs.github.com/en/rest/actions/self-hosted-runner-groups#list-self-hosted-runner-groups-for-an-organization"""
    return tuple(
        RunnerGroup(
            id=whole(item, "id"),
            name=text(item, "name"),
            default=flag(item, "default"),
            visibility=text(item, "visibility"),
            allows_public_repositories=flag(item, "allows_public_repositories"),
        )
        for item in objects(_document(body), "runner_groups")
    )


def jit_configuration(body: bytes) -> JitConfiguration:
    """https://docs.github.com/en/rest/actions/self-hosted-runners#create-configuration-for-a-just-in-time-runner-for-an-organization"""
    data = _document(body)
    registered = inner_object(data, "runner")
    return JitConfiguration(
        runner_id=whole(registered, "id"),
        runner_name=text(registered, "name"),
        encoded=Secret(text(data, "encoded_jit_config")),
    )


def allowances(body: bytes) -> dict[str, Allowance]:
    """https://docs.github.com/en/rest/rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user"""
    resources = inner_object(_document(body), "resources")
    return {
        name: Allowance(
            limit=whole(entry, "limit"),
            remaining=whole(entry, "remaining"),
            resets_at=float(whole(entry, "reset")),
        )
        for name, entry in ((name, an_object(value, name)) for name, value in resources.items())
    }


def _document(body: bytes) -> Mapping[str, Any]:
    return an_object(parsed(body), "the reply")


def _job(data: Mapping[str, Any]) -> Job:
    return Job(
        id=whole(data, "id"),
        run_id=whole(data, "run_id"),
        run_attempt=id_or_none(data, "run_attempt") or 1,
        name=text(data, "name"),
        status=JobStatus(text(data, "status")),
        conclusion=text_or_none(data, "conclusion"),
        labels_as_written=texts(data, "labels"),
        created_at=epoch_seconds(data, "created_at"),
        started_at=epoch_seconds_or_none(data, "started_at"),
        completed_at=epoch_seconds_or_none(data, "completed_at"),
        runner_id=id_or_none(data, "runner_id"),
        runner_name=text_or_none(data, "runner_name"),
        html_url=text_or_none(data, "html_url"),
        workflow_name=text_or_none(data, "workflow_name"),
        runner_group_name=text_or_none(data, "runner_group_name"),
    )


def _runner(data: Mapping[str, Any]) -> Runner:
    return Runner(
        id=whole(data, "id"),
        name=text(data, "name"),
        status=text(data, "status"),
        busy=flag(data, "busy"),
        labels=frozenset(text(label, "name").lower() for label in objects(data, "labels")),
        version=text_or_none(data, "version"),
    )
