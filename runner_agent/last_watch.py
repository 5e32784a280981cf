"""What is left to do when the agent itself has a fault while a runner lives: let the job end, then leave.

A bug of ours is no reason to stop somebody's job. So this watch knows no lifecycle: it waits until nothing lives
below us, and stops things only for SIGTERM or at the lease's hard end.
"""

from collections.abc import Callable
from typing import Protocol

from runner_agent.child import Tree
from runner_agent.lifecycle.actions import Rung
from runner_agent.lifecycle.states import Timing


class Watched(Protocol):
    """What the watch needs of a child."""

    def reap(self) -> int | None:
        """Reap dead children; the runner's exit code if it was among them."""

    def look(self) -> Tree:
        """What lives."""

    def signal(self, rung: Rung) -> None:
        """Send a rung's signals."""


def watch_to_the_end(
    child: Watched,
    *,
    stop_at: float,
    timing: Timing,
    clock: Callable[[], float],
    termination_asked_within: Callable[[float], bool],
) -> None:
    """Return once nothing lives below us. `stop_at`: the lease's last moment to begin a stop (same clock).

    `termination_asked_within(seconds)` waits at most that long and says whether SIGTERM came meanwhile.
    """
    plan: list[tuple[float, Rung]] = []
    runner_lives = True
    while True:
        if child.reap() is not None:
            runner_lives = False
        if child.look().processes == 0:
            return
        asked = termination_asked_within(timing.kill_again if plan else timing.look_again)
        now = clock()
        if not plan and (asked or now >= stop_at or not runner_lives):
            plan = _plan(now, timing, interrupt=runner_lives)
        while plan and now >= plan[0][0]:
            (_, rung), *plan = plan
            child.signal(rung)
            # SIGKILL again and again, since processes may fork faster than one pass over the table.
            plan = plan or [(now + timing.kill_again, Rung.KILL)]


def _plan(now: float, timing: Timing, *, interrupt: bool) -> list[tuple[float, Rung]]:
    terminate_at = now + (timing.hurried_interrupt if interrupt else 0.0)
    kill_at = terminate_at + timing.hurried_terminate
    first = [(now, Rung.INTERRUPT)] if interrupt else []
    return [*first, (terminate_at, Rung.TERMINATE), (kill_at, Rung.KILL)]
