"""The steps of a job, one after the other: conditions, results, cancellation, clean-up. Sends nothing.

Facts: StepsRunner.cs, JobRunner.cs and JobExtension.cs of https://github.com/actions/runner.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from emulator.runner.contract import RUNNER_VERSION, SHUTDOWN, TaskResult
from emulator.runner.hash_files import hash_files_in
from emulator.runner.job_state import JobState
from emulator.runner.process_tree import kill, marked
from emulator.runner.step_process import StepProcess
from emulator.runner.step_run import Outcome, StepRun
from emulator.runner.steps import Step, texts
from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import holds
from emulator.workflow.tokens import evaluated
from emulator.workflow.values import Value, is_true

_SHUTDOWN_MESSAGE = (
    "The runner has received a shutdown signal. This can happen when the runner service is stopped, or a manually "
    "started runner is canceled."
)


class JobRun:
    """Runs one job. `cancel` may be called from another thread at any time."""

    def __init__(
        self,
        state: JobState,
        *,
        inherited: Mapping[str, str],
        step_starts: Callable[[], None],
        step_ended: Callable[[], None],
    ) -> None:
        self.step_results: list[dict[str, Any]] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        self._state = state
        self._log = state.log
        self._inherited = inherited
        self._step_starts = step_starts
        self._step_ended = step_ended
        self._tracking_id = f"github_{uuid.uuid4()}"
        self._lock = threading.Lock()  # over the three below
        self._cancelled: str | None = None
        self._process: StepProcess | None = None
        self._still_wanted: Callable[[], bool] = lambda: False

    def run(self) -> TaskResult:
        """Runs every step; the job's result."""
        state = self._state
        self._log.write(f"Current runner version: '{RUNNER_VERSION}'")
        self._log.write(f"Runner name: '{state.runner['name']}'")
        self._log.write(f"Machine name: '{socket.gethostname()}'")
        try:
            state.prepare(hash_files_in(state.folders.workspace))
            self._write_event()
            for number, encoded in enumerate(state.message.get("steps") or [], start=1):
                self._take_step(Step.of(encoded), number)
                self._step_ended()
            if self._cancelled != SHUTDOWN:
                self.outputs = state.outputs()
        except WorkflowError as error:
            self._log.report_error(str(error))
            state.worsen(TaskResult.FAILED)
        self._end_orphans()
        return state.result

    def cancel(self, how: str, reason: str | None = None) -> None:
        """Ends the job early. SHUTDOWN: no step runs any more, and the job fails. CANCEL: always() steps run."""
        with self._lock:
            if self._cancelled in {SHUTDOWN, how}:
                return
            self._cancelled = how
            self._state.result = TaskResult.FAILED if how == SHUTDOWN else TaskResult.CANCELED
            if how == SHUTDOWN:
                self._log.report_error(_SHUTDOWN_MESSAGE)
            elif reason is not None:
                self._log.report_error(reason)
            if self._process is not None and (how == SHUTDOWN or not self._still_wanted()):
                self._process.stop()

    def _take_step(self, step: Step, number: int) -> None:
        started = time.time()
        title = step.title(self._state.scope())
        try:
            env: dict[str, Value] = {**texts(step.env, self._state.scope())}
            title = step.title(self._state.scope(env))
            outcome = self._outcome(step, title, env)
        except WorkflowError as error:
            self._log.report_error(f"The step {title!r} cannot be run: {error}")
            env = {}
            outcome = Outcome(TaskResult.FAILED, {})
        conclusion = outcome.result
        if conclusion is TaskResult.FAILED and self._continues(step, env):
            conclusion = TaskResult.SUCCEEDED
        self._state.keep(step.name, outcome=outcome.result, conclusion=conclusion, outputs=outcome.outputs)
        with self._lock:
            if conclusion is TaskResult.FAILED:
                self._state.worsen(conclusion)
        self.step_results.append(
            {
                "external_id": step.id,
                "number": number,
                "name": title,
                "status": "completed",
                "conclusion": conclusion.wire,
                "started_at": _moment(started),
                "completed_at": _moment(time.time()),
                "completed_log_lines": self._log.length(),
            }
        )

    def _outcome(self, step: Step, title: str, env: Mapping[str, Value]) -> Outcome:
        process = StepProcess()

        def wanted() -> bool:
            try:
                return holds(step.condition, self._state.scope(env))
            except WorkflowError as error:
                self._log.report_error(f"The condition of {title!r} cannot be computed: {error}")
                return False

        with self._lock:
            if self._cancelled == SHUTDOWN:
                return Outcome(TaskResult.SKIPPED, {})
            if not holds(step.condition, self._state.scope(env)):
                return Outcome(TaskResult.SKIPPED, {})
            self._process, self._still_wanted = process, wanted
        try:
            self._step_starts()
            run = StepRun(step, self._state, title=title, env=env, tracking_id=self._tracking_id)
            return run.run(process, inherited=self._inherited)
        finally:
            with self._lock:
                self._process = None

    def _continues(self, step: Step, env: Mapping[str, Value]) -> bool:
        try:
            return is_true(evaluated(step.continue_on_error, self._state.scope(env)))
        except WorkflowError as error:
            self._log.report_error(f"continue-on-error cannot be computed: {error}")
            return False

    def _write_event(self) -> None:
        path = str(self._state.github["event_path"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self._state.github.get("event") or {}, file)

    def _end_orphans(self) -> None:
        """Kills what steps have left running, as the runner does when a job completes."""
        orphans = marked(self._tracking_id)
        if orphans:
            self._log.write("Cleaning up orphan processes")
        for pid, name in orphans:
            self._log.write(f"Terminate orphan process: pid ({pid}) ({name})")
            kill(pid)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
