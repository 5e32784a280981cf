"""What a `terraform test` has made, taken apart: its resources, and worker pools and services as Google's API has them."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.rest_form import rest
from tests.deploy.terraform_program import SCHEMAS

State = dict[str, Any]
RESOURCES = SCHEMAS["hashicorp/google"]["resources"]
# Terraform's own, or left to Google and made up by the mock.
NOT_SENT = frozenset(
    {
        "id",
        "project",
        "location",
        "name",
        "deletion_policy",
        "deletion_protection",
        "launch_stage",
        "timeouts",
        "template.vpc_access.network_interfaces.network",
        "template.containers.ports.name",
    }
)


def resources(state: State, kind: str) -> Iterator[State]:
    """Every resource of a kind, in all modules."""
    for module in (state["root_module"], *state["root_module"].get("child_modules", [])):
        yield from (each for each in module.get("resources", []) if each["type"] == kind)


def worker_pool(values: State) -> State:
    """The body of the call that makes a worker pool."""
    return rest(values, RESOURCES["google_cloud_run_v2_worker_pool"], without=NOT_SENT)


def service(values: State) -> State:
    """The body of the call that makes a service."""
    return rest(values, RESOURCES["google_cloud_run_v2_service"], without=NOT_SENT)
