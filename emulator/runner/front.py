"""run.sh and run-helper.sh: keeps a listener alive, flattens its exit code, and passes signals on.

Must not know what the listener does. Facts, measured on the real scripts of version 2.336
(https://github.com/actions/runner/tree/main/src/Misc/layoutroot):

    without RUNNER_MANUALLY_TRAP_SIG   SIGTERM ends this process alone (as PID 1: nothing), SIGINT does nothing
    with it                            SIGTERM and SIGINT become SIGINT for the listener's process group, once;
                                       this process waits for the listener and exits with 143 or 130
"""

import os
import signal
import sys
import time
from collections.abc import Mapping

from emulator.runner.contract import (
    DEPRECATED_EXIT_VARIABLE,
    ROOT_VARIABLE,
    TIME_FACTOR_VARIABLE,
    TRAP_VARIABLE,
    ReturnCode,
)
from emulator.runner.launch import LISTENER, command, make_home, remove_home
from emulator.runner.terminal import say

RELAUNCH_SECONDS = 5.0
_TRAPPED = frozenset({signal.SIGINT, signal.SIGTERM})


def main(arguments: list[str]) -> int:
    """Runs until a listener has ended for good; the exit code is run.sh's."""
    environment = os.environ
    traps = bool(environment.get(TRAP_VARIABLE))
    # Signals are held back from the first moment and taken one at a time; the listener inherits this and takes
    # them itself once it can. So no signal is lost or finds a half-started process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_TRAPPED, signal.SIGCHLD} if traps else {signal.SIGINT})
    while True:
        code = _helped(arguments, environment, traps=traps)
        if code != ReturnCode.RETRYABLE_ERROR:
            break
        signalled = _pause(RELAUNCH_SECONDS * float(environment.get(TIME_FACTOR_VARIABLE) or 1), traps=traps)
        if signalled is not None:
            say("Exiting runner...")
            return 128 + signalled
        say("Restarting runner...")
    if code > 128:  # a signal came; the farewell was said when it did
        return code
    say("Exiting runner...")
    if traps:
        return code
    return ReturnCode.VERSION_DEPRECATED if code == ReturnCode.VERSION_DEPRECATED else ReturnCode.SUCCESS


def _helped(arguments: list[str], environment: Mapping[str, str], *, traps: bool) -> int:
    """run-helper.sh: one listener from start to end, and what run.sh is told of it. 143 or 130 after a signal."""
    if os.geteuid() == 0 and not environment.get(ROOT_VARIABLE):
        say("Must not run interactively with sudo")
        return ReturnCode.TERMINATED_ERROR
    home = make_home(environment.get("TMPDIR") or "/tmp")  # noqa: S108 - a fresh private folder is made in it
    try:
        argv = command(LISTENER, home, home, "run", *arguments)
        if traps:
            listener = os.posix_spawn(argv[0], argv, environment, setpgroup=0)
            signalled, status = _watched(listener)
        else:
            listener = os.posix_spawn(argv[0], argv, environment)
            signalled, status = None, os.waitpid(listener, 0)[1]
    finally:
        remove_home(home)
    code = _flattened(os.waitstatus_to_exitcode(status), environment)
    return code if signalled is None else 128 + signalled


def _watched(listener: int) -> tuple[int | None, int]:
    """Waits for the listener. Returns the signal that came meanwhile, if any, and the listener's status."""
    while True:
        came = signal.sigwait({*_TRAPPED, signal.SIGCHLD})
        if came == signal.SIGCHLD:
            ended, status = os.waitpid(listener, os.WNOHANG)
            if ended:
                return None, status
            continue
        if came == signal.SIGINT and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            continue  # a shell that was started with SIGINT ignored cannot trap it
        os.killpg(listener, signal.SIGINT)
        say("Exiting runner...")
        # run.sh takes its trap away before it waits once more: a second signal has its default effect.
        for trapped in _TRAPPED:
            signal.signal(trapped, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TRAPPED)
        return int(came), os.waitpid(listener, 0)[1]


def _pause(seconds: float, *, traps: bool) -> int | None:
    """Waits before the next listener; the signal that came meanwhile, if any."""
    if not traps:
        time.sleep(seconds)
        return None
    came = signal.sigtimedwait(_TRAPPED, seconds)
    return None if came is None else came.si_signo


def _flattened(code: int, environment: Mapping[str, str]) -> int:
    """What run-helper.sh makes of the listener's exit code."""
    match code:
        case ReturnCode.SUCCESS:
            say("Runner listener exit with 0 return code, stop the service, no retry needed.")
            return ReturnCode.SUCCESS
        case ReturnCode.VERSION_DEPRECATED if environment.get(DEPRECATED_EXIT_VARIABLE) == "1":
            say(f"Runner listener exit with deprecated version exit code: {code}.")
            return code
        case ReturnCode.TERMINATED_ERROR:
            say("Runner listener exit with terminated error, stop the service, no retry needed.")
        case ReturnCode.RETRYABLE_ERROR:
            say("Runner listener exit with retryable error, re-launch runner in 5 seconds.")
            return ReturnCode.RETRYABLE_ERROR
        case ReturnCode.SESSION_CONFLICT:
            say("Runner listener exit with Session Conflict error, stop the service, no retry needed.")
        case _:
            # The codes of a self-update, 3 and 4, cannot come: JIT configurations switch it off.
            say(f"Exiting with unknown error code: {code if code >= 0 else 128 - code}")
    return ReturnCode.SUCCESS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
