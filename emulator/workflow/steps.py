"""Reading the steps of a job."""

import re

from emulator.workflow import availability
from emulator.workflow.document import Path
from emulator.workflow.model import Step
from emulator.workflow.reader import Reader
from emulator.workflow.values import Value

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_COMMON = ("name", "id", "if", "env", "continue-on-error", "timeout-minutes")
_RUN = (*_COMMON, "run", "shell", "working-directory")
_USES = (*_COMMON, "uses", "with")
_SHELLS_ELSEWHERE = frozenset({"pwsh", "powershell", "cmd"})


def read_steps(reader: Reader, value: Value, path: Path) -> tuple[Step, ...]:
    """`steps:` of a job. Raises WorkflowError that names the step by number and name."""
    items = reader.sequence(value, path)
    if not items:
        raise reader.error(path, "The job has no steps.", "Add at least one `run:` or `uses:` step.")
    steps: list[Step] = []
    for index, item in enumerate(items):
        steps.append(_read_step(reader, item, (*path, index), {step.context_name for step in steps}))
    return tuple(steps)


def _read_step(reader: Reader, value: Value, path: Path, taken: set[str]) -> Step:
    given = reader.mapping(value, path)
    if ("run" in given) == ("uses" in given):
        problem = "A step has both `run` and `uses`." if "run" in given else "A step needs `run` or `uses`."
        raise reader.error(path, problem, "Give exactly one of them.")
    reader.mapping(given, path, _RUN if "run" in given else _USES)

    def text(key: str) -> str | None:
        if key not in given:
            return None
        return reader.checked_text(given[key], (*path, key), availability.STEP)

    def scalar(key: str, kind: type[bool] | type[float]) -> Value:
        if key not in given:
            return None
        return reader.scalar_or_expression(given[key], (*path, key), availability.STEP, kind)

    shell = text("shell")
    if shell in _SHELLS_ELSEWHERE:
        raise reader.unsupported(
            (*path, "shell"), f"The shell {shell!r} is not installed here.", "Use bash, sh or python."
        )
    return Step(
        context_name=_context_name(reader, given, path, taken),
        name=text("name"),
        condition=reader.condition(given.get("if"), (*path, "if"), availability.STEP_IF),
        run=text("run"),
        uses=_action(reader, given, path),
        inputs=reader.checked_texts(given.get("with"), (*path, "with"), availability.STEP),
        env=reader.checked_texts(given.get("env"), (*path, "env"), availability.STEP),
        shell=shell,
        working_directory=text("working-directory"),
        continue_on_error=scalar("continue-on-error", bool),
        timeout_minutes=scalar("timeout-minutes", float),
    )


def _action(reader: Reader, given: dict[str, Value], path: Path) -> str | None:
    if "uses" not in given:
        return None
    action = reader.text(given["uses"], (*path, "uses"))
    if not action.startswith(("./", "docker://")) and not re.fullmatch(r"[^/@\s]+/[^@\s]+@\S+", action):
        raise reader.error(
            (*path, "uses"), f"{action!r} does not name an action.", "Write owner/name@version or ./folder."
        )
    return action


def _context_name(reader: Reader, given: dict[str, Value], path: Path, taken: set[str]) -> str:
    if "id" in given:
        name = reader.text(given["id"], (*path, "id"))
        if not IDENTIFIER.fullmatch(name) or name.startswith("__"):
            remedy = "Use letters, digits, - and _, not starting with a digit or __."
            raise reader.error((*path, "id"), f"{name!r} is not a step id.", remedy)
        if name.lower() in {other.lower() for other in taken}:
            raise reader.error((*path, "id"), f"The id {name!r} is used twice.", "Ids are unique in a job.")
        return name
    if "run" in given:
        base = "__run"
    else:
        action = str(given["uses"]).split("@", maxsplit=1)[0]
        base = "__" + (re.sub(r"[^A-Za-z0-9-]+", "_", action).strip("_") or "self")
    number = 2
    name = base
    while name in taken:
        name = f"{base}_{number}"
        number += 1
    return name
