"""One copy of the Terraform files for all tests of the room."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.terraform_program import WITHOUT, Terraform, terraform_in


@pytest.fixture(scope="session")
def terraform() -> Iterator[Terraform]:
    if shutil.which("terraform") is None:
        pytest.skip(WITHOUT)
    with tempfile.TemporaryDirectory(prefix="tf-") as scratch, terraform_in(Path(scratch)) as program:
        yield program
