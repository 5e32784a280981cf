"""Terraform's own word on the modules and examples: format, validity, and what they make of their inputs."""

import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.deploy import tree
from tests.deploy.terraform_program import WITHOUT, Terraform


@pytest.mark.skipif(shutil.which("terraform") is None, reason=WITHOUT)
def test_the_files_are_in_terraforms_own_format(terraform: Terraform) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(tree.TERRAFORM)],
        env=dict(terraform.environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", tree.FOLDERS)
def test_terraform_calls_it_valid(folder: str, terraform: Terraform) -> None:
    done = terraform.run(folder, "validate", "-no-color")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", tree.FOLDERS)
def test_its_own_tests_pass(folder: str, terraform: Terraform) -> None:
    done = terraform.run(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Success!" in done.stdout
    assert "Success! 0 passed" not in done.stdout


IGNORING = "  lifecycle {\n    ignore_changes = all\n  }\n}\n\nlocals {"


@pytest.mark.parametrize(
    ("alteration", "complaint"),
    [
        (
            lambda text: text.replace(IGNORING, "}\n\nlocals {"),
            "Terraform changed a cell that runner-pool owns",
        ),
        (
            lambda text: text.replace("manual_instance_count = 0", "manual_instance_count = 1"),
            "A new cell must be in manual scaling, at zero, and protected",
        ),
        (
            lambda text: text.replace(
                "runner-pool-size       = tostring(each.value)", 'runner-pool-size = "1"'
            ),
            "The labels are not those of docs/reference/cells.md",
        ),
        (
            lambda text: text.replace("cell_secret[each.key]", 'cell_secret["ci-linux-1"]'),
            "Two cells share a secret",
        ),
        (
            lambda text: text.replace('"serviceAccount:${var.scaler_account}"', '"allUsers"'),
            "Somebody else than the scaler may act as the runners",
        ),
    ],
    ids=["cells are changed", "count 1", "one size", "one secret", "all may act"],
)
def test_its_own_tests_fail_on_what_they_guard(
    alteration: Callable[[str], str], complaint: str, terraform: Terraform
) -> None:
    file = terraform.tree / "modules/runner_pool/main.tf"
    whole = file.read_text()
    assert alteration(whole) != whole
    file.write_text(alteration(whole))
    try:
        done = terraform.run("modules/runner_pool", "test", "-no-color")
    finally:
        file.write_text(whole)
    assert done.returncode == 1
    assert complaint in done.stderr
