"""From the plan of an instance to the call of a container engine that runs the template's image. Pure.

For `--container-engine`: without it the stand-in cloud ignores images and starts commands. Values of variables never stand on a
command line. Volumes of an instance are folders of its own; limits of CPU and memory are the engine command's business.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emulator.cloud.launch import ProcessPlan


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """`command` runs one image in the foreground, hands SIGTERM on to it and ends with its exit code, as `podman run` does."""

    command: tuple[str, ...]

    def contained(
        self,
        plan: ProcessPlan,
        template: Mapping[str, Any],
        *,
        instance: str,
        variables: Collection[str],
        directory: Path,
    ) -> ProcessPlan:
        """The same instance as a container. `variables`: the names of its own, which the engine takes from its environment.

        `directory` is the instance's: each of its volumes is the folder of the volume's name in there.
        """
        container = template["containers"][0]
        words = [*self.command, f"--name={container_name(instance)}"]
        words += [f"--env={name}" for name in sorted(variables)]
        words += [
            f"--volume={directory / mount['name']}:{mount['mountPath']}"
            for mount in container.get("volumeMounts", [])
        ]
        if plan.working_directory is not None:
            words.append(f"--workdir={plan.working_directory}")
        if container.get("command"):
            words.append(f"--entrypoint={json.dumps(container['command'])}")
        words += [container["image"], *container.get("args", [])]
        return replace(plan, command=tuple(words), working_directory=None)


def container_name(instance: str) -> str:
    """What the container of an instance is called at the engine."""
    return f"instance-{instance[:24]}"


def volume_names(template: Mapping[str, Any]) -> Sequence[str]:
    """The volumes of a template that `obstacle_to_containers` has nothing against."""
    return [volume["name"] for volume in template.get("volumes", [])]


def obstacle_to_containers(template: Mapping[str, Any]) -> str | None:
    """Why the image of this template cannot be run here; None when nothing is in the way."""
    container = template["containers"][0]
    if not container.get("image"):
        return "Revision is not ready. The container has no image."
    for volume in template.get("volumes", []):
        if "emptyDir" not in volume:
            return (
                f"Revision is not ready. Volume '{volume.get('name')}' is no emptyDir; the stand-in cloud has no other: "
                "remove it."
            )
    known = set(volume_names(template))
    for mount in container.get("volumeMounts", []):
        if mount.get("name") not in known:
            return f"Revision is not ready. The mounted volume '{mount.get('name')}' is not in the template."
    return None
