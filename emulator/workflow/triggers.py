"""The `on:` of a workflow: which events start it. Pure.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#on
"""

import re
from dataclasses import dataclass

from emulator.workflow.document import Path
from emulator.workflow.reader import Reader
from emulator.workflow.values import Value

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_PATTERN_PART = re.compile(r"\*\*|\*|\?|\+|\[[^\]]*\]|\\.|.", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """Events, each with its filters. Path filters count as passed: a stand-in push has no diff."""

    events: dict[str, dict[str, tuple[str, ...]]]

    def match(self, event: str, *, ref: str) -> bool:
        """Whether this event on this ref (`refs/heads/main`) starts the workflow."""
        filters = self.events.get(event)
        if filters is None:
            return False
        if event != "push":
            return True
        kinds = {kind for kind in ("branches", "tags") if kind in filters or f"{kind}-ignore" in filters}
        for kind, prefix in (("branches", _BRANCHES), ("tags", _TAGS)):
            if ref.startswith(prefix):
                return _passes(filters, kind, ref.removeprefix(prefix)) if kind in kinds else not kinds
        return not kinds


def read_triggers(reader: Reader, value: Value, path: Path) -> Triggers:
    """`on:` as a text, a list or a mapping. Raises WorkflowError."""
    if isinstance(value, str):
        return Triggers(events={value: {}})
    if isinstance(value, list):
        return Triggers(events={name: {} for name in reader.texts(value, path)})
    events = reader.mapping(value, path)
    return Triggers(events={name: _filters(reader, item, (*path, name)) for name, item in events.items()})


def _filters(reader: Reader, value: Value, path: Path) -> dict[str, tuple[str, ...]]:
    if path[-1] != "push":
        return {}
    keys = ("branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore")
    filters = reader.mapping({} if value is None else value, path, keys)
    for kind in ("branches", "tags", "paths"):
        if kind in filters and f"{kind}-ignore" in filters:
            raise reader.error(
                (*path, kind),
                f"Both {kind!r} and '{kind}-ignore' are given.",
                f"Use {kind!r} alone, with a leading ! for exceptions.",
            )
    return {key: reader.texts(item, (*path, key)) for key, item in filters.items()}


def _passes(filters: dict[str, tuple[str, ...]], kind: str, name: str) -> bool:
    if kind in filters:
        matched = False
        for pattern in filters[kind]:
            if _matches(pattern.removeprefix("!"), name):
                matched = not pattern.startswith("!")
        return matched
    return not any(_matches(pattern, name) for pattern in filters[f"{kind}-ignore"])


def _matches(pattern: str, name: str) -> bool:
    """GitHub's filter patterns: * within a segment, ** anything, ? and + repeat what precedes them."""
    expression = ""
    for part in _PATTERN_PART.findall(pattern):
        if part == "**":
            expression += ".*"
        elif part == "*":
            expression += "[^/]*"
        elif part in "?+" and expression:
            expression += part
        elif part.startswith("[") and len(part) > 2:
            expression += "[" + part[1:-1].replace("\\", "\\\\").replace("^", "\\^") + "]"
        else:
            expression += re.escape(part.removeprefix("\\") or part)
    try:
        return re.fullmatch(expression, name) is not None
    except re.error:
        return pattern == name
