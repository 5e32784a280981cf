"""What a job knows while it runs: contexts, environment, results of steps. Touches nothing outside of memory."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from emulator.runner.contract import TaskResult
from emulator.runner.environment import Folders, runner_context, secrets_of
from emulator.runner.job_log import JobLog
from emulator.runner.steps import texts
from emulator.workflow.expressions import Scope
from emulator.workflow.functions import HASH_FILES, Function
from emulator.workflow.message import SOURCE_VARIABLE, TIMEOUT_VARIABLE
from emulator.workflow.tokens import context_value, evaluated
from emulator.workflow.values import CaseSensitiveDict, Value, as_text

SHORTEST_SECRET = 4  # characters; a shorter variable would mask half of the log


class JobState:
    """One job. The worker's main thread changes it; `result` may also be set by the thread that cancels."""

    def __init__(self, message: dict[str, Any], *, folders: Folders, runner_name: str, log: JobLog) -> None:
        self.message = message
        self.folders = folders
        self.log = log
        self.result: TaskResult = TaskResult.SUCCEEDED
        self.path: list[str] = []
        self.env = CaseSensitiveDict()
        self.run_defaults: dict[str, str] = {}
        self._variables: dict[str, dict[str, Any]] = message.get("variables") or {}
        self._steps: dict[str, Value] = {}
        self.contexts: dict[str, Value] = {
            name: context_value(data) for name, data in (message.get("contextData") or {}).items()
        }
        self.github: dict[str, Value] = _object(self.contexts.get("github"))
        self.runner = runner_context(folders, name=runner_name)
        secrets = secrets_of(self._variables)
        self.contexts |= {
            "github": self.github,
            "runner": self.runner,
            "steps": self._steps,
            "secrets": secrets,
        }
        self.github |= {
            "workspace": folders.workspace,
            "token": secrets.get("GITHUB_TOKEN", ""),
            "event_path": os.path.join(folders.temporary, "_github_workflow", "event.json"),
        }
        for secret in [*map(as_text, secrets.values()), *self._secret_variables()]:
            if len(secret) >= SHORTEST_SECRET:
                log.mask(secret)

    def prepare(self, hash_files: Callable[..., Value]) -> None:
        """Computes what all steps share: env of workflow and job, defaults. Raises WorkflowError."""
        self._hash_files = Function(hash_files, 1, 255)
        for layer in self.message.get("environmentVariables") or []:
            self.env.update(texts(layer, self.scope()))
        for layer in self.message.get("defaults") or []:
            defaults = evaluated(layer, self.scope())
            run = _object(_object(defaults).get("run"))
            self.run_defaults |= {name: as_text(value) for name, value in run.items()}

    def scope(self, step_env: Mapping[str, Value] | None = None) -> Scope:
        """What expressions see now; `step_env` is laid over the job's env."""
        status = self.result.status
        job: Value = {"status": status}
        env = CaseSensitiveDict({**self.env, **(step_env or {})})
        functions = {
            "success": Function(lambda: status == "success"),
            "failure": Function(lambda: status == "failure"),
            "cancelled": Function(lambda: status == "cancelled"),
            "always": Function(lambda: True),
            HASH_FILES: self._hash_files,
        }
        return Scope({**self.contexts, "env": env, "job": job}, functions)

    def keep(
        self, name: str, *, outcome: TaskResult, conclusion: TaskResult, outputs: dict[str, str]
    ) -> None:
        """A step's results, for `steps.<id>`. Names that GitHub made up are not reachable, and stay out."""
        if not name.startswith("__"):
            self._steps[name] = {
                "outputs": dict(outputs),
                "outcome": outcome.status,
                "conclusion": conclusion.status,
            }

    def worsen(self, result: TaskResult) -> None:
        """The job's result is the worst so far; a cancelled job stays cancelled."""
        self.result = max(self.result, result)

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The job's outputs in the form completejob takes. Raises WorkflowError."""
        found: dict[str, dict[str, Any]] = {}
        for name, text in texts(self.message.get("jobOutputs"), self.scope()).items():
            if self.log.masked(text) != text:
                self.log.write(f"##[warning]Skip output '{name}' since it may contain secret.")
            elif text:
                found[name] = {"value": text, "isSecret": False}
        return found

    @property
    def source(self) -> str | None:
        """The folder that actions/checkout copies."""
        return self._variable(SOURCE_VARIABLE)

    @property
    def timeout_seconds(self) -> float:
        """How long the job may run."""
        return float(self._variable(TIMEOUT_VARIABLE) or 360.0) * 60

    def _variable(self, name: str) -> str | None:
        value = (self._variables.get(name) or {}).get("value")
        return None if value is None else str(value)

    def _secret_variables(self) -> list[str]:
        secret = [str(item.get("value") or "") for item in self._variables.values() if item.get("isSecret")]
        hints = [str(hint.get("value") or "") for hint in self.message.get("maskHints") or []]
        return secret + hints


def _object(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}
