"""The functions every expression may call. Each takes values and gives a value; none knows a context.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#functions
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from emulator.workflow.errors import ExpressionError
from emulator.workflow.values import (
    LARGEST_TEXT,
    Value,
    are_equal,
    as_text,
    is_true,
    json_text,
    parsed_json,
)

_FORMAT_PART = re.compile(r"\{\{|\}\}|\{(\d{1,3})\}|[{}]", re.ASCII)
_ANY_NUMBER = 255


class Function(NamedTuple):
    """A function and how many arguments it takes."""

    call: Callable[..., Value]
    fewest: int = 0
    most: int = 0


def _joined(pieces: list[str]) -> str:
    if sum(map(len, pieces)) > LARGEST_TEXT:
        raise ExpressionError("The text grows beyond 10 MiB.", remedy="Pass less data.")
    return "".join(pieces)


def _contains(search: Value, item: Value) -> Value:
    if isinstance(search, list):
        return any(are_equal(element, item) for element in search)
    if isinstance(search, dict) or isinstance(item, list | dict):
        return False
    return as_text(item).upper() in as_text(search).upper()


def _starts_with(text: Value, start: Value) -> Value:
    if isinstance(text, list | dict) or isinstance(start, list | dict):
        return False
    return as_text(text).upper().startswith(as_text(start).upper())


def _ends_with(text: Value, end: Value) -> Value:
    if isinstance(text, list | dict) or isinstance(end, list | dict):
        return False
    return as_text(text).upper().endswith(as_text(end).upper())


def _format(template: Value, *replacements: Value) -> Value:
    text = as_text(template)
    texts = [as_text(value) for value in replacements]
    pieces: list[str] = []
    at = 0
    for part in _FORMAT_PART.finditer(text):
        pieces.append(text[at : part.start()])
        at = part.end()
        if part.group(1) is not None:
            if int(part.group(1)) >= len(texts):
                raise ExpressionError(
                    f"format: {part.group()} has no argument; {len(texts)} were given.",
                    remedy="The first replacement is {0}.",
                )
            pieces.append(texts[int(part.group(1))])
        elif len(part.group()) == 2:
            pieces.append(part.group()[0])
        else:
            raise ExpressionError(
                f"format: a single {part.group()!r} in {text!r}.", remedy="Write a brace twice: {{ or }}."
            )
    return _joined([*pieces, text[at:]])


def _join(values: Value, separator: Value = ",") -> Value:
    if not isinstance(values, list):
        return "" if isinstance(values, dict) else as_text(values)
    between = "" if isinstance(separator, list | dict) else as_text(separator)
    pieces: list[str] = []
    for value in values:
        if pieces:
            pieces.append(between)
        pieces.append("" if isinstance(value, list | dict) else as_text(value))
    return _joined(pieces)


def _case(*arguments: Value) -> Value:
    if len(arguments) % 2 == 0:
        raise ExpressionError(
            "case: the arguments are not pairs and a default.",
            remedy="Write case(condition, value, …, default).",
        )
    for condition, value in zip(arguments[:-1:2], arguments[1::2], strict=True):
        if is_true(condition):
            return value
    return arguments[-1]


# Names as they are compared: in lower case.
FUNCTIONS: dict[str, Function] = {
    "contains": Function(_contains, 2, 2),
    "startswith": Function(_starts_with, 2, 2),
    "endswith": Function(_ends_with, 2, 2),
    "format": Function(_format, 1, _ANY_NUMBER),
    "join": Function(_join, 1, 2),
    "tojson": Function(json_text, 1, 1),
    "fromjson": Function(lambda text: parsed_json(as_text(text)), 1, 1),
    "case": Function(_case, 3, _ANY_NUMBER),
}

STATUS_FUNCTIONS = frozenset({"success", "failure", "cancelled", "always"})
HASH_FILES = "hashfiles"
