"""An image that has setuid programs again, as a package may bring them: what the agent's word is worth without the platform's."""

import subprocess
from pathlib import Path

import pytest

from tests.images.conftest import Images
from tests.images.image_world import image_world

pytestmark = pytest.mark.timeout(900)

RAISED = "localhost/runner-pool/raised"
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
RUN chmod u+s /usr/bin/sudo && install --mode=4755 /usr/bin/id /usr/local/bin/raised-id
"""
TRY = 'echo "raised: $(raised-id -u)"; echo "sudo: $(sudo -n id -u 2>&1 | tr "[:space:]" " ")"'
WORKFLOW = f"""
name: raised
on: push
jobs:
  raise:
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          {TRY}
"""


def test_a_setuid_program_in_the_image_gives_a_step_nothing(images: Images, tmp_path: Path) -> None:
    """In the same container, without the agent before it, both programs make their caller root."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    images.engine.build(tmp_path / "Dockerfile", tmp_path, tag=RAISED, base=images.runner)
    shell = ["--user=runner", "--entrypoint=/bin/sh", RAISED, "-c", TRY]
    alone = subprocess.run(
        [*images.engine.cell_command(), *shell], capture_output=True, text=True, timeout=60, check=True
    )
    assert alone.stdout.split("\n") == ["raised: 0", "sudo: 0 ", ""], "or else this test could not fail"
    with image_world(tmp_path / "w", images, sizes=(1,), image=RAISED) as world:
        world.push(WORKFLOW)
        (job,) = world.all_completed(1)
        assert job["conclusion"] == "success", f"{job}\n{world.instance_logs()}"
        lines = job["log"].splitlines()
        assert "raised: 1001" in lines, job["log"]
        assert any(line.startswith("sudo: ") and "no new privileges" in line for line in lines), job["log"]
