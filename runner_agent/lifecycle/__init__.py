"""What the agent decides: `step(state, event, now) -> (state, actions)`. Pure: no clock, process or network.

| from | event | to | actions |
|---|---|---|---|
| booting | instance known | parked | park |
| booting, parked | SIGTERM | gone (stopped_parked) | |
| parked | offered | taking | ask for the lease |
| parked | nothing offered, failed | parked | park again, at once or backed off |
| parked, taking | this boot is retired | parked, then gone (retired) | linger |
| parked | max_lifetime passed | gone (max_lifetime) | |
| taking | granted in time | starting | start the runner, say `starting` |
| taking | refused, or no answer in time | parked with the next ask | park (voids the older ask) |
| taking | SIGTERM | gone (stopped_parked) | void the ask |
| starting | runner listens | listening | say `listening` |
| starting, listening | job started, or a job process seen | running | say `running` |
| starting, listening | listen_max passed and no job process seen | stopping | interrupt |
| running | completion said and no job process seen | running | say `completed`; 30 s later: stop |
| running | job_timeout passed | stopping | interrupt |
| starting, listening, running | SIGTERM | stopping | say `preempted`, interrupt |
| starting, listening, running | hard end near | stopping | interrupt |
| stopping | time | stopping | terminate, then kill |
| any with a runner | runner's main process exited | reaping | terminate, then kill what is left |
| reaping | nothing left below the agent | ending | say `end` |
| ending | `exit`, unknown lease, five minutes | gone (by the verdict) | |
| ending, holding | `hold` | holding | say `end` again, each heartbeat |
| holding | SIGTERM | gone (stopped_parked) | |

An event without a row for a state changes nothing and never raises: late answers and repeats are normal.
"""

from collections.abc import Sequence

from runner_agent.lifecycle.actions import Action
from runner_agent.lifecycle.ending import ending_deadlines, review_ending, step_ending
from runner_agent.lifecycle.events import Event
from runner_agent.lifecycle.parking import (
    begin,
    parked_deadlines,
    review_parked,
    step_booting,
    step_parked,
)
from runner_agent.lifecycle.serving import leased_deadlines, review_leased, step_leased
from runner_agent.lifecycle.states import Booting, Ending, Gone, Leased, Parked, State, Timing

__all__ = ["begin", "step", "wake_at"]


def step(state: State, event: Event, now: float, timing: Timing) -> tuple[State, Sequence[Action]]:
    """Take in one event: the next state and what to do, in order.

    `now`: seconds on a clock that counts suspension.
    """
    taken, actions = _take_in(state, event, now, timing)
    reviewed, more = _review(taken, now, timing)
    return reviewed, (*actions, *more)


def wake_at(state: State, now: float, timing: Timing) -> float | None:
    """When to call `step` with `TimePassed` if nothing else happens; None: time alone changes nothing."""
    match state:
        case Parked():
            deadlines = parked_deadlines(state, timing)
        case Leased():
            deadlines = leased_deadlines(state, timing)
        case Ending():
            deadlines = ending_deadlines(state)
        case Booting() | Gone():
            return None
    return min((at for at in deadlines if at is not None and at > now), default=None)


def _take_in(state: State, event: Event, now: float, timing: Timing) -> tuple[State, Sequence[Action]]:
    match state:
        case Booting():
            return step_booting(state, event, now)
        case Parked():
            return step_parked(state, event, now, timing)
        case Leased():
            return step_leased(state, event, now, timing)
        case Ending():
            return step_ending(state, event, now, timing)
        case Gone():
            return state, ()


def _review(state: State, now: float, timing: Timing) -> tuple[State, Sequence[Action]]:
    match state:
        case Parked():
            return review_parked(state, now, timing)
        case Leased():
            return review_leased(state, now, timing)
        case Ending():
            return review_ending(state, now)
        case Booting() | Gone():
            return state, ()
