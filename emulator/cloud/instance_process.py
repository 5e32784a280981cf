"""One instance's processes, seen from the emulator: start them under their init, end them, learn of their end.

Must not know worlds or worker pools. Linux only (pidfd, /proc, subreaper).
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from emulator.cloud import instance_init
from emulator.cloud.launch import ProcessPlan

INIT_PROGRAM = instance_init.__file__
OnStarted = Callable[[int], None]
OnEnded = Callable[[int | None, int | None], None]


class InstanceProcess:
    """Started by `start`; `on_started(pid)` and `on_ended(exit_code, signal)` are called once each, in this order.

    `on_ended` comes when nothing of the instance is left. The return code is unknown (None, None) only when the
    instance's init was killed from outside.
    """

    def __init__(self, *, pid: int, control: socket.socket, on_started: OnStarted, on_ended: OnEnded) -> None:
        self.pid = pid
        self.ended = asyncio.Event()
        self._control = control
        self._unread = b""
        self._returncode: int | None = None
        self._on_started = on_started
        self._on_ended = on_ended
        self._pidfd = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(control, self._read)
        loop.add_reader(self._pidfd, self._reap)

    @classmethod
    def start(
        cls, plan: ProcessPlan, *, directory: Path, log: Path, on_started: OnStarted, on_ended: OnEnded
    ) -> "InstanceProcess":
        """Needs a running event loop. A command that cannot be executed ends with 127, its reason in the log."""
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.posix_spawn(
                sys.executable,
                [
                    sys.executable,
                    "-I",
                    "-S",
                    INIT_PROGRAM,
                    plan.working_directory or str(directory),
                    *plan.command,
                ],
                dict(plan.environment),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), instance_init.CONTROL_FD),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            )
        ours.setblocking(False)
        return cls(pid=pid, control=ours, on_started=on_started, on_ended=on_ended)

    def terminate(self) -> None:
        """SIGTERM to the main process."""
        self._tell(b"term\n")

    def kill(self) -> None:
        """SIGKILL to everything."""
        self._tell(b"kill\n")

    def _tell(self, order: bytes) -> None:
        # A closed socket says that the instance is ending already.
        with contextlib.suppress(OSError):
            self._control.send(order)

    def _read(self) -> None:
        try:
            received = self._control.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            received = b""
        if not received:
            asyncio.get_running_loop().remove_reader(self._control)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            if word == b"started":
                self._on_started(int(number))
            elif word == b"ended":
                self._returncode = int(number)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        os.waitpid(self.pid, 0)
        self._read()  # the last words were written before the end
        loop.remove_reader(self._control)
        self._control.close()
        self.ended.set()
        code = self._returncode
        self._on_ended(
            code if code is None or code >= 0 else None, -code if code is not None and code < 0 else None
        )


def adopt_orphans() -> None:
    """Makes this process the parent of what an init that was killed from outside leaves behind."""
    instance_init.become_subreaper()


def end_strays(inits: Sequence[int]) -> None:
    """Kills and reaps children of ours that carry an instance's mark and stand under no living init."""
    for pid in instance_init.children(os.getpid()):
        if pid in inits or not _is_marked(pid):
            continue
        for member in [pid, *instance_init.descendants(pid)]:
            instance_init.send_signal(member, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _is_marked(pid: int) -> bool:
    try:
        return b"EMULATOR_INSTANCE=" in Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
