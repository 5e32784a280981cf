"""Terraform's own word on the modules and examples: format, validity, and what they make of their inputs."""

import shutil
import subprocess

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
