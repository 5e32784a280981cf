"""Expressions and the texts that hold them: checked, evaluated, rendered. Pure; needs no YAML reader.

A *template* is a text with `${{ … }}` in it. A *condition* is the value of an `if:`, where the braces may be
left out and where success() is implied unless a status function is called.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from emulator.workflow.errors import ExpressionError
from emulator.workflow.functions import FUNCTIONS, STATUS_FUNCTIONS, Function
from emulator.workflow.syntax import Call, Comparison, Index, Literal, Logic, Name, Node, Not, parsed
from emulator.workflow.values import (
    Value,
    are_equal,
    as_text,
    is_greater,
    is_less,
    is_true,
    member,
    members,
)

__all__ = ["Scope", "check", "condition", "holds", "rendered", "template_expression", "value"]

_OPEN, _CLOSE = "${{", "}}"
_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": are_equal,
    "!=": lambda left, right: not are_equal(left, right),
    ">": is_greater,
    "<": is_less,
    ">=": lambda left, right: are_equal(left, right) or is_greater(left, right),
    "<=": lambda left, right: are_equal(left, right) or is_less(left, right),
}


class Scope(NamedTuple):
    """What an expression can see: contexts by name, and functions besides the ones everyone has."""

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = {}  # names in lower case


_tree = functools.lru_cache(maxsize=4096)(parsed)


def value(expression: str, scope: Scope) -> Value:
    """The value of an expression written without braces. Raises ExpressionError."""
    return _evaluated(_tree(expression), scope)


def holds(condition_text: str, scope: Scope) -> bool:
    """Whether a condition (as made by `condition`) is true."""
    return is_true(value(condition_text, scope))


def rendered(text: str, scope: Scope) -> Value:
    """A template's value: of any kind when the text is one expression, otherwise a text."""
    expression = template_expression(text)
    return text if expression is None else value(expression, scope)


def template_expression(text: str) -> str | None:
    """The one expression that computes a template; None when the text holds no expression.

    `a-${{ b }}` becomes `format('a-{0}', b)`: the form in which GitHub sends templates to a runner.
    """
    literal: list[str] = []
    expressions: list[str] = []
    at = 0
    while (start := text.find(_OPEN, at)) >= 0:
        end = _end_of_expression(text, start + len(_OPEN))
        literal.append(_format_escaped(text[at:start]) + f"{{{len(expressions)}}}")
        expressions.append(text[start + len(_OPEN) : end].strip())
        at = end + len(_CLOSE)
    if not expressions:
        return None
    if len(expressions) == 1 and literal == ["{0}"] and at == len(text):
        return expressions[0]
    template = "".join(literal) + _format_escaped(text[at:])
    quoted = template.replace("'", "''")
    return f"format('{quoted}', {', '.join(expressions)})"


def condition(text: str | None) -> str:
    """The full condition an `if:` stands for; None (no `if:`) stands for success()."""
    if text is None or not text.strip():
        return "success()"
    expression = template_expression(text)
    if expression is None:
        expression = text.strip()
    called = {node.name.lower() for node in _nodes(_tree(expression)) if isinstance(node, Call)}
    return expression if called & STATUS_FUNCTIONS else f"success() && ({expression})"


def check(expression: str, *, contexts: frozenset[str], functions: frozenset[str] = frozenset()) -> None:
    """Raises ExpressionError unless the expression parses and uses only names known at its place."""
    for node in _nodes(_tree(expression)):
        if isinstance(node, Name) and node.name.lower() not in contexts:
            raise _unknown_name(node.name, expression, node.position, contexts)
        if isinstance(node, Call):
            _check_call(node, expression, functions)


def _check_call(node: Call, expression: str, functions: frozenset[str]) -> None:
    name = node.name.lower()
    if name in functions:
        return
    function = FUNCTIONS.get(name)
    if function is None:
        remedy = f"Known here: {', '.join(sorted({*FUNCTIONS, *functions}))}."
        raise ExpressionError(
            f"Unrecognized function: {node.name!r} at position {node.position} of {expression!r}.",
            remedy=remedy,
        )
    _check_count(node, function)


def _check_count(node: Call, function: Function) -> None:
    count = len(node.arguments)
    if not function.fewest <= count <= function.most:
        wanted = f"{function.fewest}" if function.fewest == function.most else f"at least {function.fewest}"
        raise ExpressionError(f"{node.name}() was given {count} arguments; it takes {wanted}.")


def _unknown_name(name: str, where: str, position: int, known: frozenset[str]) -> ExpressionError:
    return ExpressionError(
        f"Unrecognized named-value: {name!r} at position {position} of the expression {where!r}.",
        remedy=f"Known here: {', '.join(sorted(known))}. Texts take single quotes.",
    )


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    children: tuple[Node | None, ...]
    match node:
        case Index(of, key):
            children = (of, key)
        case Call(_, arguments, _):
            children = arguments
        case Not(operand):
            children = (operand,)
        case Comparison(_, left, right):
            children = (left, right)
        case Logic(_, operands):
            children = operands
        case _:
            children = ()
    for child in children:
        if child is not None:
            yield from _nodes(child)


def _evaluated(node: Node, scope: Scope) -> Value:
    match node:
        case Literal(literal):
            return literal
        case Name(name, position):
            return _context(name, position, scope)
        case Index(of, key):
            target = _evaluated(of, scope)
            return members(target) if key is None else member(target, _evaluated(key, scope))
        case Call():
            return _called(node, scope)
        case Not(operand):
            return not is_true(_evaluated(operand, scope))
        case Comparison(operator, left, right):
            return _COMPARISONS[operator](_evaluated(left, scope), _evaluated(right, scope))
        case Logic(operator, operands):
            result: Value = None
            for operand in operands:
                result = _evaluated(operand, scope)
                if is_true(result) == (operator == "||"):
                    break
            return result


def _context(name: str, position: int, scope: Scope) -> Value:
    for known, context in scope.contexts.items():
        if known.lower() == name.lower():
            return context
    raise _unknown_name(name, name, position, frozenset(scope.contexts))


def _called(node: Call, scope: Scope) -> Value:
    name = node.name.lower()
    function = scope.functions.get(name) or FUNCTIONS.get(name)
    if function is None:
        raise ExpressionError(
            f"Unrecognized function: {node.name!r}.", remedy="It cannot be called at this place."
        )
    _check_count(node, function)
    return function.call(*(_evaluated(argument, scope) for argument in node.arguments))


def _end_of_expression(text: str, at: int) -> int:
    quoted = False
    for position in range(at, len(text)):
        if text[position] == "'":
            quoted = not quoted
        elif not quoted and text.startswith(_CLOSE, position):
            return position
    raise ExpressionError(
        f"The expression that starts with {text[at : at + 30].strip()!r} is not closed.", remedy="Add }}."
    )


def _format_escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def text_of(text: str, scope: Scope) -> str:
    """A template's value as a text."""
    return as_text(rendered(text, scope))
