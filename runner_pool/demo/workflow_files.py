"""The workflow files of a demo: where they come from, what they will run, and for which labels.

Reads files and plans runs with the stand-in's own reading of workflow files; starts nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import runner_pool
from emulator.workflow.errors import WorkflowError as UnreadableWorkflowError
from emulator.workflow.run import RunPlan
from runner_pool import errors
from runner_pool.demo.verdict import FAILURE_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """A workflow file: its name within .github/workflows and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSteps:
    """One job as the file states it, with a line for each line that its steps run."""

    workflow: str
    job: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a push of these files starts when every job does what is expected of it.

    `labels` are all that jobs ask for; `groups` the runner groups. `jobs` is None where the number of jobs
    depends on what earlier jobs say.
    """

    files: tuple[WorkflowFile, ...]
    jobs: int | None
    labels: tuple[str, ...]
    groups: tuple[str, ...]


def bundled_folder() -> Path:
    """Return the folder of the example workflows, which is also the source that their steps check out."""
    return Path(runner_pool.__path__[0]) / "example_workflows"


def bundled_files() -> tuple[WorkflowFile, ...]:
    """Return the example workflows that come with this package."""
    return files_at(bundled_folder())


def files_at(path: Path) -> tuple[WorkflowFile, ...]:
    """Return the workflow file at `path`, or those in the folder `path` (or its .github/workflows)."""
    folder = path / ".github" / "workflows" if (path / ".github" / "workflows").is_dir() else path
    found = sorted(entry for entry in folder.iterdir() if _is_yaml(entry)) if folder.is_dir() else [path]
    try:
        files = tuple(
            WorkflowFile(name=entry.name, text=entry.read_text(encoding="utf-8")) for entry in found
        )
    except (OSError, UnicodeDecodeError) as error:
        raise errors.WorkflowError(
            f"the workflow file {path} cannot be read",
            cause=str(error),
            remedy="name a file, or a folder with .yml files, with --workflow",
        ) from error
    if not files:
        raise errors.WorkflowError(
            f"no workflow file ends in .yml or .yaml in {folder}",
            remedy="name a file, or a folder with such files, with --workflow",
        )
    return files


def triggered_by_push(files: Sequence[WorkflowFile]) -> tuple[WorkflowFile, ...]:
    """Return those files that a push starts; the demo pushes. Raises WorkflowError when there is none."""
    found = tuple(file for file in files if _read(file).triggers("push"))
    if not found:
        raise errors.WorkflowError(
            f"none of these workflows starts on a push: {', '.join(file.name for file in files)}",
            cause="the demo pushes to a stand-in GitHub, so it starts what says `on: push`",
            remedy="add `push` to the `on:` of the workflow that you want to see, in a copy of the file",
        )
    return found


def with_jobs(files: Sequence[WorkflowFile], names: Sequence[str]) -> tuple[WorkflowFile, ...]:
    """Return the files with only the named jobs (their ids) and those that they need.

    The text of what stays is not touched. Raises WorkflowError when no file has a job of that id.
    """
    wanted = set(names)
    kept, seen = [], set[str]()
    for file in files:
        jobs = _jobs(file)
        seen |= jobs.keys()
        chosen = _with_needs(jobs, wanted & jobs.keys())
        if chosen:
            kept.append(WorkflowFile(name=file.name, text=_without_jobs(file, jobs.keys() - chosen)))
    missing = wanted - seen
    if missing:
        raise errors.WorkflowError(
            f"no workflow has a job {', '.join(sorted(missing))}",
            remedy=f"--job takes one of {', '.join(sorted(seen))}",
        )
    return tuple(kept)


def plan_of(files: Sequence[WorkflowFile]) -> Plan:
    """Plan a push of these files, taking each job's expected conclusion for granted. Raises WorkflowError."""
    count: int | None = 0
    labels: dict[str, None] = {}
    groups: dict[str, None] = {}
    for file in files:
        try:
            progress = _read(file).start(github={"event_name": "push", "ref": "refs/heads/main"}, run_id=1)
            while due := progress.due():
                for job in due:
                    count = None if count is None or job.message else count + 1
                    labels.update(dict.fromkeys(job.labels))
                    groups.update(dict.fromkeys([job.group] if job.group else []))
                    if job.conclusion is None:
                        progress.conclude(
                            job.key, "failure" if job.name.endswith(FAILURE_MARK) else "success", {}
                        )
        except UnreadableWorkflowError:
            count = None  # a later job's matrix or labels come from an earlier job's outputs
    return Plan(files=tuple(files), jobs=count, labels=tuple(labels), groups=tuple(groups))


def steps_of(files: Sequence[WorkflowFile]) -> tuple[JobSteps, ...]:
    """Return what the steps of each job run, as the files state it."""
    return tuple(
        JobSteps(workflow=file.name, job=job, lines=_lines(definition))
        for file in files
        for job, definition in _jobs(file).items()
    )


def _is_yaml(path: Path) -> bool:
    return path.suffix in {".yml", ".yaml"}


def _read(file: WorkflowFile) -> RunPlan:
    try:
        return RunPlan.load(file.text, filename=file.name)
    except UnreadableWorkflowError as error:
        raise errors.WorkflowError(f"{file.name} cannot be run here", cause=str(error)) from error


def _jobs(file: WorkflowFile) -> Mapping[str, Mapping[str, Any]]:
    document = yaml.safe_load(file.text)
    jobs = document.get("jobs") if isinstance(document, dict) else None
    return jobs if isinstance(jobs, dict) else {}


def _lines(job: Mapping[str, Any]) -> tuple[str, ...]:
    lines: list[str] = []
    for step in job.get("steps") or []:
        if "run" in step:
            lines += str(step["run"]).rstrip().splitlines()
        else:
            lines.append(f"uses: {step.get('uses')}")
    return tuple(lines)


def _with_needs(jobs: Mapping[str, Mapping[str, Any]], names: set[str]) -> set[str]:
    chosen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in chosen and name in jobs:
            chosen.add(name)
            needs = jobs[name].get("needs") or []
            todo += [needs] if isinstance(needs, str) else needs
    return chosen


def _without_jobs(file: WorkflowFile, unwanted: set[str]) -> str:
    """Return the file's text without the lines of these jobs: from the key of one to the key of the next."""
    if not unwanted:
        return file.text
    root = yaml.compose(file.text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    jobs = next(value for key, value in root.value if key.value == "jobs")
    if jobs.flow_style:
        raise errors.WorkflowError(
            f"{file.name} has its jobs in braces, so none can be left out",
            remedy="write `jobs:` with one indented key per job, or leave --job away",
        )
    starts = [key.start_mark.line for key, _ in jobs.value]
    end = jobs.end_mark.line + (jobs.end_mark.column > 0)
    dropped: set[int] = set()
    for (key, _), start, stop in zip(jobs.value, starts, [*starts[1:], end], strict=True):
        if key.value in unwanted:
            dropped.update(range(start, stop))
    lines = file.text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines) if number not in dropped)
