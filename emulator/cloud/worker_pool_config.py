"""The part of a worker pool that customers write: what is allowed, what a mask changes, what needs a revision.

Pure: JSON in, JSON out. Must not know the state of any worker pool.
https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools
"""

import copy
import re
from collections.abc import Sequence
from typing import Any

from emulator.cloud.errors import InvalidArgumentError
from emulator.cloud.wire import ENUMS, enum_name

WRITABLE = frozenset({
    "description", "labels", "annotations", "client", "clientVersion", "launchStage", "binaryAuthorization", "template",
    "instanceSplits", "scaling", "customAudiences",
})  # fmt: skip
OUTPUT_ONLY = frozenset({
    "name", "uid", "generation", "createTime", "updateTime", "deleteTime", "expireTime", "creator", "lastModifier",
    "observedGeneration", "terminalCondition", "conditions", "latestReadyRevision", "latestCreatedRevision",
    "instanceSplitStatuses", "threatDetectionEnabled", "satisfiesPzs", "reconciling", "etag",
})  # fmt: skip
TEMPLATE_FIELDS = frozenset({
    "revision", "labels", "annotations", "vpcAccess", "serviceAccount", "containers", "volumes", "encryptionKey",
    "serviceMesh", "encryptionKeyRevocationAction", "encryptionKeyShutdownDuration", "nodeSelector",
    "gpuZonalRedundancyDisabled", "sandboxes",
})  # fmt: skip
CONTAINER_FIELDS = frozenset({
    "name", "image", "sourceCode", "command", "args", "env", "resources", "ports", "volumeMounts", "workingDir",
    "livenessProbe", "startupProbe", "readinessProbe", "dependsOn", "baseImageUri", "buildInfo", "sandboxLauncher",
})  # fmt: skip
SCALING_FIELDS = frozenset({"scalingMode", "manualInstanceCount", "minInstanceCount", "maxInstanceCount"})

MASKABLE_INSIDE = {"scaling": SCALING_FIELDS, "template": TEMPLATE_FIELDS}

WITHOUT_REVISION = frozenset({"scaling", "client", "clientVersion"})
"""Changing these makes no revision: https://cloud.google.com/run/docs/configuring/workerpools/manual-scaling. That all
the rest does, labels included, is the severe reading of "any configuration change"."""

RESERVED_ENVIRONMENT = frozenset({
    "CLOUD_RUN_WORKER_POOL", "CLOUD_RUN_WORKER_POOL_REVISION", "GCE_METADATA_HOST", "GCE_METADATA_IP", "EMULATOR_INSTANCE",
})  # fmt: skip
"""The first two are Cloud Run's, the others the stand-in's."""

WORKER_POOL_ID = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
ENVIRONMENT_VALUE_BYTES = 32768
MAX_LABELS = 64
MAX_CONTAINERS = 10

JsonObject = dict[str, Any]


def check_worker_pool_id(worker_pool_id: str) -> None:
    """Raises InvalidArgumentError unless it begins with a letter and has fewer than 50 of a-z, 0-9 and '-'."""
    if not WORKER_POOL_ID.fullmatch(worker_pool_id):
        raise InvalidArgumentError.of_field(
            "worker_pool_id",
            f"'{worker_pool_id}' must use only lowercase letters, digits and hyphens, begin with a letter, "
            "not end with a hyphen, and have fewer than 50 characters.",
        )


def new_config(body: JsonObject) -> JsonObject:
    """The configuration that a full message describes, defaults filled in. Raises InvalidArgumentError."""
    _refuse_unknown(body, WRITABLE | OUTPUT_ONLY, at="worker_pool")
    return _checked({key: copy.deepcopy(value) for key, value in body.items() if key in WRITABLE})


def patched_config(current: JsonObject, body: JsonObject, mask: Sequence[str]) -> JsonObject:
    """`current` with the fields of the mask taken from `body`; an empty mask or '*' replaces everything.

    A field that the mask names and the body lacks goes back to its default. Raises InvalidArgumentError.
    """
    if not mask or list(mask) == ["*"]:
        return new_config(body)
    _refuse_unknown(body, WRITABLE | OUTPUT_ONLY, at="worker_pool")
    result = copy.deepcopy(current)
    for path in mask:
        keys = [_camel(part) for part in path.split(".")]
        if keys[0] in OUTPUT_ONLY:
            continue
        if keys[0] not in WRITABLE:
            raise InvalidArgumentError.of_field("update_mask", f"'{path}' is not a field of a worker pool.")
        if len(keys) > 1 and keys[1] not in MASKABLE_INSIDE.get(keys[0], (keys[1],)):
            raise InvalidArgumentError.of_field("update_mask", f"'{path}' is not a field of a worker pool.")
        _copy_path(source=body, target=result, keys=keys, path=path)
    return _checked(result)


def needs_revision(before: JsonObject, after: JsonObject) -> bool:
    return any(before.get(key) != after.get(key) for key in WRITABLE - WITHOUT_REVISION)


def instance_count(config: JsonObject) -> int:
    """How many instances the configuration asks for. Automatic scaling stays at its minimum here: nobody measures CPU."""
    scaling = config["scaling"]
    if scaling["scalingMode"] == "AUTOMATIC":
        return int(scaling.get("minInstanceCount", 1))
    return int(scaling["manualInstanceCount"])


def _checked(config: JsonObject) -> JsonObject:
    config["launchStage"] = enum_name("launchStage", config.get("launchStage", "GA"))
    if config["launchStage"] not in ENUMS["launchStage"]:
        raise InvalidArgumentError.of_field(
            "worker_pool.launch_stage", f"unknown value {config['launchStage']!r}."
        )
    _check_labels(config.get("labels", {}))
    config["scaling"] = _checked_scaling(config.get("scaling") or {})
    template = config.get("template")
    if not isinstance(template, dict) or not template.get("containers"):
        raise InvalidArgumentError.of_field(
            "worker_pool.template.containers", "at least one container is required."
        )
    _refuse_unknown(template, TEMPLATE_FIELDS, at="worker_pool.template")
    if len(template["containers"]) > MAX_CONTAINERS:
        raise InvalidArgumentError.of_field(
            "worker_pool.template.containers", "at most 10 containers are allowed."
        )
    for index, container in enumerate(template["containers"]):
        _check_container(container, at=f"worker_pool.template.containers[{index}]")
    return config


def _checked_scaling(scaling: Any) -> JsonObject:
    at = "worker_pool.scaling"
    if not isinstance(scaling, dict):
        raise InvalidArgumentError.of_field(at, "must be an object.")
    _refuse_unknown(scaling, SCALING_FIELDS, at=at)
    mode = enum_name("scalingMode", scaling.get("scalingMode", "MANUAL"))
    if mode == "SCALING_MODE_UNSPECIFIED":
        mode = "MANUAL"
    if mode not in ("MANUAL", "AUTOMATIC"):
        raise InvalidArgumentError.of_field(f"{at}.scaling_mode", f"unknown value {mode!r}.")
    counts = {"manualInstanceCount": 1} if mode == "MANUAL" else {}
    for field in ("manualInstanceCount", "minInstanceCount", "maxInstanceCount"):
        if scaling.get(field) is not None:
            counts[field] = _count(scaling[field], at=f"{at}.{field}")
    return {"scalingMode": mode, **counts}


def _count(value: Any, *, at: str) -> int:
    # proto3's JSON mapping lets an integer arrive as a string of digits.
    number = int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value) else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**31:
        raise InvalidArgumentError.of_field(at, f"must be an integer of at least 0, not {value!r}.")
    return number


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, dict) or len(labels) > MAX_LABELS:
        raise InvalidArgumentError.of_field("worker_pool.labels", "must be a map of at most 64 labels.")
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
            raise InvalidArgumentError.of_field(
                "worker_pool.labels",
                f"'{key}': '{value}' may use only lowercase letters, digits, '_' and '-', at most 63.",
            )


def _check_container(container: Any, *, at: str) -> None:
    if not isinstance(container, dict):
        raise InvalidArgumentError.of_field(at, "must be an object.")
    _refuse_unknown(container, CONTAINER_FIELDS, at=at)
    if not isinstance(container.get("image"), str) or not container["image"]:
        raise InvalidArgumentError.of_field(f"{at}.image", "a container image is required.")
    for field in ("command", "args"):
        words = container.get(field, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InvalidArgumentError.of_field(f"{at}.{field}", "must be a list of strings.")
    seen: set[str] = set()
    environment = container.get("env", [])
    if not isinstance(environment, list):
        raise InvalidArgumentError.of_field(f"{at}.env", "must be a list.")
    for index, variable in enumerate(environment):
        _check_variable(variable, seen, at=f"{at}.env[{index}]")


def _check_variable(variable: Any, seen: set[str], *, at: str) -> None:
    name = variable.get("name") if isinstance(variable, dict) else None
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise InvalidArgumentError.of_field(f"{at}.name", "a name without '=' is required.")
    if name in seen:
        raise InvalidArgumentError.of_field(f"{at}.name", f"'{name}' is given twice.")
    seen.add(name)
    if name in RESERVED_ENVIRONMENT:
        raise InvalidArgumentError.of_field(f"{at}.name", f"'{name}' is reserved.")
    if "valueSource" in variable:
        reference = (variable["valueSource"] or {}).get("secretKeyRef") or {}
        if not isinstance(reference.get("secret"), str) or not reference["secret"]:
            raise InvalidArgumentError.of_field(f"{at}.value_source", "a secret is required.")
        return
    value = variable.get("value", "")
    if not isinstance(value, str) or "\0" in value or len(value.encode()) > ENVIRONMENT_VALUE_BYTES:
        raise InvalidArgumentError.of_field(f"{at}.value", "must be text of at most 32768 bytes.")


def _copy_path(*, source: JsonObject, target: JsonObject, keys: Sequence[str], path: str) -> None:
    given: Any = source
    for key in keys[:-1]:
        given = given.get(key) if isinstance(given, dict) else None
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            raise InvalidArgumentError.of_field(
                "update_mask", f"'{path}' leads into a repeated or scalar field."
            )
        target = inner
    if isinstance(given, dict) and keys[-1] in given:
        target[keys[-1]] = copy.deepcopy(given[keys[-1]])
    else:
        target.pop(keys[-1], None)


def _refuse_unknown(given: JsonObject, known: frozenset[str], *, at: str) -> None:
    for key in given:
        if key not in known:
            raise InvalidArgumentError(
                f"Invalid JSON payload received. Unknown name \"{key}\" at '{at}': Cannot find field."
            )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
