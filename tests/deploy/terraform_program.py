"""Terraform itself, run on a copy of `deploy/terraform` beside providers that only know their schemas."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.schema_provider import serving
from tests.deploy.tree import ROOT

SCHEMAS: Mapping[str, Any] = json.loads((ROOT / "tests/schemas/terraform.json").read_text())["providers"]
FOLDERS = ("modules/runner_pool", "modules/scaler", "examples/minimal", "examples/two_pools")
WITHOUT = "terraform is not installed; the tests that read the files with a parser of their own still run"
# Longer than any run here takes, shorter than a test's time limit.
DEADLINE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Terraform:
    """A copy of the modules and examples at `tree`, and the environment in which terraform finds its providers."""

    tree: Path
    environment: Mapping[str, str]

    def run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run terraform in one folder of the copy, after `init` if it is the first time."""
        if arguments[0] != "fmt" and not (self.tree / folder / ".terraform").exists():
            done = self._run(folder, "init", "-backend=false", "-input=false", "-no-color")
            assert done.returncode == 0, done.stdout + done.stderr
        return self._run(folder, *arguments)

    def states(self, folder: str) -> dict[str, dict[str, Any]]:
        """Run the folder's `terraform test`; run's name -> what it has made, as `terraform show -json` would print it."""
        done = self.run(folder, "test", "-json", "-verbose")
        assert done.returncode == 0, done.stdout[-4000:]
        said = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["@testrun"]: line["test_state"] for line in said if line["type"] == "test_state"}

    def _run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.tree / folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )


@contextmanager
def terraform_in(scratch: Path) -> Iterator[Terraform]:
    """Copy `deploy/terraform` below `scratch`, whose path must be short (it holds sockets), and serve the schemas."""
    tree = scratch / "terraform"
    shutil.copytree(
        ROOT / "deploy/terraform", tree, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
    )
    settings = scratch / "terraformrc"
    settings.write_text("disable_checkpoint = true\n")
    with serving(SCHEMAS, scratch) as attached:
        yield Terraform(tree, {**os.environ, **attached, "TF_CLI_CONFIG_FILE": str(settings)})
