"""What the vendor's JSON looks like: worker pools and operations as the v2 API shows them. Pure.

https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools
"""

import copy
from collections.abc import Mapping
from typing import Any

from emulator.cloud.wire import WORKER_POOL_TYPE, etag, timestamp
from emulator.cloud.worker_pool import Operation, Readiness, WorkerPool

DELETED_KEPT_SECONDS = 30 * 24 * 3600.0


def worker_pool_document(pool: WorkerPool) -> dict[str, Any]:
    """The worker pool as JSON. As in proto3's mapping, 64-bit integers are strings and false is left out."""
    condition: dict[str, Any] = {
        "type": "Ready",
        "state": pool.readiness.value,
        "lastTransitionTime": timestamp(pool.condition_since),
    }
    if pool.readiness is Readiness.FAILED:
        condition |= {"message": pool.trouble, "severity": "ERROR"}
    document: dict[str, Any] = {
        **copy.deepcopy(pool.config),
        "name": pool.name,
        "uid": pool.uid,
        "generation": str(pool.generation),
        "createTime": timestamp(pool.created_at),
        "updateTime": timestamp(pool.updated_at),
        "creator": pool.creator,
        "lastModifier": pool.last_modifier,
        "terminalCondition": condition,
        "conditions": [{**condition, "type": "ConfigurationsReady"}],
        "etag": etag(version=pool.version, name=pool.name),
    }
    if pool.observed_generation:
        document["observedGeneration"] = str(pool.observed_generation)
    if pool.changes:
        document["reconciling"] = True
    if pool.latest_created_revision is not None:
        document["latestCreatedRevision"] = f"{pool.name}/revisions/{pool.latest_created_revision}"
    if pool.serving is not None:
        document["latestReadyRevision"] = f"{pool.name}/revisions/{pool.serving.name}"
        document["instanceSplitStatuses"] = [
            {"type": "INSTANCE_SPLIT_ALLOCATION_TYPE_LATEST", "revision": pool.serving.name, "percent": 100}
        ]
    if pool.deleted_at is not None:
        document["deleteTime"] = timestamp(pool.deleted_at)
        document["expireTime"] = timestamp(pool.deleted_at + DELETED_KEPT_SECONDS)
    return document


def published(document: Mapping[str, Any]) -> dict[str, Any]:
    """The worker pool without the fields that the published v2 message lacks.

    Google's own Python client reads operations strictly: an unknown field in one breaks it. So operations are assumed
    to carry the published message only, while the resource itself shows all.
    """
    known = {**document, "scaling": {**document["scaling"]}, "template": {**document["template"]}}
    for field in ("scalingMode", "minInstanceCount", "maxInstanceCount"):
        known["scaling"].pop(field, None)
    known["template"].pop("sandboxes", None)
    known["template"]["containers"] = [
        {key: value for key, value in container.items() if key != "sandboxLauncher"}
        for container in document["template"]["containers"]
    ]
    if "volumes" in known["template"]:
        known["template"]["volumes"] = [_published_volume(volume) for volume in known["template"]["volumes"]]
    return known


def _published_volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    """Without the medium DISK, which the client does not know; where it asks for numbers it can be told."""
    if volume.get("emptyDir", {}).get("medium") != "DISK":
        return dict(volume)
    return {
        **volume,
        "emptyDir": {key: value for key, value in volume["emptyDir"].items() if key != "medium"},
    }


def operation_document(operation: Operation) -> dict[str, Any]:
    """google.longrunning.Operation; metadata and response are both a WorkerPool."""
    document: dict[str, Any] = {
        "name": operation.name,
        "metadata": {"@type": WORKER_POOL_TYPE, **published(operation.metadata)},
    }
    if operation.done:
        document["done"] = True
    if operation.response is not None:
        document["response"] = {"@type": WORKER_POOL_TYPE, **published(operation.response)}
    if operation.error is not None:
        document["error"] = {"code": operation.error.rpc_code, "message": operation.error.message}
    return document
