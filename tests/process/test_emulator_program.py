"""The emulator as a program: command line, announcement, endings."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.main import EXIT_PART_FAILED, Settings, run, settings_from
from tests.emulator_process import running_emulator
from tests.emulator_with_silent_github import SilentGitHub

MODULE = "tests.emulator_with_silent_github"


def test_the_announcement_names_both_worlds_on_standard_output(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        MODULE,
        "--state-dir",
        str(tmp_path),
        "--project",
        "other",
        "--region",
        "europe-west1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
    assert set(announced) == {"github_url", "github_api_url", "cloud_url", "project", "region", "pid"}
    assert (announced["project"], announced["region"], announced["pid"]) == (
        "other",
        "europe-west1",
        process.pid,
    )
    assert announced["github_api_url"] == announced["github_url"] + "/api/v3"


def test_the_real_program_answers_on_both_ports(tmp_path: Path) -> None:
    """With the stand-in GitHub, not with the tests' silent one; each side has its faults of the command line."""
    faults = ("--fault", "runner-dies=3", "--fault", "cpu-quota=0.5")
    with running_emulator(tmp_path / "world", arguments=faults) as world:
        doors = (world.github.http, world.cloud.http)
        seen = [door.get("/_control/faults").json() for door in doors]
        assert [list(side["faults"]) for side in seen] == [["runner-dies"], ["cpu-quota"]]
        assert {frozenset(side) for side in seen} == {frozenset({"faults", "struck", "catalogue"})}
        assert world.github.setup()["organization"] == "acme"
        assert world.github.jobs() == []
        assert world.cloud.instances() == []
        assert world.github.http.get("/api/v3/rate_limit").status_code == 401


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "emulator", "--state-dir", str(tmp_path), "--cloud-port", port],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
    assert ended.returncode == 2
    assert "A port is not free" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [
    [], ["--state-dir"], ["--state-dir", "x", "--time-factor", "-1"], ["--state-dir", "x", "--time-factor", "nan"],
    ["--state-dir", "x", "--time-factor", "fast"], ["--state-dir", "x", "--seed", "y"], ["--state-dir", "x", "--unknown"],
])  # fmt: skip
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        settings_from(arguments)
    assert ending.value.code == 2
    assert "usage: python -m emulator" in capsys.readouterr().err


def test_a_part_that_breaks_ends_the_program_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a world would only confuse: all or nothing."""

    class BrokenGitHub(SilentGitHub):
        def __init__(self, a: Settings, b: Callable[[], float], c: Callable[[], str]) -> None:
            super().__init__(a, b, c)

        async def run(self) -> None:
            await asyncio.sleep(0)
            raise RuntimeError("out of order")

    settings = settings_from(["--state-dir", str(tmp_path), "--announce", str(tmp_path / "announcement")])
    assert run(settings, environment=os.environ, github_factory=BrokenGitHub) == EXIT_PART_FAILED
    assert "the stand-in GitHub ended by itself: out of order" in capsys.readouterr().err
