"""Values of expressions: kinds, coercion, comparison and text, by GitHub's rules. Knows no syntax.

The rules: https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#operators
"""

import json
import math
import re
from collections.abc import Callable
from typing import TypeAlias

from emulator.workflow.errors import ExpressionError

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

LARGEST_TEXT = 10 * 1024 * 1024  # GitHub, too, bounds what one expression may build

_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_LARGEST_INT32 = 2**31 - 1


class CaseSensitiveDict(dict[str, Value]):
    """An object whose keys are looked up exactly. On Linux only the `env` context is one."""


class Filtered(list[Value]):
    """The result of a `*`: what follows it applies to each element."""


def number_in(text: str) -> float:
    """The number a text stands for; not-a-number where it stands for none. An empty text is 0."""
    text = text.strip()
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    for pattern, base in ((_HEXADECIMAL, 16), (_OCTAL, 8)):
        if pattern.fullmatch(text):
            # Beyond 32 bits GitHub's parser gives up; the length comes first, as int() of a novel is slow.
            number = int(text[2:], base) if len(text) <= 14 else _LARGEST_INT32 + 1
            return float(number) if number <= _LARGEST_INT32 else math.nan
    return {"Infinity": math.inf, "-Infinity": -math.inf}.get(text, math.nan)


def as_number(value: Value) -> float:
    """What a value counts as in a comparison of unlike kinds; objects and arrays are not-a-number."""
    match value:
        case None:
            return 0.0
        case bool() | float():
            return float(value)
        case int():
            try:
                return float(value)
            except OverflowError:
                return math.copysign(math.inf, value)
        case str():
            return number_in(value)
        case _:
            return math.nan


def as_text(value: Value) -> str:
    """What a value looks like in a text: null is empty, an object is the word `Object`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number_text(as_number(value))
        case str():
            return value
        case list():
            return "Array"
        case _:
            return "Object"


def _number_text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    mantissa, _, exponent = format(number, ".15g").partition("e")
    return f"{mantissa}E{exponent}" if exponent else mantissa


def is_true(value: Value) -> bool:
    """Whether a value holds as a condition: false, 0, not-a-number, null and the empty text do not."""
    if isinstance(value, float) and math.isnan(value):
        return False
    if isinstance(value, list | dict):
        return True
    return bool(value)


def _kind(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Both values in one kind where the rules coerce; unchanged where they do not."""
    kinds = {_kind(left), _kind(right)}
    if len(kinds) == 1:
        return left, right
    if kinds <= {"null", "boolean", "number", "string"}:
        return as_number(left), as_number(right)
    return left, right


def are_equal(left: Value, right: Value) -> bool:
    """Loose equality: texts ignore case, unlike primitives count as numbers, objects equal themselves."""
    left, right = _alike(left, right)
    if _kind(left) != _kind(right):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if isinstance(left, list | dict):
        return left is right
    return left == right


def _compares(left: Value, right: Value, test: Callable[[float, float], bool]) -> bool:
    left, right = _alike(left, right)
    if isinstance(left, str) and isinstance(right, str):
        big, small = left.upper(), right.upper()
        return test(float(big > small) - float(big < small), 0.0)
    if _kind(left) != _kind(right) or left is None or isinstance(left, list | dict):
        return False
    return test(as_number(left), as_number(right))


def is_greater(left: Value, right: Value) -> bool:
    """`left > right`; false for kinds that have no order."""
    return _compares(left, right, lambda a, b: a > b)


def is_less(left: Value, right: Value) -> bool:
    """`left < right`; false for kinds that have no order."""
    return _compares(left, right, lambda a, b: a < b)


def member(of: Value, key: Value) -> Value:
    """`of[key]`; null where there is none, as GitHub does. After a `*` it is taken of each element."""
    if isinstance(of, Filtered):
        found = [item for item in of if isinstance(item, list | dict) and _has(item, key)]
        return Filtered(member(item, key) for item in found)
    if isinstance(of, dict):
        name = _matching_key(of, key)
        return None if name is None else of[name]
    if isinstance(of, list):
        index = _position(key)
        return of[index] if index is not None and index < len(of) else None
    return None


def members(of: Value) -> Filtered:
    """`of.*`: every element of an array, every value of an object."""
    if isinstance(of, Filtered):
        return Filtered(value for item in of for value in members(item))
    if isinstance(of, dict):
        return Filtered(of.values())
    return Filtered(of if isinstance(of, list) else ())


def _has(of: "list[Value] | dict[str, Value]", key: Value) -> bool:
    if isinstance(of, dict):
        return _matching_key(of, key) is not None
    index = _position(key)
    return index is not None and index < len(of)


def _matching_key(of: dict[str, Value], key: Value) -> str | None:
    if isinstance(key, list | dict):
        return None
    name = as_text(key)
    if name in of or isinstance(of, CaseSensitiveDict):
        return name if name in of else None
    upper = name.upper()
    return next((candidate for candidate in of if candidate.upper() == upper), None)


def _position(key: Value) -> int | None:
    number = as_number(key)
    if math.isnan(number) or number < 0 or number > _LARGEST_INT32:
        return None
    return math.floor(number)


def json_text(value: Value) -> str:
    """A value as indented JSON, whole numbers without a fraction."""
    try:
        text = json.dumps(_json_ready(value), indent=2, ensure_ascii=False)
    except RecursionError:
        raise ExpressionError("toJSON: the value is nested too deeply.", remedy="Flatten it.") from None
    if len(text) > LARGEST_TEXT:
        raise ExpressionError("toJSON: the text grows beyond 10 MiB.", remedy="Pass less data.")
    return text


def _json_ready(value: Value) -> Value:
    if isinstance(value, list):
        return [_json_ready(item) for item in value]
    if isinstance(value, dict):
        return {key: _json_ready(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def parsed_json(text: str) -> Value:
    """A JSON text as a value; an error that says what was given where it is not one."""
    try:
        value: Value = json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= 60 else text[:57] + "..."
        raise ExpressionError(
            f"fromJSON: {shown!r} is not JSON ({error}).",
            remedy="An empty text often means that the output it comes from was never set.",
        ) from None
    return value
