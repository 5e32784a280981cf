"""Starting the listener and the worker under the real runner's process names.

A folder `bin` holds symbolic links to the Python interpreter named `Runner.Listener` and `Runner.Worker`, so
that `ps`, `/proc/PID/comm` and `/proc/PID/cmdline` show what they show on a real runner.
"""

import os
import sys

LISTENER, WORKER = "Runner.Listener", "Runner.Worker"
_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Isolated and without site-packages: nothing to search, nothing a step's files could shadow.
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; sys.exit(main(sys.argv[1:]))"
)
_MODULES = {LISTENER: "emulator.runner.listener", WORKER: "emulator.runner.worker"}


def make_home(parent: str) -> str:
    """A fresh folder for one runner, with its `bin`. Returns its path."""
    home = os.path.join(parent, f"runner-{os.getpid()}-{os.urandom(4).hex()}")
    os.makedirs(os.path.join(home, "bin"), mode=0o700)
    interpreter = os.path.realpath(sys.executable)
    for name in (LISTENER, WORKER):
        os.symlink(interpreter, os.path.join(home, "bin", name))
    return home


def front_of(home: str) -> int:
    """The process id of the front that has made this folder."""
    return int(os.path.basename(home).split("-")[1])


def remove_home(home: str) -> None:
    """Removes the folder and all that a job has left in it."""
    import shutil

    shutil.rmtree(home, ignore_errors=True)


def command(name: str, home: str, *arguments: str) -> list[str]:
    """The command line that starts one of the two programs."""
    start = _START.format(module=_MODULES[name])
    return [os.path.join(home, "bin", name), "-I", "-S", "-c", start, _PACKAGE_ROOT, *arguments]
