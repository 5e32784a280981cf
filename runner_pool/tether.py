"""A short rope: run a command that gets SIGTERM when the process that started me dies, however it dies.

    python -m runner_pool.tether PARENT_PID COMMAND [ARGUMENT ...]

Between fork and exec Python code is unsafe in a threaded parent, so this small program stands between: it
asks Linux for the signal (prctl PR_SET_PDEATHSIG survives the exec) and becomes the command. Elsewhere
than on Linux it only becomes the command. Standard library only; I must not know what I start.
Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent_pid:
            sys.exit("the program that wanted this one has already gone")
    os.execvp(command[0], command)  # noqa: S606  there is no shell to want: the command is a list made by this project


if __name__ == "__main__":
    main()
