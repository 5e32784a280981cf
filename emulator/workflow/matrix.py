"""`strategy.matrix`: which combinations a job runs in. Pure.

https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/run-job-variations
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import template_expression
from emulator.workflow.values import Value, are_equal, as_text, member

LARGEST_MATRIX = 256  # https://docs.github.com/en/actions/reference/limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One job of a matrix: its `matrix` context, and the texts that tell it apart in the job's name."""

    values: dict[str, Value]
    labels: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class _Include:
    """One entry of `include`: what it must meet in a combination, and what it adds there."""

    where: dict[str, Value]
    extra: dict[str, Value]
    used: bool = field(default=False)


def has_expressions(value: Value) -> bool:
    """Whether a value holds an expression anywhere, so that it is known only when the job is due."""
    if isinstance(value, dict):
        return any(has_expressions(item) for item in value.values())
    if isinstance(value, list):
        return any(has_expressions(item) for item in value)
    return isinstance(value, str) and template_expression(value) is not None


def combinations(matrix: Value) -> list[Combination]:
    """The jobs of a matrix whose expressions have been computed. Raises WorkflowError.

    The product of the vectors, without what `exclude` meets, plus what `include` adds to combinations that it
    agrees with; an entry of `include` that agrees with none becomes a combination of its own.
    """
    if not isinstance(matrix, dict):
        raise WorkflowError("The matrix is not a mapping.", remedy="Write `matrix:` with lists under names.")
    vectors = {name: _vector(name, value) for name, value in matrix.items() if name not in _FILTERS}
    excluded = [_exclusion(entry, vectors) for entry in _entries(matrix, "exclude")]
    included = [_inclusion(entry, vectors) for entry in _entries(matrix, "include")]
    if not vectors and not included:
        raise WorkflowError("The matrix has no values.", remedy="Add a list under a name, or `include`.")
    found = [
        Combination(values=values | _additions(values, included), labels=_labels(values))
        for values in _product(vectors)
        if not any(_agrees(filters, values) for filters in excluded)
    ]
    for entry in included:
        if not entry.used:
            own = entry.where | entry.extra
            found.append(Combination(values=own, labels=_labels(own)))
    if len(found) > LARGEST_MATRIX:
        raise _too_large(len(found))
    return found


def _product(vectors: dict[str, list[Value]]) -> Iterator[dict[str, Value]]:
    if not vectors:
        return
    size = math.prod(len(vector) for vector in vectors.values())
    if size > LARGEST_MATRIX * 16:  # exclude may shrink it; beyond this nobody meant it
        raise _too_large(size)
    for chosen in itertools.product(*vectors.values()):
        yield dict(zip(vectors, chosen, strict=True))


def _additions(values: dict[str, Value], included: list[_Include]) -> dict[str, Value]:
    extra: dict[str, Value] = {}
    for entry in included:
        if _agrees(entry.where, values):
            entry.used = True
            extra.update(entry.extra)
    return extra


_FILTERS = ("include", "exclude")


def _too_large(size: int) -> WorkflowError:
    problem = f"The matrix has {size} jobs or more; GitHub takes {LARGEST_MATRIX}."
    return WorkflowError(problem, remedy="Split it into several jobs.")


def _vector(name: str, value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise WorkflowError(f"The matrix vector {name!r} is not a list.", remedy="Write it as [a, b].")
    if not value:
        raise WorkflowError(f"The matrix vector {name!r} has no values.", remedy="Skip the job with `if:`.")
    return value


def _entries(matrix: dict[str, Value], key: str) -> list[dict[str, Value]]:
    entries = matrix.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
        raise WorkflowError(
            f"The matrix's `{key}` is not a list of mappings.", remedy="Write `- key: value`."
        )
    return [entry for entry in entries if isinstance(entry, dict)]


def _exclusion(entry: dict[str, Value], vectors: dict[str, list[Value]]) -> dict[str, Value]:
    for key in entry:
        if key not in vectors:
            problem = f"The matrix excludes by {key!r}, which is no key of the matrix."
            raise WorkflowError(problem, remedy=f"Keys of the matrix: {', '.join(vectors)}.")
    return entry


def _inclusion(entry: dict[str, Value], vectors: dict[str, list[Value]]) -> _Include:
    return _Include(
        where={key: value for key, value in entry.items() if key in vectors},
        extra={key: value for key, value in entry.items() if key not in vectors},
    )


def _agrees(wanted: Value, actual: Value) -> bool:
    """Whether every leaf of `wanted` equals the value at the same place of `actual`."""
    if isinstance(wanted, dict):
        return all(_agrees(value, member(actual, key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return all(_agrees(value, member(actual, index)) for index, value in enumerate(wanted))
    return are_equal(wanted, actual)


def _labels(value: Value) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(label for item in value.values() for label in _labels(item))
    if isinstance(value, list):
        return tuple(label for item in value for label in _labels(item))
    text = as_text(value)
    return (text,) if text else ()
