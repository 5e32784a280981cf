"""The runner's processes: started in a session of their own, signalled, reaped. Decides nothing.

One thread (the supervisor's) starts, signals and reaps, so that a pid of a child of ours cannot be taken by
another process between a look and a signal; for deeper processes a pidfd and the start time make sure of the same.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner_agent.account import Account
from runner_agent.lifecycle.actions import Rung
from runner_agent.memory_kills import memory_kills
from runner_agent.process_tree import Process, all_below, is_worker, read_process

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
"""https://man7.org/linux/man-pages/man2/prctl.2.html"""


def adopt_orphans() -> bool:
    """Make orphans below us our children, as they are PID 1's by nature; False if the kernel cannot."""
    return os.getpid() == 1 or _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_own_environment() -> bool:
    """Close our /proc/PID/environ and ptrace to every account but root, even to our own; False if impossible."""
    return _prctl(_PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> bool:
    """From here on no program's setuid bit and no file's capability gives us or anything below us a right; False if impossible.

    For ever, and also where the platform does not do it: GitHub's image lets the runner's account become root with sudo. Changing
    to that account is no new right. Call it before any thread is started: a thread inherits it, one that lives does not get it.
    https://docs.kernel.org/userspace-api/no_new_privs.html
    """
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What lives below the agent: how many processes, and how many of them run a job."""

    processes: int
    workers: int


class Child:
    """The runner and everything that was ever forked below it."""

    def __init__(self, *, command: Sequence[str], home: str, account: Account) -> None:
        self._command = tuple(command)
        self._home = home
        self._account = account
        self._main: subprocess.Popen[bytes] | None = None
        self._memory_kills_before: int | None = None

    def start(self, environment: Mapping[str, str]) -> int:
        """Start the runner as its account; returns the descriptor of its output. Raises OSError."""
        account, switch = self._account, self._account.switch
        self._memory_kills_before = memory_kills()
        output, runners_end = os.pipe()
        try:
            self._main = subprocess.Popen(
                self._command,
                cwd=self._home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=runners_end,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if switch else None,
                group=account.gid if switch else None,
                extra_groups=list(account.groups) if switch else None,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(runners_end)
        return output

    def reap(self) -> int | None:
        """Reap every dead child, adopted ones too; the runner's exit code (negative: signal) if it was among them."""
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            if self._main is not None and pid == self._main.pid:
                code = os.waitstatus_to_exitcode(status)
                self._main.returncode = code  # tells Popen that nothing is left to wait for

    def look(self) -> Tree:
        """What lives below us. Call `reap` first: a child that could not be reaped counts as living."""
        living = _living()
        return Tree(processes=len(living), workers=sum(is_worker(process) for process in living))

    def memory_kills(self) -> int:
        """How many processes the kernel has killed for want of memory since the start; 0 where it does not say."""
        before, now = self._memory_kills_before, memory_kills()
        return 0 if before is None or now is None else max(0, now - before)

    def signal(self, rung: Rung) -> None:
        """Climb to a rung: its signal goes to everything that the rung names."""
        main = self._main
        main_waits = main is not None and main.returncode is None
        if rung is Rung.INTERRUPT:
            # run.sh with RUNNER_MANUALLY_TRAP_SIG turns SIGTERM into SIGINT for the group of its helper, which
            # is the listener, the worker and the steps; it does so even when it was started with SIGINT ignored.
            if main is not None and main_waits:
                os.kill(main.pid, signal.SIGTERM)
            return
        number = signal.SIGTERM if rung is Rung.TERMINATE else signal.SIGKILL
        if main is not None and main_waits:
            # Atomic for the whole group, which a pass over the table is not.
            _signal_group(main.pid, number)
        for process in _living():
            _signal_process(process, number)


def _living() -> list[Process]:
    own_pid = os.getpid()
    return [process for process in all_below(own_pid) if process.lives or process.parent == own_pid]


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _signal_process(process: Process, number: signal.Signals) -> None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return  # gone meanwhile, or no descriptor is free: the next pass sees which
    try:
        now_there = read_process(process.pid)
        if now_there is not None and now_there.started == process.started:
            signal.pidfd_send_signal(descriptor, number)
            # A stopped process takes SIGTERM only once it goes on.
            signal.pidfd_send_signal(descriptor, signal.SIGCONT)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def _prctl(option: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
