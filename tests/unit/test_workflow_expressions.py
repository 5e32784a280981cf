"""Expressions: tables of what GitHub's rules say."""

import math
import subprocess
import sys

import pytest

from emulator.workflow.errors import ExpressionError
from emulator.workflow.expressions import Scope, check, condition, holds, rendered, template_expression, value
from emulator.workflow.functions import Function
from emulator.workflow.values import CaseSensitiveDict, Value

SCOPE = Scope(
    {
        "github": {"ref": "refs/heads/main", "event": {"labels": [{"name": "bug"}, {"name": "ci"}], "n": 3}},
        "env": CaseSensitiveDict({"Home": "/root"}),
        "matrix": {
            "os": "linux",
            "version": 3.11,
            "flags": ["a", "b"],
            "deep": {"x": {"y": 1}, "z": {"y": 2}},
        },
        "steps": {"one": {"outputs": {"json": '{"list": [1, 2], "s": "t"}'}}},
    },
    {"success": Function(lambda: True), "failure": Function(lambda: False), "always": Function(lambda: True)},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", None),
        ("true", True),
        ("'it''s'", "it's"),
        ("''", ""),
        ("12", 12.0),
        ("-1.5", -1.5),
        ("+2", 2.0),
        (".5", 0.5),
        ("0xff", 255.0),
        ("0o17", 15.0),
        ("1.2e3", 1200.0),
        ("-2.99e-2", -0.0299),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("github.ref", "refs/heads/main"),
        ("GitHub.REF", "refs/heads/main"),
        ("github['ref']", "refs/heads/main"),
        ("github.missing", None),
        ("github.missing.deeper", None),
        ("github.ref.deeper", None),
        ("env.Home", "/root"),
        ("env.home", None),
        ("matrix.flags[1]", "b"),
        ("matrix.flags[1.7]", "b"),
        ("matrix.flags['0']", "a"),
        ("matrix.flags[9]", None),
        ("matrix.flags[-1]", None),
        ("github.event.labels.*.name", ["bug", "ci"]),
        ("github.event.labels[*].name", ["bug", "ci"]),
        ("matrix.deep.*.y", [1, 2]),
        ("github.ref.*", []),
        ("github.event.labels.*.missing", []),
        ("fromJSON(steps.one.outputs.json).list[0]", 1.0),
        ("fromJSON(steps.one.outputs.json).s", "t"),
        ("1 == 1", True),
        ("'ABC' == 'abc'", True),
        ("'1' == 1", True),
        ("'' == 0", True),
        ("null == 0", True),
        ("null == ''", True),
        ("true == 1", True),
        ("'true' == true", False),
        ("'x' == 1", False),
        ("NaN == NaN", False),
        ("NaN != NaN", True),
        ("matrix.flags == matrix.flags", True),
        ('matrix.flags == fromJSON(\'["a","b"]\')', False),
        ("2 > 1", True),
        ("'b' > 'A'", True),
        ("'10' > 9", True),
        ("'x' > 1", False),
        ("true > false", True),
        ("null >= 0", True),
        ("matrix.flags > 1", False),
        ("1 <= 1", True),
        ("1 < 2 == true", True),
        ("!true", False),
        ("!!'x'", True),
        ("!''", True),
        ("!matrix.flags", False),
        ("!0 && !NaN", True),
        ("'a' && 'b'", "b"),
        ("'' || 'fallback'", "fallback"),
        ("'' && 'never'", ""),
        ("true && false || 'last'", "last"),
        ("false || (true && 'x')", "x"),
        ("contains('Hello', 'ELL')", True),
        ("contains(matrix.flags, 'B')", True),
        ("contains(github.event.labels.*.name, 'bug')", True),
        ("contains('abc', '')", True),
        ("contains(matrix, 'x')", False),
        ("contains(3.11, '1')", True),
        ("startsWith(github.ref, 'REFS/heads')", True),
        ("endsWith('a.py', '.PY')", True),
        ("endsWith('a.py', '.js')", False),
        ("format('{0}-{1}-{0}', 'a', 1)", "a-1-a"),
        ("format('{{{0}}}', true)", "{true}"),
        ("format('no')", "no"),
        ("join(matrix.flags)", "a,b"),
        ("join(matrix.flags, ' ')", "a b"),
        ("join('x', '-')", "x"),
        ("join(github.event.labels.*.name, '')", "bugci"),
        ("toJSON(matrix.flags)", '[\n  "a",\n  "b"\n]'),
        ("toJSON(fromJSON('{}'))", "{}"),
        ("toJSON(fromJSON('1.0'))", "1"),
        ("toJSON(null)", "null"),
        ("fromJSON('true')", True),
        ("fromJSON('null')", None),
        ("case(false, 1, true, 2, 3)", 2.0),
        ("case(false, 1, 'other')", "other"),
        ("success() && !failure()", True),
        ("Success()", True),
        ("( ( 1 ) )", 1.0),
    ],
)
def test_an_expression_has_the_value_github_gives_it(text: str, expected: Value) -> None:
    """One row for each rule of the language."""
    found = value(text, SCOPE)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends too early"),
        ("1 +", "Unexpected symbol: '+'"),
        ('"double"', "Texts take single quotes"),
        ("'open", "Unexpected symbol"),
        ("a b", "Unexpected symbol: 'b'"),
        ("1.2.3", "Unexpected symbol"),
        ("1abc", "Unexpected symbol: '1abc'"),
        ("github.", "ends too early"),
        ("github.1x", "Unexpected symbol"),
        ("'a'.b", "Unexpected symbol"),
        ("(1", "ends too early"),
        ("f(1", "ends too early"),
        ("1 = 1", "Unexpected symbol"),
        ("true & false", "Unexpected symbol"),
        ("*", "Unexpected symbol"),
        ("nothing.x", "Unrecognized named-value: 'nothing'"),
        ("nothing()", "Unrecognized function: 'nothing'"),
        ("contains('a')", "was given 1 arguments; it takes 2"),
        ("always(1)", "was given 1 arguments; it takes 0"),
        ("format('{1}', 'a')", "{1} has no argument"),
        ("format('{', 'a')", "a single '{'"),
        ("fromJSON('')", "fromJSON: '' is not JSON"),
        ("fromJSON(github.missing)", "never set"),
        ("case(true, 1, 2, 3)", "not pairs and a default"),
        ("!" * 60 + "true", "in a row"),
        ("(" * 60 + "1" + ")" * 60, "nested more than 50"),
        ("github" + ".x" * 60, "chains more than 50"),
        ("1" + " == 1" * 60, "chains more than 50"),
        ("'" + "x" * 21_001 + "'", "GitHub takes 21000"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_cause(text: str, said: str) -> None:
    """An author finds symbol, position and what is known at the place."""
    with pytest.raises(ExpressionError) as raised:
        value(text, SCOPE)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", None),
        ("${{ github.ref }}", "github.ref"),
        ("a-${{ env.X }}", "format('a-{0}', env.X)"),
        ("${{ 1 }}${{ 2 }}", "format('{0}{1}', 1, 2)"),
        ("{x} it's ${{ 1 }}", "format('{{x}} it''s {0}', 1)"),
        ("${{ '}}' }}", "'}}'"),
        ("$ {{ no }}", None),
    ],
)
def test_a_template_is_one_expression(text: str, expected: str | None) -> None:
    """The form in which GitHub sends templates to a runner."""
    assert template_expression(text) == expected


def test_a_template_that_is_one_expression_keeps_its_kind() -> None:
    """A list stays a list; anything around it makes a text."""
    assert rendered("${{ matrix.flags }}", SCOPE) == ["a", "b"]
    assert rendered("<${{ matrix.flags }}>", SCOPE) == "<Array>"
    assert rendered("py${{ matrix.version }} ${{ true }} ${{ null }}.", SCOPE) == "py3.11 true ."
    assert rendered("{0} ${{ 1e21 }}", SCOPE) == "{0} 1E+21"


def test_an_expression_that_is_not_closed_is_named() -> None:
    """With its beginning, because there may be many."""
    with pytest.raises(ExpressionError, match=r"starts with 'github\.ref }'.*Add }}"):
        template_expression("echo ${{ github.ref }")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "success()"),
        ("", "success()"),
        ("github.ref == 'x'", "success() && (github.ref == 'x')"),
        ("${{ github.ref }}", "success() && (github.ref)"),
        ("always()", "always()"),
        ("${{ !cancelled() }}", "!cancelled()"),
        ("contains(github.ref, 'always()')", "success() && (contains(github.ref, 'always()'))"),
        # A classic: text around the braces makes a text that is always true.
        ("${{ github.ref }} == 'x'", "success() && (format('{0} == ''x''', github.ref))"),
    ],
)
def test_success_is_implied_unless_a_status_function_is_called(text: str | None, expected: str) -> None:
    """What counts is a call, not the word."""
    assert condition(text) == expected


def test_a_condition_with_text_around_the_braces_always_holds() -> None:
    """Surprising, and GitHub's behaviour."""
    assert holds(condition("${{ github.ref }} == 'nowhere'"), SCOPE)


def test_names_are_checked_for_their_place() -> None:
    """Before a run, wherever in the expression the name stands."""
    with pytest.raises(ExpressionError, match=r"'secrets'.*Known here: github"):
        check("github.a && format('{0}', secrets.B)", contexts=frozenset({"github"}))
    with pytest.raises(ExpressionError, match="'hashFiles'"):
        check("hashFiles('x')", contexts=frozenset({"github"}))
    check("hashFiles('x')", contexts=frozenset(), functions=frozenset({"hashfiles"}))


def test_a_text_cannot_grow_without_bounds() -> None:
    """Nested formats double a text at each level."""
    text = "'" + "x" * 1000 + "'"
    for _ in range(16):
        text = f"format('{{0}}{{0}}', {text})"
    with pytest.raises(ExpressionError, match="10 MiB"):
        value(text, SCOPE)


def test_expressions_need_neither_yaml_nor_site_packages() -> None:
    """The runner's worker imports them without either."""
    code = (
        "import sys; sys.path.insert(0, '.'); import emulator.workflow.expressions, emulator.workflow.message, "
        "emulator.workflow.tokens; assert 'yaml' not in sys.modules, 'yaml was imported'"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
