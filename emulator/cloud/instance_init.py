"""The init of one instance: what a container's PID namespace is on Cloud Run, made of one small process.

`python -I -S instance_init.py DIRECTORY COMMAND [ARG …]`, with the environment of the instance and a socket to the
emulator as file descriptor 3. It starts COMMAND in a session of its own, adopts every orphan (also daemons that left the
session), and when COMMAND ends it kills and reaps all that is left, as the kernel does with a namespace. When the
emulator vanishes, even by SIGKILL, the socket closes and the instance dies with it.

Over the socket: `term` (SIGTERM to COMMAND) and `kill` (SIGKILL to all) come in; `started PID`, and at the end
`ended RETURNCODE` (negative: a signal) go out. Standard library only, and it must not import the emulator.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator, Sequence

CONTROL_FD = 3
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
COMMAND_NOT_FOUND = 127
KILL_AGAIN_SECONDS = 0.05


def main(arguments: Sequence[str]) -> int:
    directory, *command = arguments
    control = socket.socket(fileno=CONTROL_FD)
    control.set_inheritable(False)
    control.setblocking(False)
    # Signals meant for the instance go to COMMAND; its init is not to be ended by them.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    child_ended, wake_writer = socket.socketpair()
    for end in (child_ended, wake_writer):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
    become_subreaper()
    refuse_new_privileges()
    try:
        os.chdir(directory)
        pid = start(command)
    except OSError as error:
        sys.stderr.write(f"The container's command {command[0]!r} could not be started: {error}\n")
        tell(control, f"ended {COMMAND_NOT_FOUND}")
        return 0
    tell(control, f"started {pid}")
    returncode = Watch(pid, control).until_all_ended(child_ended)
    tell(control, f"ended {returncode}")
    return 0


def become_subreaper() -> None:
    """From now on every descendant that loses its parent becomes our child: prctl(2)."""
    prctl(PR_SET_CHILD_SUBREAPER)


def refuse_new_privileges() -> None:
    """ "Use of sudo and setuid binaries are not supported", and nothing can outgrow our signals.

    https://cloud.google.com/run/docs/container-contract#security
    """
    prctl(PR_SET_NO_NEW_PRIVS)


def prctl(option: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, 1, 0, 0, 0) != 0:
        raise OSError(
            ctypes.get_errno(), f"prctl({option}) was refused; the stand-in cloud needs Linux 3.5 or newer"
        )


def start(command: Sequence[str]) -> int:
    return os.posix_spawnp(
        command[0],
        list(command),
        os.environ,
        setsid=True,
        setsigmask=[],
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


class Watch:
    """The life of the main process and of all that it leaves behind."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self.control = control
        self.returncode: int | None = None
        self.killing = False

    def until_all_ended(self, child_ended: socket.socket) -> int:
        """The main process's return code, once nothing of the instance is left."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(child_ended, selectors.EVENT_READ)
            while True:
                self.reap()
                if self.returncode is not None and not has_children():
                    return self.returncode
                if self.killing:
                    for descendant in descendants(os.getpid()):
                        send_signal(descendant, signal.SIGKILL)
                for key, _ in selector.select(KILL_AGAIN_SECONDS if self.killing else None):
                    words = received(key.fileobj)
                    if key.fileobj is self.control:
                        self.obey(words)
                        if not words:
                            selector.unregister(self.control)

    def reap(self) -> None:
        for ended, status in reaped():
            if ended == self.pid:
                self.returncode, self.killing = os.waitstatus_to_exitcode(status), True

    def obey(self, words: bytes) -> None:
        """No words at all: the emulator is gone."""
        if not words or b"kill" in words:
            self.killing = True
        elif self.returncode is None:  # not reaped, so that the pid is still its own
            send_signal(self.pid, signal.SIGTERM)


def reaped() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def has_children() -> bool:
    """Nothing is a grandchild for long: who loses its parent becomes our child."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def descendants(root: int) -> list[int]:
    """Every process below `root`, parents first."""
    families = children_by_parent()
    found = [root]
    for pid in found:
        found.extend(families.get(pid, ()))
    return found[1:]


def children(parent: int) -> list[int]:
    return children_by_parent().get(parent, [])


def children_by_parent() -> dict[int, list[int]]:
    families: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            families.setdefault(parent, []).append(int(entry))
    return families


def send_signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def received(source: object) -> bytes:
    try:
        return source.recv(4096) if isinstance(source, socket.socket) else b""
    except ConnectionError:
        return b""


def tell(control: socket.socket, line: str) -> None:
    # When the emulator is gone, the closed socket says so, too.
    with contextlib.suppress(OSError):
        control.send(line.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
