"""The message that tells a runner its job: AgentJobRequestMessage, as `acquirejob` answers it. Pure.

The shape is the one the real runner reads
(https://github.com/actions/runner/blob/main/src/Sdk/DTPipelines/Pipelines/AgentJobRequestMessage.cs).
Three variables are the stand-in's own, named `system.emulator.…`; a real runner would ignore them.
"""

import uuid
from typing import Any

from emulator.workflow.tokens import context_data, token
from emulator.workflow.values import Value

SOURCE_VARIABLE = "system.emulator.source"  # the folder that actions/checkout copies
LOG_URL_VARIABLE = "system.emulator.log_url"  # where the runner posts the text of its log
TIMEOUT_VARIABLE = "system.emulator.timeout_minutes"  # the job's limit; at GitHub the server watches it

_Json = dict[str, Any]


def job_request_message(
    definition: dict[str, Value],
    *,
    job_id: str,
    plan_id: str,
    timeline_id: str,
    run_service_url: str,
    access_token: str,
    source: str | None,
    github: dict[str, Value],
    log_url: str | None = None,
) -> _Json:
    """The message for one planned job.

    `definition` is PlannedJob.definition; `source` the folder that stands for the repository; `log_url` takes
    a POST of the log's text (the real runner uploads to the Results service, which has no stand-in).
    """
    job_name = str(definition["job"])
    # A real run gives every job of a workflow its own github.job; the rest is common to the run.
    contexts = {**_mapping(definition["contexts"]), "github": {**github, "job": job_name}}
    variables = {
        "system.github.job": {"value": job_name},
        "system.github.token": {"value": access_token, "isSecret": True},
        "system.runnerEnvironment": {"value": "self-hosted"},
        TIMEOUT_VARIABLE: {"value": str(definition["timeout_minutes"])},
    }
    if source is not None:
        variables[SOURCE_VARIABLE] = {"value": source}
    if log_url is not None:
        variables[LOG_URL_VARIABLE] = {"value": log_url}
    return {
        "messageType": "RunnerJobRequest",
        "plan": {"planType": "actions", "planId": plan_id, "planGroup": "actions", "version": 12},
        "timeline": {"id": timeline_id, "changeId": 0},
        "jobId": job_id,
        "jobDisplayName": definition["name"],
        "jobName": "__" + job_name,
        "requestId": 0,
        "lockedUntil": "0001-01-01T00:00:00",
        "resources": {
            "endpoints": [
                {
                    "name": "SystemVssConnection",
                    "url": run_service_url,
                    "authorization": {"scheme": "OAuth", "parameters": {"AccessToken": access_token}},
                    "data": {},
                    "isShared": False,
                    "isReady": True,
                }
            ]
        },
        "contextData": {name: context_data(value) for name, value in contexts.items()},
        "variables": variables,
        "maskHints": [],
        "environmentVariables": [token(layer) for layer in _layers(definition["env"])],
        "defaults": [token({"run": layer}) for layer in _layers(definition["defaults"])],
        "jobOutputs": token(definition["outputs"]),
        "steps": [_step(_mapping(step), job_id, index) for index, step in enumerate(_steps(definition))],
        "fileTable": [f".github/workflows/{definition['file']}"],
    }


def _mapping(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _layers(value: Value) -> list[Value]:
    return [layer for layer in value if layer] if isinstance(value, list) else []


def _steps(definition: dict[str, Value]) -> list[Value]:
    steps = definition["steps"]
    return steps if isinstance(steps, list) else []


def _step(step: dict[str, Value], job_id: str, index: int) -> _Json:
    inputs: Value
    if step["run"] is not None:
        reference: _Json = {"type": "script"}
        given = {
            "script": step["run"],
            "shell": step["shell"],
            "workingDirectory": step["working_directory"],
        }
        inputs = {name: value for name, value in given.items() if value is not None}
    else:
        reference = _reference(str(step["uses"]))
        inputs = step["inputs"]
    encoded: _Json = {
        "type": "action",
        "id": str(uuid.uuid5(uuid.UUID(job_id), str(index))),
        "name": step["context_name"],
        "contextName": step["context_name"],
        "reference": reference,
        "condition": step["condition"],
        "inputs": token(inputs),
    }
    optional = {
        "displayNameToken": step["name"],
        "environment": step["env"] or None,
        "continueOnError": step["continue_on_error"],
        "timeoutInMinutes": step["timeout_minutes"],
    }
    encoded |= {name: token(value) for name, value in optional.items() if value is not None}
    return encoded


def _reference(action: str) -> _Json:
    if action.startswith("docker://"):
        return {"type": "containerRegistry", "image": action.removeprefix("docker://")}
    if action.startswith("./"):
        return {"type": "repository", "repositoryType": "self", "path": action}
    name, _, version = action.partition("@")
    owner, repository, *folders = name.split("/")
    return {
        "type": "repository",
        "repositoryType": "GitHub",
        "name": f"{owner}/{repository}",
        "path": "/".join(folders),
        "ref": version,
    }
