"""A container of the runner's image that is started again on the file system of its first job."""

import json
import subprocess
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.images.conftest import Images
from tests.images.tools import CAPABILITIES
from tests.process.stub_scaler import SECRET, StubScaler

pytestmark = pytest.mark.timeout(900)

JOB = """#!/bin/sh
echo "found: $(cat /home/runner/left 2>&1) $(ls /home/runner/_work)"
echo left by a job > /home/runner/left
mkdir -p /home/runner/_work/closed/in && chmod 0 /home/runner/_work/closed
rm -f /opt/runner-pool/used 2> /dev/null || echo "mark: out of reach"
echo "2026-09-16 15:14:46Z: Listening for Jobs"
echo "2026-09-16 15:14:47Z: Running job: b"
echo "2026-09-16 15:14:48Z: Job b completed with result: Succeeded"
"""


def started(images: Images, *words: str) -> list[str]:
    """What a container that ends with a served job said."""
    done = subprocess.run(
        [*images.engine.podman_command(), *words],
        env=images.engine.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == ExitReason.FINISHED.value, done.stdout + done.stderr
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]


def test_a_container_that_is_started_again_knows_it(images: Images, tmp_path: Path) -> None:
    """And finds its work folder empty, whatever the first job has closed in there; the rest it can only tell of."""
    runner = tmp_path / "job.sh"
    runner.write_text(JOB)
    with StubScaler().serving() as scaler:
        settings = {
            "RUNNER_POOL_SCALER_URL": f"http://{scaler.address}",
            "RUNNER_POOL_CELL": "linux-a1",
            "RUNNER_POOL_CELL_SECRET": SECRET,
            "RUNNER_POOL_RUNNER_COMMAND": "/bin/sh /job.sh",
            "GCE_METADATA_HOST": scaler.address,
        }
        options = [
            "--name=used",
            "--pull=never",
            "--network=host",
            "--cap-drop=all",
            *(f"--cap-add={name}" for name in CAPABILITIES),
            f"--volume={runner}:/job.sh:ro",
            *(f"--env={name}={value}" for name, value in settings.items()),
        ]
        first = started(images, "run", *options, images.runner)
        again = started(images, "start", "--attach", "used")
    images.engine.podman("rm", "used")
    assert "found: cat: /home/runner/left: No such file or directory" in " ".join(first)
    assert not any("is not fresh" in message for message in first)
    assert "mark: out of reach" in first
    assert "found: left by a job " in again
    assert len([message for message in again if "so it is not fresh" in message]) == 1
