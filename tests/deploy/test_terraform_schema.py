"""Every argument, block and type of the Terraform files is one that the provider has; a wrong one would be found."""

import pytest

from tests.deploy import tree
from tests.deploy.mutations import MUTATIONS, Mutation
from tests.deploy.schema_check import faults
from tests.deploy.terraform_program import SCHEMAS, Terraform


@pytest.mark.parametrize("path", tree.FOLDERS)
def test_every_resource_fits_the_providers_schema(path: str) -> None:
    assert [fault for each in tree.folder(path).resources for fault in faults(each, SCHEMAS)] == []


def test_every_schema_that_is_kept_is_used() -> None:
    kept = {
        name
        for provider in SCHEMAS.values()
        for kind in ("resources", "data_sources")
        for name in provider[kind]
    }
    assert kept == {each.type for path in tree.FOLDERS for each in tree.folder(path).resources}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_a_fault_is_found_without_terraform(mutation: Mutation) -> None:
    found = [fault for each in tree.parsed(_mutated(mutation)).resources for fault in faults(each, SCHEMAS)]
    assert any(mutation.named in fault for fault in found), found


@pytest.mark.parametrize("name", [name for name, each in MUTATIONS.items() if each.validated])
def test_terraform_finds_the_same_fault(name: str, terraform: Terraform) -> None:
    mutation = MUTATIONS[name]
    file = terraform.tree / mutation.file
    whole = file.read_text()
    file.write_text(_mutated(mutation))
    try:
        done = terraform.run(mutation.file.rpartition("/")[0], "validate", "-no-color")
    finally:
        file.write_text(whole)
    assert done.returncode == 1
    assert mutation.named in done.stderr


def test_a_resource_without_a_schema_is_a_fault() -> None:
    (resource,) = tree.parsed('resource "google_unheard_of" "it" {}').resources
    assert "no schema was extracted" in faults(resource, SCHEMAS)[0]


def _mutated(mutation: Mutation) -> str:
    whole = (tree.TERRAFORM / mutation.file).read_text()
    assert mutation.before in whole, "the mutation's own text is out of date"
    return whole.replace(mutation.before, mutation.after, 1)
