"""A run of a workflow: which jobs are due, and how the run ends. Pure: it is told what happened.

`RunPlan` is the file, `RunProgress` one run of it. GitHub's rules for `needs`, `if`, `fail-fast` and
`max-parallel`: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope, holds
from emulator.workflow.functions import Function
from emulator.workflow.jobs import read_workflow
from emulator.workflow.model import Job, Workflow
from emulator.workflow.planning import PlannedJob, failed_job, planned_jobs, skipped_job
from emulator.workflow.values import Value

__all__ = ["PlannedJob", "RunPlan", "RunProgress"]

CONCLUSIONS = frozenset({"success", "failure", "cancelled", "skipped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A workflow file that was read and checked."""

    workflow: Workflow

    @classmethod
    def load(cls, text: str, *, filename: str) -> Self:
        """Reads a workflow file. Raises WorkflowError with file, line, key path, problem and remedy."""
        return cls(workflow=read_workflow(text, file=filename))

    @property
    def name(self) -> str:
        """The workflow's name; the file's where it has none."""
        return self.workflow.name

    def triggers(self, event: str, *, ref: str = "refs/heads/main") -> bool:
        """Whether the event starts this workflow. Branch and tag filters of a push look at `ref`."""
        return self.workflow.triggers.match(event, ref=ref)

    def start(self, *, github: Mapping[str, Value], run_id: int) -> "RunProgress":
        """A run of its own; `github` is the context that expressions see."""
        known = {**github, "workflow": self.name, "run_id": str(run_id)}
        return RunProgress(workflow=self.workflow, github=known)


@dataclass(slots=True, kw_only=True)
class _Instance:
    planned: PlannedJob
    given: bool = False
    conclusion: str | None = None
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _JobState:
    """A job of the file: its instances once it is due, and what dependants see of it."""

    job: Job
    instances: list[_Instance] | None = None

    def has_ended(self) -> bool:
        return self.instances is not None and all(item.conclusion for item in self.instances)

    def result(self) -> str:
        """`needs.<job>.result`. A failure that continue-on-error allows counts as success."""
        found = {
            "success" if item.conclusion == "failure" and item.planned.continue_on_error else item.conclusion
            for item in self.instances or ()
        }
        return next((name for name in ("failure", "cancelled", "success") if name in found), "skipped")

    def outputs(self) -> dict[str, Value]:
        """`needs.<job>.outputs`: of a matrix, the last instance that gave a text wins."""
        merged: dict[str, Value] = {}
        for item in self.instances or ():
            for name, value in item.outputs.items():
                if value or name not in merged:
                    merged[name] = value
        return merged


class RunProgress:
    """One run. Ask `due()` after every `conclude()`; the caller owns queue, runners and clock."""

    def __init__(self, *, workflow: Workflow, github: Mapping[str, Value]) -> None:
        self._workflow = workflow
        self._github = dict(github)
        self._jobs = {job.id: _JobState(job=job) for job in workflow.jobs.values()}
        self._unwanted: list[str] = []
        self._cancelled = False

    def due(self) -> list[PlannedJob]:
        """The jobs that became due since the last call. One with a conclusion never needs a runner."""
        found: list[PlannedJob] = []
        moved = True
        while moved:  # a skipped job may let the next one become due, or skip it too
            moved = False
            for state in self._jobs.values():
                if state.instances is None and self._needs_ended(state.job):
                    state.instances = [_Instance(planned=planned) for planned in self._planned(state.job)]
                    moved = True
                found.extend(self._released(state))
        return found

    def conclude(self, key: str, conclusion: str, outputs: Mapping[str, str] | None = None) -> None:
        """A job has ended. The first conclusion of a job stands; a second one changes nothing.

        Raises KeyError for a key that `due()` never gave, ValueError for a word GitHub does not use.
        """
        if conclusion not in CONCLUSIONS:
            raise ValueError(f"{conclusion!r} is not one of {', '.join(sorted(CONCLUSIONS))}")
        state, instance = self._found(key)
        if instance.conclusion is not None:
            return
        instance.conclusion = conclusion
        instance.outputs = dict(outputs or {})
        planned = instance.planned
        if conclusion == "failure" and planned.fail_fast and not planned.continue_on_error:
            self._cancel_instances(state)

    def cancel(self) -> None:
        """The run is cancelled: what has not started ends, unless its `if:` says always() or cancelled()."""
        self._cancelled = True
        for state in self._jobs.values():
            self._cancel_instances(state)

    def unwanted(self) -> list[str]:
        """Keys of queued or running jobs that GitHub cancels since the last call (fail-fast, cancel)."""
        unwanted, self._unwanted = self._unwanted, []
        return [key for key in unwanted if self._found(key)[1].conclusion is None]

    @property
    def conclusion(self) -> str | None:
        """The run's conclusion once every job has ended; None before."""
        if not all(state.has_ended() for state in self._jobs.values()):
            return None
        results = {state.result() for state in self._jobs.values()}
        if self._cancelled:
            return "cancelled"
        return next((name for name in ("failure", "cancelled", "success") if name in results), "skipped")

    def _found(self, key: str) -> tuple[_JobState, _Instance]:
        for state in self._jobs.values():
            for instance in state.instances or ():
                if instance.planned.key == key:
                    return state, instance
        raise KeyError(key)

    def _needs_ended(self, job: Job) -> bool:
        return all(self._jobs[need].has_ended() for need in job.needs)

    def _planned(self, job: Job) -> list[PlannedJob]:
        contexts: dict[str, Value] = {
            "github": {**self._github, "job": job.id},
            "needs": {need: self._need(need) for need in job.needs},
            "inputs": {},
            "vars": {},
        }
        try:
            if not holds(job.condition, Scope(contexts, self._status_functions(job))):
                return [skipped_job(job, "cancelled" if self._cancelled else "skipped")]
            return planned_jobs(self._workflow, job, contexts)
        except WorkflowError as error:
            placed = error.placed(file=self._workflow.file, where=f"jobs.{job.id}")
            return [failed_job(job, str(placed))]

    def _need(self, name: str) -> dict[str, Value]:
        state = self._jobs[name]
        return {"result": state.result(), "outputs": state.outputs()}

    def _ancestors(self, job: Job) -> set[str]:
        found: set[str] = set()
        waiting = list(job.needs)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(self._jobs[name].job.needs)
        return found

    def _status_functions(self, job: Job) -> dict[str, Function]:
        results = {self._jobs[name].result() for name in self._ancestors(job)}
        succeeded = results <= {"success"} and not self._cancelled
        return {
            "success": Function(lambda: succeeded),
            "failure": Function(lambda: "failure" in results and not self._cancelled),
            "cancelled": Function(lambda: self._cancelled),
            "always": Function(lambda: True),
        }

    def _released(self, state: _JobState) -> Iterator[PlannedJob]:
        running = sum(item.given and item.conclusion is None for item in state.instances or ())
        for item in state.instances or ():
            if item.given or (item.conclusion is None and running >= item.planned.max_parallel):
                continue
            item.given = True
            if item.conclusion is not None:  # cancelled before it was queued
                yield item.planned.concluded(item.conclusion)
                continue
            item.conclusion = item.planned.conclusion
            running += item.conclusion is None
            yield item.planned

    def _cancel_instances(self, state: _JobState) -> None:
        for item in state.instances or ():
            if item.conclusion is None and item.given:
                self._unwanted.append(item.planned.key)
            elif item.conclusion is None:
                item.conclusion = "cancelled"
