"""Make the cells of a pool: worker pools with the labels, template and secret that scaler and agent expect.

Speaks Google's Admin API v2 over plain REST: the official client costs a third of a second and 60 MB at
import, which a demo and each test of it would pay. I start no instance: every cell is made with count 0.
Source: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools/create
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from runner_pool import errors

_OPERATION_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell that was made; its secret stands in its template, where the scaler reads it."""

    id: str
    uid: str
    size: int
    secret: str = field(repr=False)


def create_cells(
    *,
    cloud_url: str,
    project: str,
    region: str,
    deployment: str,
    pool: str,
    sizes: Sequence[int],
    command: Sequence[str],
    env: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Cell, ...]:
    """Create one worker pool per entry of `sizes`, each with count 0 and a secret of its own.

    `command` is the container's command line, `env` its variables (RUNNER_POOL_CELL_SECRET is added).
    Returns the cells in the order of `sizes`, when every operation has ended. Raises WorldError.
    """
    parent = f"projects/{project}/locations/{region}"
    account = f"{deployment}-cells@{project}.iam.gserviceaccount.com"
    begun = []
    with httpx.Client(base_url=cloud_url, timeout=30.0, headers=headers, trust_env=False) as http:
        for number, size in enumerate(sizes, start=1):
            name = f"{pool}-s{size}-{number}"
            secret = secrets.token_urlsafe(32)
            labels = {
                "runner-pool-deployment": deployment,
                "runner-pool-pool": pool,
                "runner-pool-size": str(size),
            }
            body = _worker_pool(labels=labels, account=account, command=command, env=env, secret=secret)
            reply = http.post(f"/v2/{parent}/workerPools", params={"workerPoolId": name}, json=body)
            begun.append((name, size, secret, _body(reply)))
        return tuple(
            Cell(
                id=name,
                uid=_result(http, operation, sleep=sleep, clock=clock)["uid"],
                size=size,
                secret=secret,
            )
            for name, size, secret, operation in begun
        )


def _worker_pool(
    *,
    labels: Mapping[str, str],
    account: str,
    command: Sequence[str],
    env: Mapping[str, str],
    secret: str,
) -> dict[str, Any]:
    variables = {**env, "RUNNER_POOL_CELL_SECRET": secret}
    return {
        "labels": dict(labels),
        "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0},
        "template": {
            "serviceAccount": account,
            "containers": [
                {
                    "name": "runner",
                    "image": "runner-pool/runner",
                    "command": list(command[:1]),
                    "args": list(command[1:]),
                    "env": [{"name": name, "value": value} for name, value in variables.items()],
                }
            ],
        },
    }


def _result(
    http: httpx.Client,
    operation: dict[str, Any],
    *,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    deadline = clock() + _OPERATION_DEADLINE_SECONDS
    while not operation.get("done"):
        if clock() > deadline:
            raise errors.WorldError(
                f"a cell was not ready after {_OPERATION_DEADLINE_SECONDS:.0f} s",
                cause=f"the operation {operation['name']} was not done",
            )
        sleep(0.05)
        operation = _body(http.get(f"/v2/{operation['name']}"))
    if "error" in operation:
        raise errors.WorldError("a cell could not be made", cause=str(operation["error"].get("message")))
    result: dict[str, Any] = operation["response"]
    return result


def _body(reply: httpx.Response) -> dict[str, Any]:
    if reply.is_error:
        # The body of the request is not shown: it holds the cell's secret.
        raise errors.WorldError(
            f"the cloud refused to make or show a cell: {reply.status_code}", cause=reply.text[:256]
        )
    body: dict[str, Any] = reply.json()
    return body
