"""Records as texts: what is written is read back, and what does not fit is unreadable rather than empty."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType
from typing import Any

import pytest

from cell_records.codec import _RULES, cell_record, cell_text, deployment_record, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.errors import RecordUnreadable
from cell_records.obstacles import Obstacle, ObstacleMet, obstacle_met
from cell_records.record import CellRecord, CellState, Gate, Ghost, Lease
from tests.factories import NOW, a_lease, a_record

FULL = a_record(
    leases=[
        a_lease(runner_id=7, job_id=70, repository="acme/widgets", dying_until=NOW + 15),
        a_lease(lease_id="lease-2", boot="boot-2", ask=3),
    ],
    ended_boots=["boot-0"],
    ghosts=[Ghost(runner_name="runner-of-lease-0", runner_id=None, since=NOW)],
    op_nonce="f00d",
    obstacles=[obstacle_met("lease-0", Obstacle.RUNNER_FAILED, at=NOW - 5.0, words="exit code 127")],
    served_at=NOW - 50.0,
    lowered_at=NOW - 40.0,
    hold="rollout",
    canary_since=NOW - 30.0,
    lost_at=NOW - 20.0,
    changed_at=NOW - 60.0,
)


def altered(record: CellRecord = FULL, **fields: Any) -> str:
    """The text of a record with some fields replaced; `...` removes one."""
    data = {**json.loads(cell_text(record)), **fields}
    return json.dumps({name: value for name, value in data.items() if value is not ...})


@pytest.mark.parametrize("record", [FULL, *(a_record(state=state) for state in CellState)])
def test_a_cell_record_is_read_back_as_it_was_written(record: CellRecord) -> None:
    """Every field, also the empty ones."""
    assert cell_record(cell_text(record), key="cells/a") == record


def test_a_text_holds_every_field_in_its_order_and_nothing_else() -> None:
    """Whatever a record or a lease gets as a field is stored with it."""
    whole = {"format": 1, **dataclasses.asdict(FULL)}
    assert cell_text(FULL) == json.dumps(whole, separators=(",", ":"), default=lambda word: word.value)
    deployment = DeploymentRecord(owner="acme", requested=MappingProxyType({"a": 2}), allowed={"a": 1})
    assert json.loads(deployment_text(deployment))["requested"] == {"a": 2}


def test_a_deployment_record_is_read_back_as_it_was_written() -> None:
    """Every field, also the empty ones."""
    full = DeploymentRecord(
        owner="acme", leader="p1", until=NOW, requested={"a": 2}, allowed={"a": 1}, memory="{}", op_nonce="1"
    )
    for record in (full, DeploymentRecord(owner="acme")):
        assert deployment_record(deployment_text(record), key="deployment") == record


LEASE = json.loads(cell_text(FULL))["leases"][1]
OBSTACLE = json.loads(cell_text(FULL))["obstacles"][0]


def test_a_record_without_obstacles_is_one_that_met_none() -> None:
    """So it was written before they were known; one without a hold is held by nobody."""
    assert cell_record(altered(obstacles=..., served_at=...), key="cells/a").obstacles == ()
    assert cell_record(altered(hold=...), key="cells/a").hold == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="without format"),
        pytest.param(altered(format=2), id="of a later format"),
        pytest.param(altered(color="red"), id="with a field we do not know"),
        pytest.param(altered(gate=...), id="without gate"),
        pytest.param(altered(gate="ajar"), id="a gate neither open nor closed"),
        pytest.param(altered(zero_seen="false"), id="a truth value as text"),
        pytest.param(altered(zero_seen=0), id="a truth value as number"),
        pytest.param(altered(zeroed_at="yesterday"), id="a time as text"),
        pytest.param(altered(zeroed_at=None), id="no time"),
        pytest.param(altered(zeroed_at=True), id="a time as truth value"),
        pytest.param(altered(zeroed_at=float("nan")), id="a time that compares with nothing"),
        pytest.param(altered(leases=None), id="no list of leases"),
        pytest.param(altered(leases={}), id="leases that are no list"),
        pytest.param(altered(leases=["lease-1"]), id="a lease that is no object"),
        pytest.param(altered(leases=[{**LEASE, "hard_end": "later"}]), id="a lease without end"),
        pytest.param(altered(leases=[{**LEASE, "ask": 1.5}]), id="half an ask"),
        pytest.param(altered(leases=[{"id": "lease-1"}]), id="half a lease"),
        pytest.param(altered(hold=True), id="a hold that is no text"),
        pytest.param(altered(hold=None), id="no hold"),
        pytest.param(altered(ended_boots=[1]), id="a boot that is no text"),
        pytest.param(altered(ghosts=[{}]), id="an empty ghost"),
        pytest.param(altered(obstacles=[{}]), id="an empty obstacle"),
        pytest.param(
            altered(obstacles=[{**OBSTACLE, "obstacle": "gremlins"}]), id="an obstacle nobody knows"
        ),
    ],
)
def test_a_text_that_does_not_fit_is_unreadable(text: str) -> None:
    """Nothing of it is guessed; the error names the record."""
    with pytest.raises(RecordUnreadable, match="'cells/a'"):
        cell_record(text, key="cells/a")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (altered(gate="closed"), "closed though leases"),
        (altered(zero_seen=True), "open though a zero"),
        (altered(leases=[LEASE, {**LEASE, "id": "lease-3"}]), "two leases"),
        (altered(leases=[LEASE, {**LEASE, "boot": "boot-3"}]), "two leases"),
        (altered(ended_boots=["boot-2"]), "retired boot"),
    ],
)
def test_a_record_that_contradicts_itself_is_unreadable(text: str, cause: str) -> None:
    """A closed gate over a lease could be lowered; another hand wrote it, so the cell is left alone."""
    with pytest.raises(RecordUnreadable, match=cause):
        cell_record(text, key="cells/a")


@pytest.mark.parametrize("requested", [[], {"a": "2"}, {"a": 1.5}, None])
def test_a_deployment_text_that_does_not_fit_is_unreadable(requested: object) -> None:
    """Counts that are no counts serve no bound."""
    text = json.dumps({**json.loads(deployment_text(DeploymentRecord(owner="acme"))), "requested": requested})
    with pytest.raises(RecordUnreadable, match="'deployment'"):
        deployment_record(text, key="deployment")


def test_the_gate_is_stored_as_its_word() -> None:
    """People read these texts during an incident; an obstacle is too."""
    assert OBSTACLE["obstacle"] == "runner_failed"
    assert json.loads(cell_text(FULL))["gate"] == Gate.OPEN.value == "open"


@pytest.mark.parametrize("kind", [CellRecord, Lease, Ghost, ObstacleMet, DeploymentRecord])
def test_every_field_of_a_record_has_a_rule_for_reading_it(kind: type) -> None:
    """A field without one would be written and never read back."""
    assert set(_RULES[kind]) == {each.name for each in dataclasses.fields(kind)}
