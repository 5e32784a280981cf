"""Upon which bases the runner's image can be built, and what is said of one that does not do."""

import subprocess
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from tests.images.bases import BARE_BASE, ROOT, RUNNER_BASE
from tests.images.conftest import Images

pytestmark = pytest.mark.timeout(900)

UPON_BARE, SPOILT, UPON_SPOILT = (f"localhost/{name}" for name in ("upon-bare", "spoilt", "upon-spoilt"))
OLDER = """\
ARG BASE
FROM ${BASE}
USER root
RUN mv /usr/bin/python3 /usr/bin/python-new && printf '%s\\n' '#!/bin/sh' \\
      'for code; do :; done; if [ "$code" = -V ]; then echo Python 3.10.12; exit; fi' \\
      'exec /usr/bin/python-new -I -c "import sys; sys.version_info = (3, 10, 12); exec(sys.argv[1])" "$code"' \\
      > /usr/bin/python3 && chmod 0755 /usr/bin/python3
USER runner
"""
PARTIAL = """\
ARG BASE
FROM ${BASE}
USER root
RUN rm -r /usr/lib/python3.*/ctypes
USER runner
"""


def test_a_base_without_python_gets_one_and_its_home_lets_the_agent_pass(images: Images) -> None:
    """Without settings the agent says what it lacks: so it runs."""
    images.engine.build(ROOT / "Dockerfile.runner", ROOT, tag=UPON_BARE, base=BARE_BASE)
    done = subprocess.run(
        [*images.engine.cell_command(), UPON_BARE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ExitReason.BAD_SETTINGS.value, done.stdout + done.stderr
    assert "RUNNER_POOL_SCALER_URL: it is not set" in done.stdout
    home = [
        "--rm",
        "--pull=never",
        "--network=host",
        "--entrypoint=/usr/bin/stat",
        UPON_BARE,
        "-c%a",
        "/home/runner",
    ]
    assert images.engine.podman("run", *home).strip() == "751"


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        (
            OLDER,
            (
                "needs Python 3.11 or newer as /usr/bin/python3, and this base has: Python 3.10.12.",
                "Ubuntu 22.04",
                "Name a newer RUNNER_VERSION",
            ),
        ),
        (PARTIAL, ("No module named 'ctypes'", "python3-minimal", "install the package python3 in the BASE")),
    ],
    ids=["an older Python", "a part of Python"],
)
def test_a_base_whose_python_does_not_do_ends_the_build_with_cause_and_remedy(
    images: Images, tmp_path: Path, dockerfile: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile)
    images.engine.build(tmp_path / "Dockerfile", tmp_path, tag=SPOILT, base=RUNNER_BASE)
    with pytest.raises(AssertionError) as failed:
        images.engine.build(ROOT / "Dockerfile.runner", ROOT, tag=UPON_SPOILT, base=SPOILT)
    for word in words:
        assert word in str(failed.value)
