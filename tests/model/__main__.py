"""The larger settings: `python -m tests.model` explores each whole and prints what it found; some minutes."""

from __future__ import annotations

import sys
import time

from tests.model.search import Space, explored
from tests.model.settings import IN_MAKE_TEST, LARGER
from tests.model.story import told


def main() -> int:
    """0 when nothing was killed and every setting has as many states as is known."""
    as_known = True
    for known in IN_MAKE_TEST + LARGER:
        space, begun = Space(known.setting), time.monotonic()
        found = explored(space)
        seconds = time.monotonic() - begun
        print(f"{known.setting}: {found.states:,} states, depth {found.depth}, {seconds:.0f} s", flush=True)
        if found.killed is not None:
            print("\n".join(told(space, found)))
            return 1
        if (found.states, found.depth) != (known.states, known.depth):
            print(f"  known were {known.states:,} states, depth {known.depth}")
            as_known = False
    return 0 if as_known else 1


sys.exit(main())
