"""PURE: by which clock a verb dates what it writes, on a machine whose own may be minutes wrong."""

from __future__ import annotations

from collections.abc import Callable

# A clock that differs from Google's by no more than this is right: theirs comes in whole seconds, and its answer takes a while.
CLOCK_RIGHT_SECONDS = 5.0


def sound_clock(
    local: Callable[[], float], told: Callable[[], float | None], *, say: Callable[[str], None]
) -> Callable[[], float]:
    """Seconds since the epoch by this machine's clock (`local`), or by Google's (`told`, None while unknown) where they differ.

    What is written here is compared with the scaler's clock: a zero that is dated too early would let a cell open, and boots
    from before the zero have leases, before the settle time is over. A laptop's clock may be minutes wrong.
    """
    said = False

    def clock() -> float:
        nonlocal said
        here, there = local(), told()
        if there is None or abs(here - there) <= CLOCK_RIGHT_SECONDS:
            return here
        if not said:
            said = True
            say(
                f"this machine's clock is {abs(here - there):.0f} s {'ahead' if here > there else 'behind'}: Google's is used"
            )
        return there

    return clock
