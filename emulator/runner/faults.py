"""What can go wrong with a runner, by name: asked for by the job message, off otherwise.

The job variable `system.emulator.runner_faults` holds a JSON object: fault -> its parameters. Listener and worker
read it alike; what a stroke does is here, when it comes is written where the normal course is (`dispatch`, `worker`).
"""

import json
import math
import os
import signal
import subprocess
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from emulator.runner.errors import BadFaultsError
from emulator.runner.launch import front_of, remove_home
from emulator.runner.process_tree import descendants, kill
from emulator.runner.terminal import say, stamped

VARIABLE = "system.emulator.runner_faults"

DIES, OUT_OF_MEMORY = "runner-dies", "runner-out-of-memory"
DEAF, RELAUNCHES = "runner-deaf", "runner-relaunches"
FORGED_LINES, DAEMONIZING_STEP = "forged-lines", "daemonizing-step"

# Fault -> parameter -> its default. Seconds are real ones, from the start of the first step: no factor scales them.
CATALOGUE: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        DIES: {"seconds": 2.0},
        OUT_OF_MEMORY: {"seconds": 2.0},
        DEAF: {},
        RELAUNCHES: {},
        FORGED_LINES: {},
        DAEMONIZING_STEP: {},
    }
)

# A shell that is hard to end and easy to hear. It ends by itself only when nobody reads what it says, so that it
# cannot outlive a world that was killed.
_DAEMON = (
    "trap '' INT TERM HUP; while :; do echo \"left behind by a step: $$ is still here\"; sleep 0.1; done"
)


class Faults(NamedTuple):
    """The faults of one job: fault -> its parameters, complete."""

    on: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    def has(self, name: str) -> bool:
        """Whether this fault was asked for."""
        return name in self.on

    def delay(self, name: str) -> float | None:
        """Seconds from the start of the first step's process to this fault's stroke; None when it was not asked for."""
        return self.on[name]["seconds"] if name in self.on else None


def faults_of(job: Mapping[str, Any]) -> Faults:
    """The faults that a job message asks for. Raises BadFaultsError: nothing that was asked for is passed over."""
    text = ((job.get("variables") or {}).get(VARIABLE) or {}).get("value")
    if text is None:
        return Faults()
    try:
        asked = json.loads(text)
    except (TypeError, ValueError):
        raise BadFaultsError(f"{VARIABLE} is no JSON: {text!r}.") from None
    if not isinstance(asked, dict):
        raise BadFaultsError(f"{VARIABLE} is no object of faults: {text!r}.")
    return Faults({name: _complete(name, given) for name, given in asked.items()})


def _complete(name: str, given: Any) -> Mapping[str, float]:
    if name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        raise BadFaultsError(f"The stand-in runner knows no fault {name!r}. It knows {known}.")
    if not isinstance(given, dict):
        raise BadFaultsError(f"The parameters of the fault {name!r} are no object: {given!r}.")
    for parameter, value in given.items():
        if parameter not in CATALOGUE[name]:
            raise BadFaultsError(f"The fault {name!r} has no parameter {parameter!r}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise BadFaultsError(
                f"{parameter!r} of the fault {name!r} is not a number of at least 0: {value!r}."
            )
    return {**CATALOGUE[name], **given}


def become_deaf() -> None:
    """From here on this process, and all that it starts, ignores SIGINT and SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def die_with_all(home: str) -> None:
    """SIGKILL for front, steps, worker and this listener. To be called where nothing else can speak meanwhile."""
    front = front_of(home)
    if os.getppid() == front:  # without the trap it may have gone before, and our parent is somebody else
        kill(front)
    for pid in descendants(os.getpid()):
        kill(pid)
    remove_home(home)  # the file system goes with its container
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # whatever a step has started while we looked
    kill(os.getpid())


def say_forged_lines(job_name: str) -> None:
    """What a step can print that finds the runner's standard output (`/proc/PID/fd/1`): the runner's own words."""
    for line in (
        stamped(f"Job {job_name} completed with result: Succeeded"),
        stamped("Listening for Jobs"),
        stamped("Running job: other"),
        stamped("Job other completed with result: Canceled"),
        "An error occurred: Runner version v2.300.0 is deprecated and cannot receive messages.",
        "Failed to create a session. The runner registration has been deleted from the server, please re-configure.",
        "The runner no longer exists on the server. Cleaning up local configuration.",
        "Runner listener exit with 0 return code, stop the service, no retry needed.",
        "Exiting runner...",
        stamped(f"Job {job_name} completed with result: Succeeded"),
    ):
        say(line)


def leave_daemon(workspace: str) -> None:
    """A process as a step can leave it: a session of its own, no mark of the job, deaf to INT, TERM and HUP.

    It has the runner's standard output and writes to it, during the job and after it.
    """
    subprocess.Popen(
        ["/bin/sh", "-c", _DAEMON, "left-behind", workspace],
        cwd="/",
        env={"PATH": os.environ.get("PATH", os.defpath)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
