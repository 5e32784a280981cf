"""Stand-in runners as processes of a test: started, watched line by line, and gone when the test ends."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

_T = TypeVar("_T")

LISTENING = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: Listening for Jobs$"


@dataclass(slots=True)
class RunningRunner:
    """One runner. `lines` holds what it printed, on either stream."""

    process: "subprocess.Popen[str]"
    folder: Path
    lines: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_line(self, pattern: str, *, seconds: float = 20.0) -> str:
        """Waits for a line that the pattern matches; fails with what was printed."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                for line in self.lines:
                    if re.search(pattern, line):
                        return line
                if not self.changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"no line {pattern!r} in {seconds} s; printed: {self.lines}")

    def exit_code(self, *, seconds: float = 20.0) -> int:
        """Waits for the end of the front process."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s; printed: {self.lines}") from None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the front process alone."""
        self.process.send_signal(number)

    def pid_of(self, name: str) -> int:
        """The process id of this runner's `Runner.Listener` or `Runner.Worker`."""
        return wait_until(lambda: next(iter(self._pids(name)), None), f"a process {name}")

    def _pids(self, name: str) -> Iterator[int]:
        for pid, command in processes():
            if str(self.folder) in command and f"/bin/{name}\0" in command:
                yield pid

    def said(self, text: str) -> bool:
        """Whether a line with this text was printed."""
        return any(text in line for line in self.lines)


def wait_until(fact: Callable[[], _T | None], what: str, *, seconds: float = 20.0) -> _T:
    """Polls for a fact until it is true; fails with the last thing seen."""
    deadline = time.monotonic() + seconds
    while True:
        seen = fact()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; last seen: {seen!r}")
        time.sleep(0.02)


def processes() -> Iterator[tuple[int, str]]:
    """Every living process with its command line, arguments separated by NUL."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if command:
                yield int(entry), command


@contextmanager
def started_runner(
    folder: Path,
    *arguments: str,
    configuration: str | None = None,
    trap: bool = True,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunningRunner]:
    """A runner whose temporary files lie in `folder`. Fails when a process of it outlives the context."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "RUNNER_ALLOW_RUNASROOT": "1",
        **variables,
    }
    if trap:
        environment["RUNNER_MANUALLY_TRAP_SIG"] = "1"
    if configuration is not None:
        environment["ACTIONS_RUNNER_INPUT_JITCONFIG"] = configuration
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator.runner", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        start_new_session=True,
    )
    runner = RunningRunner(process, folder)
    reader = threading.Thread(target=_read, args=(runner,), daemon=True)
    reader.start()
    try:
        yield runner
        assert process.poll() is not None, f"the front process still runs; printed: {runner.lines}"
        wait_until(lambda: not left(folder) or None, "the end of every process")
        assert not list(folder.glob("runner-*")), "the runner's folder was not removed"
    finally:
        for pid in [process.pid, *left(folder)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        reader.join(5.0)
        assert process.stdout is not None
        process.stdout.close()


def left(folder: Path) -> list[int]:
    """Every living process whose command line names something in the folder."""
    return [pid for pid, command in processes() if f"{folder}/" in command]


def _read(runner: RunningRunner) -> None:
    assert runner.process.stdout is not None
    for line in runner.process.stdout:
        with runner.changed:
            runner.lines.append(line.rstrip("\n"))
            runner.changed.notify_all()
