"""The image that the page tells people to derive: built from the page itself, and used by a job."""

import re
from pathlib import Path

import pytest

from tests.images.bases import ROOT
from tests.images.conftest import Images
from tests.images.image_world import image_world

pytestmark = pytest.mark.timeout(900)

DERIVED = "localhost/runner-pool/derived"
WORKFLOW = """
name: tool
on: push
jobs:
  tool:
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          printf 'all:\\n\\t@echo made by make\\n' | make --file=-
"""


def test_a_job_uses_the_tool_that_the_pages_example_adds(images: Images, tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/images.md").read_text()
    (example,) = re.findall(r"```dockerfile\n(.*?)```", page, re.DOTALL)
    (tmp_path / "Dockerfile").write_text(example)
    images.engine.build(tmp_path / "Dockerfile", tmp_path, tag=DERIVED, base=images.runner)
    with image_world(tmp_path / "w", images, sizes=(1,), image=DERIVED) as world:
        world.push(WORKFLOW)
        (job,) = world.all_completed(1)
        assert (job["conclusion"], "made by make" in job["log"].splitlines()) == ("success", True), job
