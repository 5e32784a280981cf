"""What a workflow file says, as values. Expressions are still texts here; they are computed when due."""

from dataclasses import dataclass

from emulator.workflow.triggers import Triggers
from emulator.workflow.values import Value

DEFAULT_TIMEOUT_MINUTES = 360.0  # https://docs.github.com/en/actions/reference/limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. Exactly one of `run` and `uses` is given; values may hold expressions."""

    context_name: str  # the id, or a name of the kind GitHub makes up: __run, __run_2
    name: str | None
    condition: str
    run: str | None
    uses: str | None
    inputs: Value  # `with:`
    env: Value
    shell: str | None
    working_directory: str | None
    continue_on_error: Value
    timeout_minutes: Value

    def as_json(self) -> dict[str, Value]:
        """The step for a PlannedJob's definition: plain JSON values."""
        return {
            "context_name": self.context_name,
            "name": self.name,
            "condition": self.condition,
            "run": self.run,
            "uses": self.uses,
            "inputs": self.inputs,
            "env": self.env,
            "shell": self.shell,
            "working_directory": self.working_directory,
            "continue_on_error": self.continue_on_error,
            "timeout_minutes": self.timeout_minutes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """`strategy:` as written."""

    matrix: Value = None
    fail_fast: Value = True
    max_parallel: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as written, before its matrix is expanded."""

    id: str
    name: str
    needs: tuple[str, ...]
    condition: str
    strategy: Strategy
    runs_on: Value
    timeout_minutes: Value
    continue_on_error: Value
    env: Value
    defaults: Value
    outputs: dict[str, Value]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One workflow file."""

    file: str
    name: str
    triggers: Triggers
    env: Value
    defaults: Value
    jobs: dict[str, Job]
