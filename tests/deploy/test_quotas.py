"""The smallest deployment fits what a young project may start, and the larger example says what it needs."""

import math

from tests.deploy import tree
from tests.deploy.made import State, resources
from tests.deploy.terraform_program import Terraform

# In a region, services and worker pools together: docs/reference/fidelity.md
YOUNG_VCPU, YOUNG_GIB, YOUNG_INSTANCE_DISK_GB = 20, 40, 10
SCALERS = 2  # while one replaces the other


def gib(written: str) -> float:
    return float(written.removesuffix("Gi")) if written.endswith("Gi") else float(written[:-2]) / 1024


def machine(template: State) -> tuple[float, float, float]:
    """vCPU, GiB of memory and GiB of disks of one instance, all its containers together."""
    limits = [container["resources"][0]["limits"] for container in template["containers"]]
    disks = [
        disk for volume in template["volumes"] for disk in volume["empty_dir"] if disk["medium"] == "DISK"
    ]
    return (
        sum(float(each["cpu"]) for each in limits),
        sum(gib(each["memory"]) for each in limits),
        sum(gib(disk["size_limit"]) for disk in disks),
    )


def needs(state: State, most: dict[str, int]) -> tuple[float, float, float]:
    """The same of everything at once: each pool at its `max`, and the scaler beside its successor."""
    cells = {
        each["values"]["labels"]["runner-pool-pool"]: machine(each["values"]["template"][0])
        for each in resources(state, "google_cloud_run_v2_worker_pool")
    }
    assert cells.keys() == most.keys()
    (scaler,) = resources(state, "google_cloud_run_v2_service")
    parts = [(SCALERS, machine(scaler["values"]["template"][0]))]
    parts += [(most[pool], each) for pool, each in cells.items()]
    vcpu, memory, disk = (sum(number * each[part] for number, each in parts) for part in range(3))
    return vcpu, memory, disk


def test_the_minimal_example_reaches_its_max_in_a_young_project(terraform: Terraform) -> None:
    vcpu, memory, disk = needs(terraform.states("examples/minimal")["second"], {"linux": 8})
    assert vcpu <= YOUNG_VCPU
    assert memory <= YOUNG_GIB
    assert (vcpu, memory, disk) == (16 + 2, 32 + 1, 0)
    page = (tree.ROOT / "docs/how-to/install.md").read_text()
    assert "| this example: 8 instances of 2 vCPU and 4 GiB | 16 + 2 | 32 + 1 |" in page


def test_the_example_with_two_pools_says_what_quota_it_needs(terraform: Terraform) -> None:
    state = terraform.states("examples/two_pools")["second"]
    vcpu, memory, disk = needs(state, {"linux": 40, "gpu": 4})
    said = (tree.TERRAFORM / "examples/two_pools/main.tf").read_text()
    assert f"{vcpu:.0f} vCPU, {math.ceil(memory)} GiB of memory, {disk:.0f} GB of disks and 4 GPUs" in said


def test_no_example_gives_an_instance_more_disk_than_a_young_project_has(terraform: Terraform) -> None:
    for example in ("examples/minimal", "examples/two_pools"):
        for each in resources(terraform.states(example)["second"], "google_cloud_run_v2_worker_pool"):
            assert machine(each["values"]["template"][0])[2] <= YOUNG_INSTANCE_DISK_GB
