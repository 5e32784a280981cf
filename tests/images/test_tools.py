"""What this room says on a machine that cannot run it; needs nothing itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.bases import ROOT
from tests.images.tools import TOOLS, missing_for_images


def with_tools(folder: Path, *names: str) -> str:
    """A PATH on which only these programs are."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("lacking", TOOLS)
def test_a_missing_tool_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str
) -> None:
    monkeypatch.setenv("PATH", with_tools(tmp_path, *(tool for tool in TOOLS if tool != lacking)))
    said = missing_for_images() or ""
    assert said.startswith(f"these tests need {lacking}, which this machine does not have")
    assert ".ci/install-image-tools" in said


def test_another_account_than_root_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", with_tools(tmp_path, *TOOLS))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "as root" in (missing_for_images() or "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert missing_for_images() is None


@pytest.mark.parametrize(("ci", "verdict"), [("", "2 skipped"), ("true", "2 errors")])
def test_the_room_is_skipped_without_its_tools_but_never_on_ci(tmp_path: Path, ci: str, verdict: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/images/test_scaler_image.py"],
        cwd=ROOT,
        env={**os.environ, "PATH": with_tools(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verdict in done.stdout, done.stdout + done.stderr
    assert "buildah, podman, runc, debootstrap" in done.stdout
