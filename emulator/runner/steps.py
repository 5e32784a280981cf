"""The steps of a job message as values. Pure."""

from typing import Any, NamedTuple, Self

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope
from emulator.workflow.tokens import evaluated
from emulator.workflow.values import Value, as_text

LONGEST_NAME = 100


class Step(NamedTuple):
    """One step; tokens are computed when its turn comes."""

    id: str
    name: str  # as in the `steps` context
    condition: str
    action: str | None  # owner/name[/path], ./folder or docker://image; None for a script
    version: str
    inputs: Any
    env: Any
    display_name: Any
    continue_on_error: Any
    timeout_minutes: Any

    @classmethod
    def of(cls, encoded: dict[str, Any]) -> Self:
        """Reads a step of a job message."""
        reference = encoded["reference"]
        action = None
        if reference["type"] == "containerRegistry":
            action = f"docker://{reference['image']}"
        elif reference["type"] == "repository":
            parts = (reference.get("name"), reference.get("path"))
            action = "/".join(part for part in parts if part)
        return cls(
            id=str(encoded["id"]),
            name=str(encoded["contextName"]),
            condition=str(encoded.get("condition") or "success()"),
            action=action,
            version=str(reference.get("ref") or ""),
            inputs=encoded.get("inputs"),
            env=encoded.get("environment"),
            display_name=encoded.get("displayNameToken"),
            continue_on_error=encoded.get("continueOnError"),
            timeout_minutes=encoded.get("timeoutInMinutes"),
        )

    def title(self, scope: Scope) -> str:
        """What people see: the step's name, else what it runs. An expression that fails leaves the default."""
        try:
            given = as_text(evaluated(self.display_name, scope)) if self.display_name is not None else ""
            if given:
                return given
            if self.action is not None:
                return f"Run {self.action}@{self.version}" if self.version else f"Run {self.action}"
            script = texts(self.inputs, scope).get("script", "").strip()
        except WorkflowError:
            return self.name
        title = f"Run {script.splitlines()[0] if script else ''}"
        return title if len(title) <= LONGEST_NAME else title[: LONGEST_NAME - 3] + "..."


def texts(encoded: Any, scope: Scope) -> dict[str, str]:
    """A mapping token as names and texts; empty when there is none. Raises WorkflowError."""
    if encoded is None:
        return {}
    computed: Value = evaluated(encoded, scope)
    if computed is None or computed == "":
        return {}
    if not isinstance(computed, dict):
        raise WorkflowError(f"Expected a mapping, found {as_text(computed)!r}.", remedy="fromJSON makes one.")
    return {name: as_text(value) for name, value in computed.items()}
