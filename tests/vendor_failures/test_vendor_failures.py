"""Each failure that others have met: it is survived, and it is not once its handling is taken away."""

from __future__ import annotations

import pytest

from tests.vendor_failures import demand_rows, runner_rows, scaling_rows
from tests.vendor_failures.row import Row

ROWS = (*demand_rows.ROWS, *scaling_rows.ROWS, *runner_rows.ROWS)
EACH = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])


@EACH
def test_it_is_survived(row: Row) -> None:
    row.check()


@EACH
def test_without_its_handling_it_is_not(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact that holds without it proves nothing."""
    row.without(monkeypatch)
    with pytest.raises(AssertionError):
        row.check()


def test_every_row_has_its_own_name() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
