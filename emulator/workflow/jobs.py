"""Reading a workflow file: document -> Workflow. Every rule that needs no run is checked here."""

from emulator.workflow import availability
from emulator.workflow.document import Path, read_document
from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import template_expression
from emulator.workflow.matrix import combinations, has_expressions
from emulator.workflow.model import DEFAULT_TIMEOUT_MINUTES, Job, Strategy, Workflow
from emulator.workflow.reader import Reader
from emulator.workflow.steps import IDENTIFIER, read_steps
from emulator.workflow.triggers import read_triggers
from emulator.workflow.values import Value

# `permissions`, `concurrency` and `environment` are read and have no effect in the stand-in: it has no tokens
# to narrow, runs every push, and knows no deployment gates.
_WORKFLOW_KEYS = (
    "name",
    "description",
    "run-name",
    "on",
    "env",
    "defaults",
    "jobs",
    "permissions",
    "concurrency",
)
_JOB_KEYS = (
    *("name", "needs", "if", "runs-on", "strategy", "steps", "env", "defaults", "outputs"),
    *("timeout-minutes", "cancel-timeout-minutes", "continue-on-error"),
    *("permissions", "concurrency", "environment"),
    *("container", "services", "uses", "with", "secrets", "snapshot"),
)
_NO_DOCKER = {
    "container": "This platform has no docker: a job cannot bring its own container.",
    "services": "This platform has no docker: a job cannot start service containers.",
    "snapshot": "This platform keeps no custom images.",
}


def read_workflow(text: str, *, file: str) -> Workflow:
    """Reads a workflow file. Raises WorkflowError: file, line, key path, what is wrong, what to write."""
    reader = Reader(document=read_document(text, file=file))
    given = reader.mapping(reader.document.root, (), _WORKFLOW_KEYS)
    for key in ("on", "jobs"):
        if key not in given:
            raise reader.error((), f"The key `{key}` is missing.", "A workflow has `on:` and `jobs:`.")
    if "run-name" in given:
        reader.checked_text(given["run-name"], ("run-name",), availability.RUN_NAME)
    jobs_given = reader.mapping(given["jobs"], ("jobs",))
    if not jobs_given:
        raise reader.error(("jobs",), "The workflow has no jobs.", "Add at least one.")
    jobs = {name: _read_job(reader, value, ("jobs", name)) for name, value in jobs_given.items()}
    _check_needs(reader, jobs)
    return Workflow(
        file=file,
        name=reader.text(given["name"], ("name",)) if given.get("name") is not None else file,
        triggers=read_triggers(reader, given["on"], ("on",)),
        env=reader.checked_texts(given.get("env"), ("env",), availability.WORKFLOW_ENV),
        defaults=_defaults(reader, given.get("defaults"), ("defaults",)),
        jobs=jobs,
    )


def _read_job(reader: Reader, value: Value, path: Path) -> Job:
    job_id = str(path[-1])
    if not IDENTIFIER.fullmatch(job_id):
        remedy = "Use letters, digits, - and _, not starting with a digit."
        raise reader.error(path, f"{job_id!r} is not a job id.", remedy)
    given = reader.mapping(value, path, _JOB_KEYS)
    for key, problem in _NO_DOCKER.items():
        if given.get(key) not in (None, "", {}):
            raise reader.unsupported((*path, key), problem, "Install what the job needs in the runner image.")
    if "uses" in given:
        problem = "Reusable workflows are not run here: this stand-in reads one file, and has no docker."
        raise reader.unsupported((*path, "uses"), problem, "Write the job's steps out.")
    for key in ("runs-on", "steps"):
        if key not in given:
            raise reader.error(path, f"The job has no `{key}`.", "A job has `runs-on:` and `steps:`.")
    reader.check_templates(given["runs-on"], (*path, "runs-on"), availability.JOB)
    outputs = reader.checked_texts(given.get("outputs"), (*path, "outputs"), availability.JOB_OUTPUT)

    def scalar(key: str, kind: type[bool] | type[float], default: Value) -> Value:
        found = given.get(key, default)
        return reader.scalar_or_expression(found, (*path, key), availability.JOB, kind)

    return Job(
        id=job_id,
        name=reader.checked_text(given.get("name") or job_id, (*path, "name"), availability.JOB),
        needs=reader.texts(given["needs"], (*path, "needs")) if given.get("needs") is not None else (),
        condition=reader.condition(given.get("if"), (*path, "if"), availability.JOB_IF),
        strategy=_strategy(reader, given.get("strategy"), (*path, "strategy")),
        runs_on=given["runs-on"],
        timeout_minutes=scalar("timeout-minutes", float, DEFAULT_TIMEOUT_MINUTES),
        continue_on_error=scalar("continue-on-error", bool, default=False),
        env=reader.checked_texts(given.get("env"), (*path, "env"), availability.JOB_ENV),
        defaults=_defaults(reader, given.get("defaults"), (*path, "defaults")),
        outputs=reader.mapping(outputs, (*path, "outputs")),
        steps=read_steps(reader, given["steps"], (*path, "steps")),
    )


def _strategy(reader: Reader, value: Value, path: Path) -> Strategy:
    if value is None:
        return Strategy()
    given = reader.mapping(value, path, ("matrix", "fail-fast", "max-parallel"))
    reader.check_templates(given, path, availability.STRATEGY)
    place = availability.STRATEGY
    matrix = given.get("matrix")
    if matrix is not None and not has_expressions(matrix):
        try:
            combinations(matrix)
        except WorkflowError as error:
            raise reader.document.placed(error, (*path, "matrix")) from None
    max_parallel = given.get("max-parallel")
    if max_parallel is not None:
        reader.scalar_or_expression(max_parallel, (*path, "max-parallel"), place, float)
    fail_fast = given.get("fail-fast", True)
    reader.scalar_or_expression(fail_fast, (*path, "fail-fast"), place, bool)
    return Strategy(matrix=matrix, fail_fast=fail_fast, max_parallel=max_parallel)


def _defaults(reader: Reader, value: Value, path: Path) -> Value:
    given = reader.mapping({} if value is None else value, path, ("run",))
    run_path = (*path, "run")
    run = reader.mapping(given.get("run") or {}, run_path, ("shell", "working-directory"))
    return {
        key: reader.checked_text(item, (*run_path, key), availability.JOB_DEFAULTS)
        for key, item in run.items()
    }


def _check_needs(reader: Reader, jobs: dict[str, Job]) -> None:
    for job in jobs.values():
        for need in job.needs:
            if need not in jobs:
                remedy = f"Jobs of this file: {', '.join(jobs)}."
                raise reader.error(("jobs", job.id, "needs"), f"There is no job {need!r}.", remedy)
    settled: set[str] = set()
    while len(settled) < len(jobs):
        ready = {job.id for job in jobs.values() if job.id not in settled and settled.issuperset(job.needs)}
        if not ready:
            circle = _circle(jobs, settled)
            raise reader.error(
                ("jobs", circle[0], "needs"),
                f"Jobs wait for each other: {' needs '.join([*circle, circle[0]])}.",
                "Remove one of these needs.",
            )
        settled |= ready


def _circle(jobs: dict[str, Job], settled: set[str]) -> list[str]:
    walked = [next(name for name in jobs if name not in settled)]
    while True:
        following = next(need for need in jobs[walked[-1]].needs if need not in settled)
        if following in walked:
            return walked[walked.index(following) :]
        walked.append(following)


def uses_expression(text: str) -> bool:
    """Whether a text holds an expression."""
    return template_expression(text) is not None
