"""The command `runner-pool` with a record store that can go wrong: `python -m tests.faults.scaler_program FILE serve …`.

All else is the program itself. FILE says what goes wrong at each moment; `tests.faults.store` reads it.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

import scaler.assembly
from cell_records.location import store_at
from cell_records.store import RecordStore
from runner_pool.main import main
from tests.faults.store import FaultyStore


def faulty_store_at(path: Path, location: str, **access: Any) -> RecordStore:
    """The store that a setting names, behind the faults of `path`."""
    return FaultyStore(store_at(location, **access), path, chance=random.Random(location))


if __name__ == "__main__":
    faults, *arguments = sys.argv[1:]
    scaler.assembly.store_at = partial(faulty_store_at, Path(faults))  # type: ignore[attr-defined]
    main(arguments)
