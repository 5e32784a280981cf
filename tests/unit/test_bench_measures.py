"""The arithmetic of the benches and the lines of their table."""

import pytest

from bench.measures import HEADINGS, Row, percentile, table_head, table_line, union_seconds


def test_a_percentile_is_one_of_the_measured_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([3.0], 0.99) == 3.0


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_requests_that_overlap_count_once() -> None:
    assert union_seconds([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0), (5.2, 5.5)]) == pytest.approx(4.0)
    assert union_seconds([]) == 0.0


def test_a_row_without_a_target_has_no_verdict() -> None:
    assert Row(bench="a", measured="1", runs="1").cells[-1] == ""
    assert Row(bench="a", measured="1", runs="1", met=False).cells[-1] == "falls short"


def test_a_line_for_a_page_has_as_many_columns_as_its_head() -> None:
    line = table_line(Row(bench="a", measured="b|c", runs="1", met=True).cells, markdown=True)
    assert line == "| a | b\\|c | 1 | none | met |"
    head, rule = table_head(markdown=True).splitlines()
    assert head.count("|") == rule.count("|") == len(HEADINGS) + 1
