"""`uses:`: what does nothing and says so, and what fails its step."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.runner.actions import ActionError, run_action


def said(name: str, tmp_path: Path) -> list[str]:
    """What the action writes into the job's log."""
    lines: list[str] = []
    run_action(name, {}, source=None, workspace=str(tmp_path), say=lines.append)
    return lines


@pytest.mark.parametrize(
    "name", ["actions/setup-python", "actions/setup-node", "actions/cache", "actions/cache/restore"]
)
def test_tools_and_caches_do_nothing_and_say_so(name: str, tmp_path: Path) -> None:
    (line,) = said(name, tmp_path)
    assert name in line
    assert "does nothing" in line


@pytest.mark.parametrize(
    "name",
    [
        "actions/upload-artifact",
        "actions/download-artifact",
        "actions/cachefoo",
        "actions/setup-",
        "docker/build-push-action",
    ],
)
def test_any_other_action_fails_its_step_with_the_way_out(name: str, tmp_path: Path) -> None:
    """A job that downloads an artifact and gets nothing must not turn green."""
    with pytest.raises(ActionError, match="run:") as refused:
        said(name, tmp_path)
    assert name in str(refused.value)
