"""Expressions: text -> tree. Grammar of GitHub's expression language; knows no values of contexts.

Nodes are named tuples: the stand-in runner's worker imports this file, and must start quickly.
"""

import math
import re
from typing import NamedTuple, TypeAlias

from emulator.workflow.errors import ExpressionError
from emulator.workflow.values import Value, number_in

LONGEST_EXPRESSION = 21_000  # characters; GitHub's own limit
DEEPEST_EXPRESSION = 50  # levels; GitHub's own limit


class Literal(NamedTuple):
    """A value written out."""

    value: Value


class Name(NamedTuple):
    """A context: `github`, `matrix`, …"""

    name: str
    position: int


class Index(NamedTuple):
    """`of.key`, `of[key]`, or `of.*` when the key is None."""

    of: "Node"
    key: "Node | None"


class Call(NamedTuple):
    """A function with its arguments."""

    name: str
    arguments: "tuple[Node, ...]"
    position: int


class Not(NamedTuple):
    """`!operand`"""

    operand: "Node"


class Comparison(NamedTuple):
    """One of == != < <= > >=."""

    operator: str
    left: "Node"
    right: "Node"


class Logic(NamedTuple):
    """`a && b && …` or `a || b || …`; yields an operand, not a boolean."""

    operator: str
    operands: "tuple[Node, ...]"


Node: TypeAlias = Literal | Name | Index | Call | Not | Comparison | Logic

_SPACE = re.compile(r"\s*")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"[-+.\d][^\s()\[\],!<>=&|]*", re.ASCII)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_WORD_LIKE = re.compile(r"[^\s()\[\],.!<>=&|']+")
_CONSTANTS: dict[str, Value] = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": math.nan,
    "Infinity": math.inf,
}
_EQUALITY = ("==", "!=")
_ORDER = ("<=", ">=", "<", ">")


def parsed(text: str) -> Node:
    """The tree of an expression (without `${{ }}`). Raises ExpressionError with the position."""
    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(
            f"The expression has {len(text)} characters; GitHub takes {LONGEST_EXPRESSION}.",
            remedy="Compute parts of it in an earlier step.",
        )
    parser = _Parser(text)
    node = parser.alternatives(0)
    parser.skip_space()
    if parser.at < len(text):
        raise parser.unexpected()
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip_space(self) -> None:
        matched = _SPACE.match(self.text, self.at)
        self.at = matched.end() if matched else self.at

    def unexpected(self) -> ExpressionError:
        self.skip_space()
        if self.at >= len(self.text):
            problem = f"The expression {self.text!r} ends too early."
            return ExpressionError(problem, remedy="A value, a quote or a bracket is missing.")
        found = _WORD_LIKE.match(self.text, self.at)
        symbol = found.group() if found else self.text[self.at]
        remedy = "Texts take single quotes." if symbol.startswith(('"', "'")) else "Check the spelling."
        return ExpressionError(
            f"Unexpected symbol: {symbol!r} at position {self.at + 1} of the expression {self.text!r}.",
            remedy=remedy,
        )

    def takes(self, *symbols: str) -> str | None:
        self.skip_space()
        for symbol in symbols:
            if self.text.startswith(symbol, self.at):
                self.at += len(symbol)
                return symbol
        return None

    def expect(self, symbol: str) -> None:
        if not self.takes(symbol):
            raise self.unexpected()

    def alternatives(self, depth: int) -> Node:
        if depth > DEEPEST_EXPRESSION:
            raise ExpressionError(
                f"The expression is nested more than {DEEPEST_EXPRESSION} levels deep.",
                remedy="Compute parts of it in an earlier step.",
            )
        operands = [self.conjunction(depth)]
        while self.takes("||"):
            operands.append(self.conjunction(depth))
        return operands[0] if len(operands) == 1 else Logic("||", tuple(operands))

    def conjunction(self, depth: int) -> Node:
        operands = [self.comparison(_EQUALITY, depth)]
        while self.takes("&&"):
            operands.append(self.comparison(_EQUALITY, depth))
        return operands[0] if len(operands) == 1 else Logic("&&", tuple(operands))

    def comparison(self, operators: tuple[str, ...], depth: int) -> Node:
        def operand() -> Node:
            return self.comparison(_ORDER, depth) if operators is _EQUALITY else self.negation(depth)

        node = operand()
        while operator := self.takes(*operators):
            depth += 1
            node = Comparison(operator, node, self._bounded(operand(), depth))
        return node

    def _bounded(self, node: Node, depth: int) -> Node:
        if depth > DEEPEST_EXPRESSION:
            raise ExpressionError(f"The expression chains more than {DEEPEST_EXPRESSION} operators.")
        return node

    def negation(self, depth: int) -> Node:
        count = 0
        while self._takes_not():
            count += 1
        node = self.postfix(depth)
        if count > DEEPEST_EXPRESSION:
            raise ExpressionError(f"The expression has more than {DEEPEST_EXPRESSION} '!' in a row.")
        for _ in range(count):
            node = Not(node)
        return node

    def _takes_not(self) -> bool:
        self.skip_space()
        if self.text.startswith("!=", self.at):
            return False
        return self.takes("!") is not None

    def postfix(self, depth: int) -> Node:
        node = self.operand(depth)
        while not isinstance(node, Literal) and (symbol := self.takes(".", "[")):
            depth += 1
            self._bounded(node, depth)
            if symbol == ".":
                node = Index(node, None if self.takes("*") else Literal(self._property_name()))
                continue
            key = None if self.takes("*") else self.alternatives(depth + 1)
            self.expect("]")
            node = Index(node, key)
        return node

    def _property_name(self) -> str:
        self.skip_space()
        word = _WORD.match(self.text, self.at)
        if not word:
            raise self.unexpected()
        self.at = word.end()
        return word.group()

    def operand(self, depth: int) -> Node:
        if self.takes("("):
            node = self.alternatives(depth + 1)
            self.expect(")")
            return node
        if string := _STRING.match(self.text, self.at):
            self.at = string.end()
            return Literal(string.group(1).replace("''", "'"))
        if number := _NUMBER.match(self.text, self.at):
            value = number_in(number.group())
            if math.isnan(value):
                raise self.unexpected()
            self.at = number.end()
            return Literal(value)
        if word := _WORD.match(self.text, self.at):
            return self._named(word.group(), depth)
        raise self.unexpected()

    def _named(self, word: str, depth: int) -> Node:
        position = self.at
        self.at += len(word)
        if word in _CONSTANTS:
            return Literal(_CONSTANTS[word])
        if not self.takes("("):
            return Name(word, position + 1)
        arguments: list[Node] = []
        if not self.takes(")"):
            arguments.append(self.alternatives(depth + 1))
            while self.takes(","):
                arguments.append(self.alternatives(depth + 1))
            self.expect(")")
        return Call(word, tuple(arguments), position + 1)
