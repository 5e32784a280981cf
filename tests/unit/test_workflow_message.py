"""The job message: its shape, and that nothing is lost between a workflow file and a runner."""

import json
import uuid
from typing import Any

import pytest

from emulator.workflow.errors import WorkflowError
from emulator.workflow.expressions import Scope
from emulator.workflow.message import job_request_message
from emulator.workflow.run import RunPlan
from emulator.workflow.tokens import context_data, context_value, evaluated, token
from emulator.workflow.values import Value

FILE = """
name: CI
on: push
env: {TOP: "${{ github.sha }}"}
defaults: {run: {shell: bash}}
jobs:
  test:
    runs-on: x
    strategy: {matrix: {v: [1]}}
    env: {JOB: "1"}
    defaults: {run: {working-directory: src}}
    outputs: {o: "${{ steps.a.outputs.o }}"}
    steps:
      - {id: a, name: "Say ${{ matrix.v }}", run: "echo ${{ matrix.v }}", env: {E: x}, timeout-minutes: 5}
      - {uses: actions/cache/save@v4, with: {path: x}, if: failure(), continue-on-error: true}
      - {uses: ./local}
      - {uses: "docker://alpine:3"}
"""


def message(**changes: Any) -> dict[str, Any]:
    """The message of the one job, after a trip through JSON."""
    planned = RunPlan.load(FILE, filename="ci.yml").start(github={}, run_id=1).due()[0]
    given: dict[str, Any] = {
        "job_id": str(uuid.UUID(int=1)),
        "plan_id": "plan",
        "timeline_id": "timeline",
        "run_service_url": "http://run/",
        "access_token": "secret-token",
        "source": "/source",
        "github": {"sha": "abc", "repository": "acme/widgets"},
        "log_url": None,
    }
    found: dict[str, Any] = json.loads(
        json.dumps(job_request_message(planned.definition, **(given | changes)))
    )
    return found


def test_the_message_has_the_parts_a_runner_reads() -> None:
    """AgentJobRequestMessage.cs"""
    found = message()
    assert found["messageType"] == "RunnerJobRequest"
    assert (found["jobId"], found["plan"]["planId"], found["timeline"]["id"]) == (
        str(uuid.UUID(int=1)),
        "plan",
        "timeline",
    )
    assert found["jobDisplayName"] == "test (1)"
    (endpoint,) = found["resources"]["endpoints"]
    assert (endpoint["name"], endpoint["url"]) == ("SystemVssConnection", "http://run/")
    assert endpoint["authorization"]["parameters"] == {"AccessToken": "secret-token"}
    assert found["variables"]["system.github.token"] == {"value": "secret-token", "isSecret": True}
    assert found["fileTable"] == [".github/workflows/ci.yml"]


def test_contexts_arrive_as_they_were() -> None:
    """github.job is the job's own."""
    data = {name: context_value(encoded) for name, encoded in message()["contextData"].items()}
    assert data["github"] == {"sha": "abc", "repository": "acme/widgets", "job": "test"}
    assert data["matrix"] == {"v": 1}
    assert set(data) == {"github", "matrix", "strategy", "needs", "inputs", "vars"}


def test_steps_carry_templates_as_expressions() -> None:
    """A script's template is one expression; conditions have success() written out."""
    script, action, local, docker = message()["steps"]
    assert (script["type"], script["contextName"], script["condition"]) == ("action", "a", "success()")
    assert script["reference"] == {"type": "script"}
    assert script["inputs"]["map"] == [
        {"Key": "script", "Value": {"type": 3, "expr": "format('echo {0}', matrix.v)"}}
    ]
    assert script["displayNameToken"] == {"type": 3, "expr": "format('Say {0}', matrix.v)"}
    assert script["environment"] == {"type": 2, "map": [{"Key": "E", "Value": "x"}]}
    assert script["timeoutInMinutes"] == 5
    assert action["reference"] == {
        "type": "repository",
        "repositoryType": "GitHub",
        "name": "actions/cache",
        "path": "save",
        "ref": "v4",
    }
    assert (action["condition"], action["continueOnError"]) == ("failure()", True)
    assert (action["contextName"], local["contextName"]) == ("__actions_cache_save", "__local")
    assert local["reference"] == {"type": "repository", "repositoryType": "self", "path": "./local"}
    assert docker["reference"] == {"type": "containerRegistry", "image": "alpine:3"}
    assert len({step["id"] for step in message()["steps"]}) == 4


def test_env_and_defaults_are_layers_from_wide_to_narrow() -> None:
    """The runner lays them over each other in this order."""
    found = message()
    scope = Scope({"github": {"sha": "abc"}})
    assert [evaluated(layer, scope) for layer in found["environmentVariables"]] == [
        {"TOP": "abc"},
        {"JOB": "1"},
    ]
    assert [evaluated(layer, scope) for layer in found["defaults"]] == [
        {"run": {"shell": "bash"}},
        {"run": {"working-directory": "src"}},
    ]


def test_our_own_variables_are_there_when_they_are_given() -> None:
    """Named so that a real runner ignores them."""
    assert message()["variables"]["system.emulator.source"] == {"value": "/source"}
    assert "system.emulator.log_url" not in message()["variables"]
    assert message(log_url="http://log")["variables"]["system.emulator.log_url"] == {"value": "http://log"}
    assert "system.emulator.source" not in message(source=None)["variables"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        1.5,
        "",
        "text",
        "it's {0}",
        [],
        {},
        [1, [2, {"a": None}]],
        {"k": {"Key": "v"}, "type": 3},
    ],
)
def test_values_survive_both_encodings(value: Value) -> None:
    """Through JSON and back."""
    assert evaluated(json.loads(json.dumps(token(value))), Scope({})) == value
    assert context_value(json.loads(json.dumps(context_data(value)))) == value


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ({"type": 0, "lit": "a", "file": 1, "line": 2, "col": 3}, "a"),
        ({"type": 5, "bool": True}, True),
        ({"type": 6, "num": 2.5}, 2.5),
        ({"type": 7}, None),
        ({"Type": 1, "Seq": ["a"]}, ["a"]),
        ({"type": 2, "map": [{"key": "k", "value": "v"}]}, {"k": "v"}),
    ],
)
def test_tokens_with_positions_are_read_too(encoded: object, expected: Value) -> None:
    """GitHub writes the line into some tokens."""
    assert evaluated(encoded, Scope({})) == expected


@pytest.mark.parametrize("encoded", [{"type": 9}, [1], {"type": 4, "directive": "insert"}])
def test_unknown_tokens_are_refused(encoded: object) -> None:
    """With the number, for whoever extends this."""
    with pytest.raises(WorkflowError, match="job message"):
        evaluated(encoded, Scope({}))
