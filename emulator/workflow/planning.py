"""One job that has become due -> the jobs a runner will see: matrix, name, labels, limits. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope, rendered, text_of
from emulator.workflow.jobs import uses_expression
from emulator.workflow.matrix import LARGEST_MATRIX, Combination, combinations
from emulator.workflow.model import DEFAULT_TIMEOUT_MINUTES, Job, Workflow
from emulator.workflow.reader import is_number, shown
from emulator.workflow.values import Value, as_number, as_text

LONGEST_NAME = 100  # characters; GitHub cuts longer names and ends them in dots


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job as GitHub queues it. With a `conclusion` it has ended before it could need a runner."""

    key: str  # unique in the run
    name: str  # what people see: "test (3.11, linux)"
    labels: tuple[str, ...]
    group: str | None
    timeout_minutes: float
    conclusion: str | None
    definition: dict[str, Value]  # for `job_request_message`; GitHub itself does not look inside
    message: str | None = None  # why it failed before it could start
    fail_fast: bool = False
    max_parallel: int = LARGEST_MATRIX
    continue_on_error: bool = False

    def concluded(self, conclusion: str) -> Self:
        """The same job, ended before it was queued."""
        return replace(self, conclusion=conclusion)


def skipped_job(job: Job, conclusion: str) -> PlannedJob:
    """A job whose `if:` is false: one entry, whatever its matrix, under the name as written."""
    return _ended(job, conclusion, message=None)


def failed_job(job: Job, message: str) -> PlannedJob:
    """A job whose matrix, name or labels could not be computed."""
    return _ended(job, "failure", message=message)


def _ended(job: Job, conclusion: str, message: str | None) -> PlannedJob:
    return PlannedJob(
        key=job.id,
        name=job.name,
        labels=(),
        group=None,
        timeout_minutes=DEFAULT_TIMEOUT_MINUTES,
        conclusion=conclusion,
        definition={},
        message=message,
    )


def planned_jobs(workflow: Workflow, job: Job, contexts: Mapping[str, Value]) -> list[PlannedJob]:
    """The job's instances. `contexts`: github, needs, inputs, vars. Raises WorkflowError."""
    outer = Scope(contexts)
    fail_fast = _boolean(job.strategy.fail_fast, outer, "strategy.fail-fast")
    matrix = job.strategy.matrix
    whole = Combination(values={}, labels=())
    found = [whole] if matrix is None else combinations(_computed(matrix, outer))
    limit = LARGEST_MATRIX
    if job.strategy.max_parallel is not None:
        limit = int(_number(job.strategy.max_parallel, outer, "strategy.max-parallel"))
        if limit < 1:
            raise WorkflowError("strategy.max-parallel is below 1.", remedy="Remove it for no limit.")
    planned = []
    for index, combination in enumerate(found):
        strategy: dict[str, Value] = {
            "fail-fast": fail_fast,
            "job-index": index,
            "job-total": len(found),
            "max-parallel": min(limit, len(found)),
        }
        scope = Scope({**contexts, "strategy": strategy, "matrix": combination.values or None})
        planned.append(
            _planned(
                workflow,
                job,
                scope,
                key=job.id if matrix is None else f"{job.id}.{index}",
                labels=combination.labels,
                fail_fast=fail_fast and matrix is not None,
                max_parallel=limit,
            )
        )
    return planned or [skipped_job(job, "skipped")]  # every combination was excluded


def _planned(
    workflow: Workflow,
    job: Job,
    scope: Scope,
    *,
    key: str,
    labels: tuple[str, ...],
    fail_fast: bool,
    max_parallel: int,
) -> PlannedJob:
    name = _display_name(job, labels, scope)
    runner_labels, group = _runs_on(_computed(job.runs_on, scope))
    timeout = _number(job.timeout_minutes, scope, "timeout-minutes")
    if timeout <= 0:
        raise WorkflowError("timeout-minutes is not above 0.", remedy="Remove it for six hours.")
    return PlannedJob(
        key=key,
        name=name,
        labels=runner_labels,
        group=group,
        timeout_minutes=timeout,
        conclusion=None,
        fail_fast=fail_fast,
        max_parallel=max_parallel,
        continue_on_error=_boolean(job.continue_on_error, scope, "continue-on-error"),
        definition={
            "file": workflow.file,
            "workflow": workflow.name,
            "job": job.id,
            "name": name,
            "timeout_minutes": timeout,
            "env": [workflow.env, job.env],
            "defaults": [workflow.defaults, job.defaults],
            "outputs": dict(job.outputs),
            "steps": [step.as_json() for step in job.steps],
            "contexts": {name: scope.contexts[name] for name in scope.contexts if name != "github"},
        },
    )


def _display_name(job: Job, labels: tuple[str, ...], scope: Scope) -> str:
    name = text_of(job.name, scope) or job.id
    if labels and not uses_expression(job.name):
        name = f"{name} ({', '.join(labels)})"
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def _runs_on(value: Value) -> tuple[tuple[str, ...], str | None]:
    group: str | None = None
    if isinstance(value, dict):
        unknown = set(value) - {"group", "labels"}
        if unknown:
            problem = f"runs-on has an unknown key {min(unknown)!r}."
            raise WorkflowError(problem, remedy="It takes `group` and `labels`.")
        group = as_text(value.get("group")) or None
        value = value.get("labels") or []
    given = value if isinstance(value, list) else [value]
    labels = tuple(as_text(item) for item in given if not isinstance(item, list | dict))
    if len(labels) != len(given) or not all(labels) or not (labels or group):
        problem = f"runs-on is {shown(value)}, which names no runner."
        raise WorkflowError(problem, remedy="Give a label, a list of labels, or `group:`.")
    return labels, group


def _computed(value: Value, scope: Scope) -> Value:
    if isinstance(value, str):
        return rendered(value, scope)
    if isinstance(value, list):
        return [_computed(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: _computed(item, scope) for key, item in value.items()}
    return value


def _boolean(value: Value, scope: Scope, key: str) -> bool:
    computed = _computed(value, scope)
    if not isinstance(computed, bool):
        raise WorkflowError(f"{key} is {shown(computed)}, not true or false.")
    return computed


def _number(value: Value, scope: Scope, key: str) -> float:
    computed = _computed(value, scope)
    if not is_number(computed):
        raise WorkflowError(f"{key} is {shown(computed)}, not a number.", remedy="fromJSON makes one.")
    number = as_number(computed)
    if not -1e9 < number < 1e9:
        raise WorkflowError(f"{key} is {shown(computed)}, which is no usable number.")
    return number
