"""The matrix: product, exclude, include, by the examples of GitHub's documentation and its rules."""

import pytest

from emulator.workflow.errors import WorkflowError
from emulator.workflow.matrix import combinations
from emulator.workflow.values import Value


def values(matrix: Value) -> list[dict[str, Value]]:
    """The combinations without their labels."""
    return [combination.values for combination in combinations(matrix)]


def test_the_product_varies_the_last_vector_first() -> None:
    """The order in which GitHub lists the jobs."""
    found = combinations({"os": ["linux", "mac"], "v": [1, 2]})
    assert [combination.labels for combination in found] == [
        ("linux", "1"),
        ("linux", "2"),
        ("mac", "1"),
        ("mac", "2"),
    ]


def test_the_documentation_s_example_of_include() -> None:
    """https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/run-job-variations"""
    matrix: Value = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert values(matrix) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_exclude_removes_what_it_meets_in_part() -> None:
    """A key that is not given meets everything; nested values are compared leaf by leaf."""
    assert values({"os": ["l", "m"], "v": [1, 2], "exclude": [{"os": "m"}, {"v": 1, "os": "l"}]}) == [
        {"os": "l", "v": 2}
    ]
    nested: Value = {"n": [{"v": 12, "npm": 6}, {"v": 14, "npm": 6}], "exclude": [{"n": {"v": 12}}]}
    assert values(nested) == [{"n": {"v": 14, "npm": 6}}]


def test_include_sees_what_exclude_has_left() -> None:
    """An entry that would have met an excluded combination becomes one of its own."""
    matrix: Value = {"os": ["l", "m"], "exclude": [{"os": "m"}], "include": [{"os": "m", "extra": True}]}
    assert values(matrix) == [{"os": "l"}, {"os": "m", "extra": True}]


def test_include_alone_makes_the_jobs() -> None:
    """No vector is needed."""
    found = combinations({"include": [{"a": 1, "b": "x"}, {"a": 2}]})
    assert [combination.labels for combination in found] == [("1", "x"), ("2",)]


def test_additions_do_not_show_in_the_name() -> None:
    """Only the vectors' values do."""
    (found,) = combinations({"os": ["l"], "include": [{"os": "l", "extra": "hidden"}]})
    assert found.labels == ("l",)
    assert found.values == {"os": "l", "extra": "hidden"}


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([], "not a mapping"),
        ({}, "no values"),
        ({"a": []}, "'a' has no values"),
        ({"a": "x"}, "'a' is not a list"),
        ({"a": [1], "exclude": [{"b": 1}]}, "excludes by 'b'"),
        ({"a": [1], "exclude": {"a": 1}}, "`exclude` is not a list"),
        ({"a": [1], "include": ["x"]}, "`include` is not a list of mappings"),
        ({"a": [1], "include": [{}]}, "`include` is not a list of mappings"),
        ({"a": list(range(257))}, "has 257 jobs or more; GitHub takes 256"),
        ({name: list(range(30)) for name in "abcd"}, "810000 jobs"),
    ],
)
def test_a_matrix_that_makes_no_sense_is_refused(matrix: Value, said: str) -> None:
    """With the key that is wrong and what to write."""
    with pytest.raises(WorkflowError) as raised:
        combinations(matrix)
    assert said in str(raised.value)
