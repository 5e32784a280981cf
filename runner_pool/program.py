"""One child program of the demo's world: start it, notice its death, end it. Knows no protocol and no vendor.

Each program gets a session of its own, so that Ctrl-C in the terminal reaches only the command, which
then ends the programs in the right order; and a tether, so that it also ends when the command is killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner_pool import errors

_TAIL_LINES = 12


class Program:
    """A running child program whose output goes to a file."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> None:
        """Start `command`; `name` is what messages call it, `log` receives its standard output and error."""
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "runner_pool.tether", str(os.getpid()), *command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how the program ended (negative: by that signal), or None while it runs."""
        return self._process.poll()

    def require_alive(self) -> None:
        """Raise WorldError with the end of the program's output when it has ended."""
        code = self.exit_code()
        if code is not None:
            raise errors.WorldError(
                f"{self.name} has ended before its time, with {_ending(code)}",
                cause=f"its last lines were:\n{self.last_lines()}",
                remedy="run the demo again; if it happens twice, report it together with these lines",
            )

    def last_lines(self) -> str:
        """Return the end of the program's output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:]) or "(it wrote nothing)"

    def stop(self, *, grace_seconds: float) -> int:
        """End the program, return its code: SIGTERM, the grace, then SIGKILL to its session; idempotent."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def kill(self) -> None:
        """End the program at once with SIGKILL, as a crash would; its children are not informed."""
        self._process.kill()
        self._process.wait()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
