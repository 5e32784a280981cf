"""What the pages tell people to write fits what the modules take."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import hcl2
import pytest

from tests.deploy import tree

HOW_TO = tree.ROOT / "docs/how-to"
HCL = re.compile(r"```hcl\n(.*?)```", re.DOTALL)


def written(page: str) -> list[str]:
    return HCL.findall((HOW_TO / page).read_text())


def test_the_variables_of_the_install_page_are_those_of_the_minimal_example() -> None:
    told = {
        name for block in written("install.md") for name in hcl2.loads(block) if not name.startswith("__")
    }
    assert told == set(tree.folder("examples/minimal").variables)


def test_the_address_that_fills_the_form_asks_for_what_the_page_explains_and_no_more() -> None:
    page = (HOW_TO / "install.md").read_text()
    address = re.search(r"^https://github\.com/organizations/\S+$", page, re.MULTILINE)
    assert address is not None
    asked = parse_qs(urlsplit(address[0]).query)
    rights = {name: values for name, values in asked.items() if values[0] in {"read", "write", "admin"}}
    assert rights == {
        "organization_self_hosted_runners": ["write"],
        "actions": ["read"],
        "metadata": ["read"],
    }
    assert asked["events[]"] == ["workflow_job"]
    assert asked["public"] == ["false"]
    for explained in ("| Self-hosted runners, write |", "| Actions, read |", "| Metadata, read |"):
        assert explained in page


@pytest.mark.parametrize("page", ["add-a-pool.md", "gpu.md"])
def test_snippets_for_a_pool_use_inputs_that_the_module_has(page: str) -> None:
    inputs = set(tree.folder("modules/runner_pool").variables)
    for block in written(page):
        if block.startswith("{"):
            continue  # an entry of the scaler's own configuration
        body = tree.parsed(block).modules.get("gpu") or hcl2.loads(block)
        assert {name for name, _ in tree.members(body)} - {"source"} <= inputs


def test_the_names_that_the_install_page_uses_are_those_that_the_example_makes() -> None:
    page = (HOW_TO / "install.md").read_text()
    deployment = re.search(
        r'deployment = "(\w+)"', Path(tree.TERRAFORM / "examples/minimal/main.tf").read_text()
    )
    assert deployment is not None
    for name in ("scaler-app-key", "scaler-webhook"):
        assert f"gcloud secrets versions add {deployment[1]}-{name} " in page
