"""The agent with some of its waits shortened, or with a fault built in, so that slow and impossible ways can be tried.

AGENT_TIMING          JSON object of fields of runner_agent.lifecycle.states.Timing
AGENT_FAULT_AT        name of an event class at which the lifecycle raises
AGENT_MEMORY_COUNTER  file that is read in the place of the kernel's counters of kills for want of memory
AGENT_PRCTL_LACKS     number of an option of prctl that this kernel does not have
AGENT_UID             become this account first; after the imports, since it may not be able to read Python's own files
"""

import ctypes
import encodings.idna  # noqa: F401 - sockets load it at their first name, which may be too late
import functools
import json
import os
import sys
from collections.abc import Sequence
from unittest.mock import patch

import runner_agent.child
import runner_agent.main
import runner_agent.registration.leased
import runner_agent.supervisor
from runner_agent.lifecycle import step
from runner_agent.lifecycle.actions import Action
from runner_agent.lifecycle.events import Event
from runner_agent.lifecycle.states import State, Timing
from runner_agent.memory_kills import memory_kills

PR_SET_DUMPABLE = 4
true_prctl = runner_agent.child._prctl


def faulty_step(state: State, event: Event, now: float, timing: Timing) -> tuple[State, Sequence[Action]]:
    """The lifecycle with a bug."""
    if type(event).__name__ == os.environ.get("AGENT_FAULT_AT"):
        raise RuntimeError("a fault for the test")
    return step(state, event, now, timing)


def become(uid: int) -> None:
    """Drop root for good; then be as open to others of that account as a program it had started itself."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def prctl_of_an_older_kernel(option: int, value: int) -> bool:
    """As `_prctl` answers for an option that the kernel has never heard of."""
    return str(option) != os.environ.get("AGENT_PRCTL_LACKS") and true_prctl(option, value)


if __name__ == "__main__":
    if os.environ.get("AGENT_UID"):
        become(int(os.environ["AGENT_UID"]))
    altered = functools.partial(Timing, **json.loads(os.environ.get("AGENT_TIMING", "{}")))
    counter = os.environ.get("AGENT_MEMORY_COUNTER")
    counted = functools.partial(memory_kills, (counter,)) if counter else memory_kills
    with (
        patch("runner_agent.main.Timing", altered),
        patch("runner_agent.supervisor.step", faulty_step),
        patch("runner_agent.child.memory_kills", counted),
        patch("runner_agent.child._prctl", prctl_of_an_older_kernel),
    ):
        sys.exit(runner_agent.main.main())
