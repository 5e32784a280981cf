"""How long to wait after a failure: growing, fully jittered. Pure: chance is an argument."""

from runner_agent.lifecycle.states import Timing

_LEAST_SECONDS = 0.2
_DOUBLINGS_MOST = 16  # far above the cap; keeps the power small however long an outage lasts


def backoff(failures: int, chance: float, timing: Timing) -> float:
    """Seconds to wait after the `failures`-th failure in a row; `chance` in [0, 1) spreads a fleet."""
    ceiling = min(
        timing.backoff_most, timing.backoff_first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS_MOST)
    )
    return max(_LEAST_SECONDS, chance * ceiling)


def linger(chance: float, timing: Timing) -> float:
    """Seconds to stay before leaving for a reason that a fresh container will likely meet again."""
    return timing.linger_least + chance * (timing.linger_most - timing.linger_least)
