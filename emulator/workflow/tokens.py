"""The two JSON encodings inside a job message: template tokens and context data. Knows no workflow keys.

A template token is a value that may hold expressions (type 3) for the runner to compute; context data are
values already known. The numbers are those of the real runner:
https://github.com/actions/runner/tree/main/src/Sdk/DTObjectTemplating/ObjectTemplating/Tokens and
https://github.com/actions/runner/tree/main/src/Sdk/DTPipelines/Pipelines/ContextData
"""

from typing import Any

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope, template_expression, value
from emulator.workflow.values import Value, as_text

_SEQUENCE, _MAPPING, _EXPRESSION = 1, 2, 3  # also 0 text, 5 boolean, 6 number, 7 null
_ARRAY_DATA, _DICTIONARY_DATA = 1, 2  # also 0 text, 3 boolean, 4 number, 5 dictionary that minds case


def token(source: Value) -> Any:
    """A value from a workflow file as a template token."""
    if isinstance(source, dict):
        pairs = [{"Key": token(key), "Value": token(item)} for key, item in source.items()]
        return {"type": _MAPPING, "map": pairs} if pairs else {"type": _MAPPING}
    if isinstance(source, list):
        items = [token(item) for item in source]
        return {"type": _SEQUENCE, "seq": items} if items else {"type": _SEQUENCE}
    if isinstance(source, str):
        expression = template_expression(source)
        return source if expression is None else {"type": _EXPRESSION, "expr": expression}
    return source


def evaluated(encoded: Any, scope: Scope) -> Value:
    """The value of a template token. Raises ExpressionError, or WorkflowError for a shape it cannot read."""
    if not isinstance(encoded, dict):
        return _scalar(encoded)
    fields = {str(key).lower(): item for key, item in encoded.items()}
    match fields.get("type", 0):
        case 0:
            return _scalar(fields.get("lit", ""))
        case 1:
            return [evaluated(item, scope) for item in fields.get("seq") or []]
        case 2:
            return _mapping(fields.get("map") or [], scope)
        case 3:
            return value(str(fields.get("expr", "")), scope)
        case 5:
            return bool(fields.get("bool"))
        case 6:
            return _scalar(fields.get("num", 0))
        case 7:
            return None
        case other:
            raise WorkflowError(f"The job message holds a template token of unknown type {other!r}.")


def _mapping(pairs: Any, scope: Scope) -> dict[str, Value]:
    result: dict[str, Value] = {}
    for pair in pairs:
        fields = {str(key).lower(): item for key, item in pair.items()}
        result[as_text(evaluated(fields["key"], scope))] = evaluated(fields["value"], scope)
    return result


def _scalar(encoded: Any) -> Value:
    if encoded is None or isinstance(encoded, bool | int | float | str):
        return encoded
    raise WorkflowError(f"The job message holds a {type(encoded).__name__} where a scalar belongs.")


def context_data(known: Value) -> Any:
    """A known value as context data."""
    if isinstance(known, dict):
        pairs = [{"k": key, "v": context_data(item)} for key, item in known.items()]
        return {"t": _DICTIONARY_DATA, "d": pairs} if pairs else {"t": _DICTIONARY_DATA}
    if isinstance(known, list):
        items = [context_data(item) for item in known]
        return {"t": _ARRAY_DATA, "a": items} if items else {"t": _ARRAY_DATA}
    return known


def context_value(encoded: Any) -> Value:
    """The value that context data stand for."""
    if not isinstance(encoded, dict):
        return _scalar(encoded)
    match encoded.get("t", 0):
        case 0:
            return str(encoded.get("s", ""))
        case 1:
            return [context_value(item) for item in encoded.get("a") or []]
        case 2 | 5:
            return {str(pair["k"]): context_value(pair["v"]) for pair in encoded.get("d") or []}
        case 3:
            return bool(encoded.get("b"))
        case 4:
            return _scalar(encoded.get("n", 0))
        case other:
            raise WorkflowError(f"The job message holds context data of unknown type {other!r}.")
