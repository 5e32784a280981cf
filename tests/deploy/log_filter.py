"""Cloud Logging's filter language, as far as the metrics of `deploy/` use it, applied to one line. PURE.

Comparisons joined by AND and OR, with parentheses. A field that is missing makes its comparison false. Severities are ordered.
https://cloud.google.com/logging/docs/view/logging-query-language
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(r'\s*(\(|\)|AND\b|OR\b|[\w.]+(?:>=|<=|=|>|<)(?:"[^"]*"|[\w.]+))')
_COMPARISON = re.compile(r'([\w.]+?)(>=|<=|=|>|<)("[^"]*"|[\w.]+)$')
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")


class NotUnderstood(ValueError):
    """The filter uses more of the language than is read here."""


def matches(filter_: str, entry: Mapping[str, Any]) -> bool:
    """Whether a log entry (`resource`, `jsonPayload`, …) passes the filter. Raises `NotUnderstood`."""
    tokens = tokens_of(filter_)
    result, rest = _any_of(tokens, entry)
    if rest:
        raise NotUnderstood(f"{rest} is left of {filter_}")
    return result


def tokens_of(filter_: str) -> list[str]:
    """The filter cut into parentheses, AND, OR and comparisons."""
    tokens, position = [], 0
    while filter_[position:].strip():
        found = _TOKEN.match(filter_, position)
        if found is None:
            raise NotUnderstood(filter_[position:])
        tokens.append(found[1])
        position = found.end()
    return tokens


def comparisons(filter_: str) -> list[tuple[str, str, Any]]:
    """Every comparison of a filter: field, operator, value."""
    return [_comparison(token) for token in tokens_of(filter_) if token not in {"(", ")", "AND", "OR"}]


def field(entry: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _any_of(tokens: list[str], entry: Mapping[str, Any]) -> tuple[bool, list[str]]:
    result, rest = _all_of(tokens, entry)
    while rest and rest[0] == "OR":
        other, rest = _all_of(rest[1:], entry)
        result = result or other
    return result, rest


def _all_of(tokens: list[str], entry: Mapping[str, Any]) -> tuple[bool, list[str]]:
    result, rest = _one(tokens, entry)
    while rest and rest[0] == "AND":
        other, rest = _one(rest[1:], entry)
        result = result and other
    return result, rest


def _one(tokens: list[str], entry: Mapping[str, Any]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        result, rest = _any_of(tokens[1:], entry)
        if rest[:1] != [")"]:
            raise NotUnderstood("a parenthesis is not closed")
        return result, rest[1:]
    path, sign, wanted = _comparison(tokens[0])
    said = field(entry, path)
    if path == "severity":
        said, wanted = _SEVERITIES.index(said), _SEVERITIES.index(wanted)
    same_kind = isinstance(said, bool) == isinstance(wanted, bool) and isinstance(said, str) == isinstance(
        wanted, str
    )
    return said is not None and same_kind and _OPERATORS[sign](said, wanted), tokens[1:]


def _comparison(token: str) -> tuple[str, str, Any]:
    found = _COMPARISON.match(token)
    if found is None:
        raise NotUnderstood(token)
    path, sign, written = found.groups()
    if written.startswith('"'):
        return path, sign, written[1:-1]
    if path == "severity":
        return path, sign, written
    return (
        path,
        sign,
        {"true": True, "false": False}[written] if written in {"true", "false"} else float(written),
    )
