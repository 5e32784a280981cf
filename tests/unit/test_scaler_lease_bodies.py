"""What instances may send: exactly the documented bodies, each text bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from scaler.core.model import LeaseState
from scaler.lease_bodies import STATES, AskBody, EndBody, EventBody, GrantedBody, LeaseBody, RunnerBody
from scaler.lease_ends import LeaseOutcome

BOOT = "0123456789abcdef" * 2
ASK: dict[str, Any] = {"cell": "linux-a", "boot": BOOT, "instance": "i-1", "ask": 1, "uptime": 0.5}
EVENT: dict[str, Any] = {"cell": "linux-a", "boot": BOOT, "seq": 1, "state": "running"}
END: dict[str, Any] = {"cell": "linux-a", "boot": BOOT, "seq": 2, "outcome": "finished"}
BODIES: list[tuple[type[LeaseBody], dict[str, Any]]] = [(AskBody, ASK), (EventBody, EVENT), (EndBody, END)]


def refused(model: type[LeaseBody], body: dict[str, Any]) -> list[str]:
    """Which fields are refused."""
    with pytest.raises(ValidationError) as error:
        model.model_validate_json(json.dumps(body))
    return [".".join(map(str, each["loc"])) for each in error.value.errors()]


@pytest.mark.parametrize(("model", "body"), BODIES)
def test_the_documented_body_is_understood(model: type[LeaseBody], body: dict[str, Any]) -> None:
    assert model.model_validate_json(json.dumps(body)).model_dump(exclude_unset=True) == body


@pytest.mark.parametrize(("model", "body"), BODIES)
def test_an_unknown_key_is_refused(model: type[LeaseBody], body: dict[str, Any]) -> None:
    """It may be a misspelt one."""
    assert refused(model, {**body, "up-time": 3}) == ["up-time"]


@pytest.mark.parametrize(
    ("model", "body", "field"), [(model, body, field) for model, body in BODIES for field in body]
)
def test_every_field_is_needed(model: type[LeaseBody], body: dict[str, Any], field: str) -> None:
    assert refused(model, {key: value for key, value in body.items() if key != field}) == [field]


@pytest.mark.parametrize(
    ("model", "body", "field", "value"),
    [
        (AskBody, ASK, "boot", BOOT.upper()),
        (AskBody, ASK, "boot", BOOT[:-1]),
        (AskBody, ASK, "boot", f"{BOOT}\n"),
        (AskBody, ASK, "cell", ""),
        (AskBody, ASK, "cell", "c" * 64),
        (AskBody, ASK, "cell", 7),
        (AskBody, ASK, "instance", "i" * 201),
        (AskBody, ASK, "ask", 0),
        (AskBody, ASK, "ask", "1"),
        (AskBody, ASK, "ask", 1.5),
        (AskBody, ASK, "ask", True),
        (AskBody, ASK, "ask", 2**31 + 1),
        (AskBody, ASK, "uptime", -0.1),
        (AskBody, ASK, "uptime", "5"),
        (AskBody, ASK, "uptime", float("inf")),
        (AskBody, ASK, "uptime", float("nan")),
        (AskBody, ASK, "uptime", 1e10),
        (AskBody, ASK, "uptime", None),
        (EventBody, EVENT, "seq", 0),
        (EventBody, EVENT, "state", "unknown"),
        (EventBody, EVENT, "state", "dying"),
        (EventBody, EVENT, "job", "j" * 501),
        (EventBody, EVENT, "result", "r" * 501),
        (EndBody, END, "outcome", "won"),
        (EndBody, END, "cause", "c" * 501),
        (EndBody, END, "cause", None),
        (EndBody, END, "word", "scale-in"),
        (EndBody, END, "word", ""),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    model: type[LeaseBody], body: dict[str, Any], field: str, value: object
) -> None:
    """Nothing is converted: a text is no number, a number no text."""
    assert refused(model, {**body, field: value}) == [field]


@pytest.mark.parametrize("uptime", [0, 5, 12.25, 1e9])
def test_an_uptime_may_be_a_whole_number(uptime: float) -> None:
    """JSON knows one kind of number."""
    assert AskBody.model_validate_json(json.dumps({**ASK, "uptime": uptime})).uptime == uptime


def test_every_state_and_outcome_has_its_word() -> None:
    """The words are the page's; what the scaler concludes by itself, no instance can say."""
    said = {state: EventBody.model_validate({**EVENT, "state": state}).lease_state for state in STATES}
    assert said == {
        "starting": LeaseState.STARTING,
        "listening": LeaseState.LISTENING,
        "running": LeaseState.RUNNING,
        "completed": LeaseState.COMPLETED,
        "preempted": LeaseState.DYING,
    }
    for outcome in LeaseOutcome:
        assert EndBody.model_validate({**END, "outcome": outcome.value}).lease_outcome is outcome


def test_a_configuration_does_not_show_in_the_repr_of_its_reply() -> None:
    granted = GrantedBody(
        lease="lease-1",
        runner=RunnerBody(id=41, name="linux-a-1"),
        encoded_jit_config="the-configuration",
        heartbeat_seconds=20.0,
        listen_max_seconds=300.0,
        job_timeout_seconds=3600.0,
        hard_end_in_seconds=4000.0,
    )
    assert "the-configuration" not in repr(granted)
    assert "the-configuration" in granted.model_dump_json()
