"""Folders, contexts and environment variables of a job. Pure but for the folders it is told to make.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from emulator.runner.broker import ARCHITECTURE, OS
from emulator.workflow.values import Value, as_text

# The keys of the `github` context that every step also finds in its environment (GitHubContext.cs).
_EXPOSED = frozenset(
    {
        *("action", "action_path", "action_ref", "action_repository", "actor", "actor_id", "api_url"),
        *("base_ref", "env", "event_name", "event_path", "graphql_url", "head_ref", "job", "output"),
        *("path", "ref", "ref_name", "ref_protected", "ref_type", "repository", "repository_id"),
        *("repository_owner", "repository_owner_id", "retention_days", "run_attempt", "run_id"),
        *("run_number", "server_url", "sha", "state", "step_summary", "triggering_actor", "workflow"),
        *("workflow_ref", "workflow_sha", "workspace"),
    }
)


class Folders(NamedTuple):
    """Where a job works; all absolute."""

    workspace: str
    pipeline: str  # the workspace's parent, RUNNER_WORKSPACE
    temporary: str
    tools: str

    @classmethod
    def made(cls, work: str, repository: str) -> Self:
        """Makes the folders below the runner's work folder. `repository`: owner/name."""
        name = repository.rpartition("/")[2] or "workspace"
        pipeline = os.path.join(work, name)
        folders = cls(
            workspace=os.path.join(pipeline, name),
            pipeline=pipeline,
            temporary=os.path.join(work, "_temp"),
            tools=os.path.join(work, "_tool"),
        )
        for path in folders:
            os.makedirs(path, exist_ok=True)
        return folders


def runner_context(folders: Folders, *, name: str) -> dict[str, Value]:
    """The `runner` context."""
    return {
        "os": OS,
        "arch": ARCHITECTURE,
        "name": name,
        "environment": "self-hosted",
        "temp": folders.temporary,
        "tool_cache": folders.tools,
        "workspace": folders.pipeline,
    }


def secrets_of(variables: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    """The `secrets` context out of a job message's variables."""
    found: dict[str, Value] = {}
    for name, variable in variables.items():
        if name.lower() == "system.github.token":
            found["GITHUB_TOKEN"] = str(variable.get("value") or "")
        elif variable.get("isSecret") and not name.lower().startswith("system."):
            found[name] = str(variable.get("value") or "")
    return found


def step_environment(
    inherited: Mapping[str, str],
    *,
    env: Mapping[str, Value],
    github: Mapping[str, Value],
    runner: Mapping[str, Value],
    tracking: tuple[str, str],
    path: list[str],
) -> dict[str, str]:
    """All variables of a step's process. `path`: folders that steps have put before PATH, newest last."""
    found = dict(inherited)
    found.setdefault("CI", "true")
    found["GITHUB_ACTIONS"] = "true"
    found |= {name: as_text(value) for name, value in env.items()}
    found |= {f"GITHUB_{name.upper()}": as_text(value) for name, value in github.items() if name in _EXPOSED}
    found |= {f"RUNNER_{name.upper()}": as_text(value) for name, value in runner.items()}
    found[tracking[0]] = tracking[1]
    if path:
        found["PATH"] = os.pathsep.join([*reversed(path), found.get("PATH", os.defpath)])
    return found
