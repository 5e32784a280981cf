"""What holds for every expression, matrix and run."""

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope, check, condition, rendered, template_expression, value
from emulator.workflow.matrix import combinations
from emulator.workflow.run import RunPlan, RunProgress
from emulator.workflow.tokens import context_data, context_value, evaluated, token
from emulator.workflow.values import (
    Value,
    are_equal,
    as_text,
    is_greater,
    is_less,
    json_text,
    number_in,
    parsed_json,
)

SCALARS = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8))
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [
        *(
            "github",
            "matrix",
            "a",
            "env",
            ".",
            "[",
            "]",
            "(",
            ")",
            "*",
            "!",
            "==",
            "!=",
            "<",
            ">=",
            "&&",
            "||",
            ",",
        ),
        *(
            "'",
            "'x'",
            "''",
            "1",
            "-1",
            ".5",
            "0x1F",
            "1e9",
            "1e999",
            "null",
            "true",
            "NaN",
            " ",
            "\n",
            "${{",
            "}}",
        ),
        *(
            "contains(",
            "format(",
            "'{0}'",
            "join(",
            "toJSON(",
            "fromJSON(",
            "case(",
            "success()",
            "{",
            "}",
            "\u00df",
        ),
    ]
)
EXPRESSIONS = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=14).map("".join))


@settings(max_examples=400, deadline=None)
@given(text=EXPRESSIONS, data=VALUES)
def test_an_expression_has_a_value_or_an_error_that_says_why(text: str, data: Value) -> None:
    """Nothing else ever comes out, whatever the text and the contexts."""
    scope = Scope({"github": {"a": data}, "matrix": data, "env": {}})
    computations: list[Callable[[], object]] = [
        lambda: value(text, scope),
        lambda: rendered(text, scope),
        lambda: condition(text),
        lambda: check(text, contexts=frozenset({"github"})),
    ]
    assert all(_said(compute) != "" for compute in computations)


def _said(compute: Callable[[], object]) -> str | None:
    """The message of the error that came of it; None when none did."""
    try:
        compute()
    except WorkflowError as error:
        return str(error)
    return None


@given(text=st.text(max_size=60).filter(lambda text: "${{" not in text))
def test_text_without_expressions_stays_as_it_is(text: str) -> None:
    """Also around an expression: braces and quotes are carried through."""
    assert template_expression(text) is None
    assert rendered(text, Scope({})) == text
    assert rendered(text + "|${{ 'x' }}|" + text, Scope({})) == f"{text}|x|{text}"


@given(left=VALUES, right=VALUES)
def test_equality_is_symmetric_and_order_is_strict(left: Value, right: Value) -> None:
    """No pair is both less and greater; what is less is greater the other way round."""
    assert are_equal(left, right) == are_equal(right, left)
    assert is_less(left, right) == is_greater(right, left)
    assert not (is_less(left, right) and is_greater(left, right))


@given(data=VALUES)
def test_values_survive_a_job_message(data: Value) -> None:
    """As data always; as a token when no text of them is a template."""
    assert _same(context_value(context_data(data)), data)
    if "${{" not in repr(data):
        assert _same(evaluated(token(data), Scope({})), data)


@given(data=VALUES)
def test_json_of_a_value_reads_back_as_the_value(data: Value) -> None:
    """Up to the precision of a number."""
    assert _same(parsed_json(json_text(data)), data)


@given(text=st.text(max_size=20))
def test_any_text_counts_as_some_number(text: str) -> None:
    """Not-a-number at worst."""
    assert isinstance(number_in(text), float)


@given(number=st.floats(min_value=-1e300, max_value=1e300))
def test_a_number_s_text_counts_as_the_number(number: float) -> None:
    """To fifteen digits."""
    assert math.isclose(number_in(as_text(number)), number, rel_tol=1e-14, abs_tol=0.0) or number == 0


VECTORS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
    min_size=1,
)
ENTRIES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c", "x"]), st.integers(0, 4), min_size=1), max_size=4
)


@given(vectors=VECTORS)
def test_a_matrix_has_the_size_of_its_product(vectors: dict[str, list[int]]) -> None:
    """Each combination once."""
    found = combinations({name: list(values) for name, values in vectors.items()})
    assert len(found) == math.prod(map(len, vectors.values()))
    assert len({combination.labels for combination in found}) == len(found)


@given(vectors=VECTORS, include=ENTRIES)
def test_include_never_removes_or_overwrites(
    vectors: dict[str, list[int]], include: list[dict[str, int]]
) -> None:
    """The product stays; every entry has found its place somewhere."""
    plain: dict[str, Value] = {name: list(values) for name, values in vectors.items()}
    product = [combination.values for combination in combinations(plain)]
    found = [
        combination.values for combination in combinations({**plain, "include": [dict(e) for e in include]})
    ]
    for before, after in zip(product, found, strict=False):
        assert before.items() <= after.items()
    assert len(product) <= len(found) <= len(product) + len(include)
    for entry in include:
        keys = entry.keys() & vectors.keys()
        assert any(all(values.get(key) == entry[key] for key in keys) for values in found)


@given(vectors=VECTORS, exclude=ENTRIES)
def test_exclude_leaves_exactly_what_it_does_not_meet(
    vectors: dict[str, list[int]], exclude: list[dict[str, int]]
) -> None:
    """An entry meets what agrees with all its keys."""
    entries = [{key: number for key, number in entry.items() if key in vectors} for entry in exclude]
    entries = [entry for entry in entries if entry]
    plain: dict[str, Value] = {name: list(values) for name, values in vectors.items()}
    found = [
        combination.values for combination in combinations({**plain, "exclude": [dict(e) for e in entries]})
    ]
    product = [combination.values for combination in combinations(plain)]
    assert found == [one for one in product if not any(entry.items() <= one.items() for entry in entries)]


@st.composite
def runs(draw: st.DrawFn) -> RunProgress:
    """A run of up to six jobs that need earlier ones."""
    text = "on: push\njobs:\n"
    for number in range(draw(st.integers(1, 6))):
        needs = sorted(draw(st.sets(st.integers(0, number - 1)))) if number else []
        strategy = draw(st.sampled_from(["", "strategy: {matrix: {v: [1, 2, 3]}}, ", _LIMITED, _PATIENT]))
        when = draw(
            st.sampled_from(["", "if: always(), ", "if: failure(), ", "if: '!cancelled()', ", "if: false, "])
        )
        forgives = draw(st.sampled_from(["", "continue-on-error: true, "]))
        names = ", ".join(f"j{need}" for need in needs)
        text += (
            f"  j{number}: {{needs: [{names}], {strategy}{when}{forgives}runs-on: x, steps: [{{run: a}}]}}\n"
        )
    return RunPlan.load(text, filename="ci.yml").start(github={}, run_id=1)


_LIMITED = "strategy: {max-parallel: 1, matrix: {v: [1, 2, 3]}}, "
_PATIENT = "strategy: {fail-fast: false, max-parallel: 2, matrix: {v: [1, 2, 3]}}, "


@settings(deadline=None)
@given(run=runs(), data=st.data())
def test_every_run_ends_and_gives_each_job_out_once(run: RunProgress, data: st.DataObject) -> None:
    """Whatever the conclusions and their order; the run has none before its last job has ended."""
    given_out: set[str] = set()
    waiting: list[str] = []
    while True:
        for planned in run.due():
            assert planned.key not in given_out
            given_out.add(planned.key)
            if planned.conclusion is None:
                waiting.append(planned.key)
        assert set(run.unwanted()) <= set(waiting)
        if not waiting:
            break
        assert run.conclusion is None
        key = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
        run.conclude(key, data.draw(st.sampled_from(["success", "failure", "cancelled"])))
    assert run.conclusion in {"success", "failure", "cancelled", "skipped"}
    assert run.due() == []


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, float) and isinstance(right, int | float) and not isinstance(right, bool):
        return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=1e-9)
    return left == right or (isinstance(left, float) and isinstance(right, float) and math.isnan(left))
