"""One step from its environment to its outcome: writes the script, starts it, reads what it left in its files.

Facts: ScriptHandler.cs and FileCommandManager.cs of https://github.com/actions/runner.
"""

import os
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from emulator.runner.actions import ActionError, run_action
from emulator.runner.contract import TaskResult
from emulator.runner.environment import step_environment
from emulator.runner.file_commands import FileCommandError, pairs, path_entries
from emulator.runner.job_state import JobState
from emulator.runner.process_tree import TRACKING_VARIABLE
from emulator.runner.shells import ShellError, chosen_shell, found_on
from emulator.runner.step_process import StepProcess
from emulator.runner.steps import Step, texts
from emulator.workflow.tokens import evaluated
from emulator.workflow.values import Value, as_number

_FILES = ("env", "output", "path", "step_summary", "state")
_BLOCKED_NAME = "NODE_OPTIONS"


class Outcome(NamedTuple):
    """How a step ended, before continue-on-error, and its outputs."""

    result: TaskResult
    outputs: dict[str, str]


class StepRun:
    """Runs one step of a job."""

    def __init__(
        self, step: Step, state: JobState, *, title: str, env: Mapping[str, Value], tracking_id: str
    ) -> None:
        self._step = step
        self._state = state
        self._title = title
        self._env = env
        self._tracking_id = tracking_id
        self._outputs: dict[str, str] = {}

    def run(self, process: StepProcess, *, inherited: Mapping[str, str]) -> Outcome:
        """Runs the step to its end. Raises WorkflowError when an expression of it cannot be computed."""
        state = self._state
        state.log.start_step()
        inputs = texts(self._step.inputs, state.scope(self._env))
        state.log.write(f"##[group]{self._title}")
        if self._step.action is None:
            files = self._command_files()
            result = self._ran_script(inputs, process, inherited, files)
            result = self._read_files(files, result)
        else:
            for name, value in inputs.items():
                state.log.write(f"  {name}: {value}")
            state.log.write("##[endgroup]")
            result = self._ran_action(self._step.action, inputs)
        return Outcome(result, self._outputs)

    def _ran_action(self, action: str, inputs: Mapping[str, str]) -> TaskResult:
        log = self._state.log
        workspace = self._state.folders.workspace
        try:
            run_action(action, inputs, source=self._state.source, workspace=workspace, say=log.write)
        except ActionError as error:
            log.report_error(str(error))
            return TaskResult.FAILED
        return TaskResult.SUCCEEDED

    def _ran_script(
        self,
        inputs: Mapping[str, str],
        process: StepProcess,
        inherited: Mapping[str, str],
        files: Mapping[str, str],
    ) -> TaskResult:
        state, log = self._state, self._state.log
        environment = step_environment(
            inherited,
            env={**state.env, **self._env},
            github={**state.github, "action": self._step.name, **files},
            runner=state.runner,
            tracking=(TRACKING_VARIABLE, self._tracking_id),
            path=state.path,
        )
        shell_name = inputs.get("shell") or state.run_defaults.get("shell")
        within = inputs.get("workingDirectory") or state.run_defaults.get("working-directory") or ""
        folder = os.path.join(state.folders.workspace, within)
        script = inputs.get("script", "")
        for line in script.splitlines():
            log.write(line)
        try:
            shell = chosen_shell(shell_name, found_on(environment.get("PATH", os.defpath)))
            argv = shell.command(self._written(script, shell.suffix))
            log.write(f"shell: {shell.program} {shell.arguments}")
            for name, value in {**state.env, **self._env}.items():
                log.write(f"  {name}: {value}")
            log.write("##[endgroup]")
            ended = process.run(
                argv,
                folder=folder,
                environment=environment,
                timeout_seconds=self._timeout_seconds(),
                hear=self._hear,
            )
        except ShellError as error:
            log.write("##[endgroup]")
            log.report_error(str(error))
            return TaskResult.FAILED
        except OSError as error:
            log.report_error(
                f"An error occurred trying to start process '{argv[0]}' with working directory '{folder}'. {error.strerror}"
            )
            return TaskResult.FAILED
        if ended.stopped == "cancelled":
            log.report_error("The operation was canceled.")
            return TaskResult.CANCELED
        if ended.stopped == "timeout":
            minutes = (self._timeout_seconds() or 0) / 60
            log.report_error(f"The action '{self._title}' has timed out after {minutes:g} minutes.")
            return TaskResult.FAILED
        if ended.exit_code != 0:
            log.report_error(f"Process completed with exit code {ended.exit_code}.")
            return TaskResult.FAILED
        return TaskResult.SUCCEEDED

    def _timeout_seconds(self) -> float | None:
        if self._step.timeout_minutes is None:
            return None
        minutes = as_number(evaluated(self._step.timeout_minutes, self._state.scope(self._env)))
        return minutes * 60 if minutes > 0 else None

    def _written(self, script: str, suffix: str) -> str:
        path = os.path.join(self._state.folders.temporary, f"{uuid.uuid4()}{suffix}")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(script)
        return path

    def _hear(self, line: str) -> None:
        output = self._state.log.step_line(line)
        if output is not None:
            self._outputs |= output

    def _command_files(self) -> dict[str, str]:
        folder = os.path.join(self._state.folders.temporary, "_runner_file_commands")
        os.makedirs(folder, exist_ok=True)
        files = {name: os.path.join(folder, f"{name}_{uuid.uuid4()}") for name in _FILES}
        for path in files.values():
            with open(path, "x", encoding="utf-8"):
                pass
        return files

    def _read_files(self, files: Mapping[str, str], result: TaskResult) -> TaskResult:
        for name, take in (("env", self._take_env), ("output", self._take_output), ("path", self._take_path)):
            try:
                take(_text_of(files[name]))
            except FileCommandError as error:
                self._state.log.report_error(f"Unable to process file command '{name}' successfully.")
                self._state.log.report_error(str(error))
                result = max(result, TaskResult.FAILED)
        return result

    def _take_env(self, text: str) -> None:
        for name, value in pairs(text).items():
            if name.upper() == _BLOCKED_NAME:
                self._state.log.report_error(
                    f"Can't store {_BLOCKED_NAME} output parameter using '$GITHUB_ENV' command."
                )
            else:
                self._state.env[name] = value

    def _take_output(self, text: str) -> None:
        self._outputs |= pairs(text)

    def _take_path(self, text: str) -> None:
        for entry in path_entries(text):
            if entry in self._state.path:
                self._state.path.remove(entry)
            self._state.path.append(entry)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read().removeprefix("\ufeff")
    except FileNotFoundError:
        return ""  # the step has removed it
