"""A real agent as a child process, with a stub scaler and a runner of the test's choice."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner_agent.process_tree import read_process
from tests.process.stub_scaler import SECRET, StubScaler

ROOT = Path(__file__).parents[2]
BAD_RUNNER = Path(__file__).with_name("bad_runner.py")
ALTERED_AGENT = Path(__file__).with_name("altered_agent.py")


class AgentProcess:
    """A running agent: its log, its exit code, its runner's processes."""

    def __init__(self, process: subprocess.Popen[bytes], pid_file: Path) -> None:
        self.process = process
        self.pid_file = pid_file
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode())

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The log so far; every line must be a JSON object."""
        return [json.loads(line) for line in list(self.lines)]

    @property
    def messages(self) -> list[str]:
        """What the log says."""
        return [entry["message"] for entry in self.entries]

    def wait(self, within: float = 15.0) -> int:
        """The exit code, waited for; fails with the log."""
        try:
            code = self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the agent is still there after {within} s; its log: {self.lines}"
            ) from None
        self._reader.join(timeout=5)
        return code

    def terminate(self) -> float:
        """Send SIGTERM; returns when (monotonic)."""
        at = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return at

    def runner_pids(self) -> list[int]:
        """Every process that the runner has noted."""
        if not self.pid_file.exists():
            return []
        return [int(line) for line in self.pid_file.read_text().split()]

    def runner_processes_left(self) -> list[int]:
        """Those of them that live."""
        found = [(pid, read_process(pid)) for pid in self.runner_pids()]
        return [pid for pid, process in found if process is not None and process.lives]


def until(fact: Callable[[], object], what: str, *, within: float = 10.0) -> None:
    """Wait for a fact; fails with what was last seen."""
    ends_at = time.monotonic() + within
    while not (seen := fact()):
        assert time.monotonic() < ends_at, f"{what}: not within {within} s; last seen: {seen!r}"
        time.sleep(0.01)


def agent_environment(scaler: StubScaler, command: Sequence[str], home: Path) -> dict[str, str]:
    """The settings of a leased agent whose runner is its own account."""
    return {
        "PATH": os.environ["PATH"],
        "RUNNER_POOL_SCALER_URL": f"http://{scaler.address}",
        "RUNNER_POOL_CELL": "linux-a1",
        "RUNNER_POOL_CELL_SECRET": SECRET,
        "RUNNER_POOL_RUNNER_COMMAND": shlex.join(command),
        "RUNNER_POOL_RUNNER_HOME": str(home),
        "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
        "RUNNER_POOL_ALLOW_SAME_USER": "yes",
        "GCE_METADATA_HOST": scaler.address,
    }


def runner_command(home: Path, *steps: str) -> list[str]:
    """A bad runner that does these steps."""
    return [sys.executable, "-I", "-S", str(BAD_RUNNER), str(home / "pids"), *steps]


@contextmanager
def running_agent(
    scaler: StubScaler,
    home: Path,
    *steps: str,
    settings: Mapping[str, str] | None = None,
    timing: Mapping[str, float] | None = None,
    fault_at: str | None = None,
    command: Sequence[str] | None = None,
    as_uid: int | None = None,
    before: Sequence[str] = (),
) -> Iterator[AgentProcess]:
    """An agent whose runner does `steps`; whatever it leaves behind is killed at the end of the block.

    `before`: words in front of the agent's command line, for a program that starts it in a special way.
    """
    environment = agent_environment(scaler, command or runner_command(home, *steps), home)
    environment |= settings or {}
    program = ["-m", "runner_agent"]
    if timing or fault_at or as_uid is not None:
        program = [str(ALTERED_AGENT)]
        environment |= {"AGENT_TIMING": json.dumps(timing or {}), "AGENT_FAULT_AT": fault_at or ""}
        environment["AGENT_UID"] = "" if as_uid is None else str(as_uid)
        environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [*before, sys.executable, *program],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    agent = AgentProcess(process, home / "pids")
    try:
        yield agent
    finally:
        process.kill()
        process.wait()
        for pid in agent.runner_processes_left():
            os.kill(pid, signal.SIGKILL)
        if process.stdout is not None:
            agent._reader.join(timeout=5)
            process.stdout.close()
