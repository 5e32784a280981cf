"""A decision on paper: the same facts as tables for people and as JSON for programs."""

from __future__ import annotations

import json

import pytest

from scaler.core.model import Close, Decision, Grant, Limit, Raise, Reason
from scaler.plan_report import plan_document, print_plan
from tests.factories import NOW, a_cell, an_open_cell, lease_seen, seen
from tests.scaler_parts import a_picture

SEEN = seen(
    an_open_cell("a", count=2, leases=[lease_seen()]),
    a_cell("b", observed=None, requested=1, fault="Cloud Run said [/] and [red]no[/red] :warning:"),
)
DECISION = Decision(
    grants=(Grant(cell="a", leases=1, reason=Reason.PARKED_CAN_TAKE),),
    raises=(Raise(cell="a", to=2, reason=Reason.QUEUED_JOBS),),
    closes=(Close(cell="b", reason=Reason.SURPLUS),),
    limits=(
        Limit(pool="linux", reason=Reason.AT_POOL_MAX, short=3),
        Limit(pool="linux", reason=Reason.NO_FREE_CELL, short=1, detail="it cools"),
    ),
    pools=(a_picture(queued=4),),
    look_again_at=NOW + 30.0,
)


def printed(capsys: pytest.CaptureFixture[str], decision: Decision, faults: dict[str, str]) -> str:
    """What the plan prints, with one blank for each run of blanks and breaks."""
    print_plan(SEEN, decision, faults)
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture(autouse=True)
def a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no sentence is broken."""
    monkeypatch.setenv("COLUMNS", "250")


def test_the_document_is_json_and_holds_every_action_with_its_reason() -> None:
    document = json.loads(json.dumps(plan_document(SEEN, DECISION, {"acme/bad": "hidden"})))
    assert [{key: each[key] for key in each if key != "sentence"} for each in document["actions"]] == [
        {"do": "grant", "where": "a", "how_many": 1, "why": Reason.PARKED_CAN_TAKE.value},
        {"do": "raise", "where": "a", "how_many": 2, "why": Reason.QUEUED_JOBS.value},
        {"do": "close", "where": "b", "how_many": 0, "why": Reason.SURPLUS.value},
        {"do": "leave", "where": "linux", "how_many": 3, "why": Reason.AT_POOL_MAX.value},
        {"do": "leave", "where": "linux", "how_many": 1, "why": f"{Reason.NO_FREE_CELL.value} (it cools)"},
    ]
    assert (document["at"], document["look_again_at"]) == (NOW, NOW + 30.0)
    assert document["faults"] == {"acme/bad": "hidden"}
    assert document["demand_complete"] is True


def test_the_document_tells_an_unknown_count_from_zero() -> None:
    cells = {cell["cell"]: cell for cell in plan_document(SEEN, DECISION, {})["cells"]}
    assert (cells["a"]["observed"], cells["a"]["leased"], cells["a"]["state"]) == (2, 1, "open")
    assert (cells["b"]["observed"], cells["b"]["requested"]) == (None, 1)


def test_the_tables_hold_what_the_document_holds(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, DECISION, {"acme/bad": "hidden"})
    for action in plan_document(SEEN, DECISION, {})["actions"]:
        assert action["sentence"] in text
    assert "│ b │ linux │ 1 │ zero │ 1 │ unknown │ 0 │" in text
    assert "acme/bad: hidden" in text


def test_texts_of_vendors_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup of the table is part of the message."""
    text = printed(capsys, DECISION, {"b": "[bold]it[/bold] [/x] :boom:"})
    assert "Cloud Run said [/] and [red]no[/red] :warning:" in text
    assert "b: [bold]it[/bold] [/x] :boom:" in text


def test_nothing_to_do_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = Decision(pools=(a_picture(),), look_again_at=NOW + 30.0)
    assert "The next tick would do nothing" in printed(capsys, nothing, {})
