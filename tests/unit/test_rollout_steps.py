"""What a write of a worker pool looks at before it is sent: a held zero, or nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cell_records.record import CellRecord, CellState
from scaler.cloud_run.wire import Document
from scaler.rollout.steps import Delete, Look, SetField, Steps, changing, deleting
from scaler.rollout.template import TemplateWish
from tests.factories import a_record
from tests.rollout_world import doc, failed_with

ZERO, CLOSING = CellState.ZERO, CellState.CLOSING
BROKEN, NO_CAPACITY = "no such image", "Quota violated: - CpuAllocPerProjectRegion"


def asked(steps_of: Steps, record: CellRecord | None, found: Document | None) -> list[object]:
    """Everything that is asked for, in order."""
    requests: list[object] = []
    answer: object = None
    while True:
        try:
            request = steps_of.send(answer)
        except StopIteration:
            return requests
        requests.append(request)
        answer = record if request is Look.RECORD else found if request is Look.DOCUMENT else True


READY = a_record(uid="uid-a", state=ZERO, hold="rollout")
CLOSED = a_record(uid="uid-a", state=CLOSING, hold="rollout")
FAILED: dict[str, Any] = {"terminalCondition": failed_with(BROKEN)}


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param(READY, doc(), id="at its zero"),
        pytest.param(CLOSED, doc(**FAILED), id="closing, and its zero has failed"),
    ],
)
def test_a_write_names_the_reading_that_followed_the_record(record: CellRecord, found: Document) -> None:
    """In this order: a record with a closed gate and held, then a count of zero, whose etag the write names."""
    asked_for = asked(changing("a", hold="rollout", wish=TemplateWish(image="new")), record, found)
    assert asked_for[:2] == [Look.RECORD, Look.DOCUMENT]
    assert isinstance(asked_for[2], SetField)
    assert asked_for[2].of is found
    assert asked(deleting(hold="rollout"), record, found)[2:] == [Delete(of=found)]
    again = changing("a", hold="rollout", wish=TemplateWish(image="new"), written=2)
    assert asked(again, record, found) == asked_for[:2], "written again, though it would change nothing"


@pytest.mark.parametrize(
    ("record", "found"),
    [
        pytest.param(None, doc(), id="no record"),
        pytest.param(replace(READY, hold=""), doc(), id="not held"),
        pytest.param(replace(READY, hold="drain"), doc(), id="held for something else"),
        pytest.param(a_record(uid="uid-a", hold="rollout"), doc(), id="open"),
        pytest.param(CLOSED, doc(), id="closing"),
        pytest.param(CLOSED, doc(count=1, **FAILED), id="closing, and the raise had failed"),
        pytest.param(CLOSED, doc(rests=False, **FAILED), id="closing, and zero is asked for again"),
        pytest.param(
            CLOSED, doc(terminalCondition=failed_with(NO_CAPACITY)), id="closing, for want of capacity"
        ),
        pytest.param(replace(CLOSED, hold=""), doc(**FAILED), id="closing with a failed zero, not held"),
        pytest.param(a_record(uid="uid-a", hold="rollout"), doc(**FAILED), id="open with a failed zero"),
        pytest.param(READY, None, id="no worker pool"),
        pytest.param(READY, doc("b"), id="another worker pool"),
        pytest.param(READY, doc(count=1), id="raised by another hand"),
        pytest.param(READY, doc(rests=False), id="not settled"),
        pytest.param(READY, doc(scaling={}), id="a count that is not known"),
    ],
)
def test_a_worker_pool_is_written_at_a_held_zero_only(
    record: CellRecord | None, found: Document | None
) -> None:
    """Each of these may have an instance that works, or get one at any moment."""
    for steps_of in (changing("a", hold="rollout", wish=TemplateWish(image="new")), deleting(hold="rollout")):
        assert not any(isinstance(each, SetField | Delete) for each in asked(steps_of, record, found))
