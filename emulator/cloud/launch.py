"""From a revision's template to a command line and an environment. Pure.

https://cloud.google.com/run/docs/container-contract. The image is not looked at: there is no registry here, so the
command must stand in the template, unless `container_engine` runs images.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

INHERITED_ENVIRONMENT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "PYTHONDONTWRITEBYTECODE",
)
"""What a container's image would bring; nothing else of the emulator's environment reaches an instance."""

SECRET_NAME = re.compile(r"(?:projects/(?P<project>[^/]+)/secrets/)?(?P<secret>[^/]+)")

SecretValue = Callable[[str, str, str], str | None]
"""(project, secret, version) -> its text, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """What to execute for one instance."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: str | None
    service_account: str | None
    variables: frozenset[str] = frozenset()
    """The names in `environment` that are the container's own, not what an image would bring."""


def obstacle_to_launch(
    template: Mapping[str, Any],
    *,
    project: str,
    secret_exists: Callable[[str, str], bool],
    images_run: bool = False,
) -> str | None:
    """Why no container of this template can start; None when nothing is in the way."""
    container = template["containers"][0]
    if not images_run and not container.get("command"):
        return (
            "Revision is not ready. The container has no command; the stand-in cloud ignores the image and starts "
            "template.containers[0].command with its args: set the command."
        )
    if len(template["containers"]) > 1:
        return (
            "Revision is not ready. The stand-in cloud starts one container an instance: remove the sidecars."
        )
    for variable in container.get("env", []):
        if "valueSource" in variable:
            owner, secret, _ = _secret_reference(variable, project=project)
            if not secret_exists(owner, secret):
                return f"Revision is not ready. Secret projects/{owner}/secrets/{secret} was not found."
    return None


def milli_cpu(template: Mapping[str, Any]) -> int:
    """Thousandths of a CPU that one instance is given: `2` and `2000m` are both 2000, and 1000 is the default."""
    limit = str(template["containers"][0].get("resources", {}).get("limits", {}).get("cpu", "1"))
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", limit)
    if match is None:
        return 1000
    return int(float(match[1]) * (1 if match[2] else 1000))


def process_plan(
    template: Mapping[str, Any],
    *,
    project: str,
    worker_pool: str,
    revision: str,
    instance: str,
    metadata_host: str,
    inherited: Mapping[str, str],
    secret_value: SecretValue,
) -> ProcessPlan:
    """The process of one instance of a template that `obstacle_to_launch` has nothing against."""
    container = template["containers"][0]
    environment = {name: inherited[name] for name in INHERITED_ENVIRONMENT if name in inherited}
    own = dict(_variables(container, project=project, secret_value=secret_value)) | {
        "CLOUD_RUN_WORKER_POOL": worker_pool,
        "CLOUD_RUN_WORKER_POOL_REVISION": revision,
        "GCE_METADATA_HOST": metadata_host,
        # Where Google's libraries look to learn whether they run on Google Cloud at all.
        "GCE_METADATA_IP": metadata_host,
        "EMULATOR_INSTANCE": instance,
    }
    return ProcessPlan(
        command=(*container.get("command", ()), *container.get("args", ())),
        environment=environment | own,
        variables=frozenset(own),
        working_directory=container.get("workingDir") or None,
        service_account=template.get("serviceAccount") or None,
    )


def _variables(
    container: Mapping[str, Any], *, project: str, secret_value: SecretValue
) -> Iterator[tuple[str, str]]:
    for variable in container.get("env", []):
        if "valueSource" in variable:
            # A secret that was removed since the revision was made leaves the variable empty.
            yield variable["name"], secret_value(*_secret_reference(variable, project=project)) or ""
        else:
            yield variable["name"], variable.get("value", "")


def _secret_reference(variable: Mapping[str, Any], *, project: str) -> tuple[str, str, str]:
    reference = variable["valueSource"]["secretKeyRef"]
    match = SECRET_NAME.fullmatch(reference["secret"])
    if match is None:
        return project, reference["secret"], "latest"
    return match["project"] or project, match["secret"], reference.get("version") or "latest"
