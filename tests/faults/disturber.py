"""What goes wrong around the scaler: its processes, its network and its records. One thread, its chance from one seed.

The stand-in vendors' own faults are switched at their control doors; these here are the machine's.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.e2e.pool_world import PoolWorld
from tests.faults.store import strokes, write_faults
from tests.forwarder import Cut

Numbers = Mapping[str, float]

# Name -> what happens, and its numbers: `per_minute` strokes, each of `seconds`; `share` of the calls.
CATALOGUE: Mapping[str, tuple[str, Numbers]] = MappingProxyType(
    {
        "scaler-suspended": (
            "A scaler process stands still (SIGSTOP), between any two steps of it.",
            {"per_minute": 12.0, "seconds": 3.0},
        ),
        "scaler-killed": ("A scaler process gets SIGKILL; a fresh one follows.", {"per_minute": 6.0}),
        "scaler-doubled": ("Two scaler processes run side by side.", {}),
        "network-cut-to-scaler": (
            "What instances and GitHub say to the scaler does not arrive.",
            {"per_minute": 8.0, "seconds": 4.0},
        ),
        "network-cut-from-scaler": (
            "What the scaler answers does not arrive.",
            {"per_minute": 8.0, "seconds": 4.0},
        ),
        "network-cut-both": (
            "Instances and scaler do not hear each other.",
            {"per_minute": 8.0, "seconds": 4.0},
        ),
        "network-slow": ("Every piece takes so much longer in either direction.", {"seconds": 0.5}),
        "store-slow": ("A call of the record store takes so much longer.", {"seconds": 0.3, "share": 0.5}),
        "store-down": ("The record store does not answer.", {"per_minute": 8.0, "seconds": 4.0}),
        "store-request-lost": ("A write of a record is not made, and nobody knows.", {"share": 0.2}),
        "store-reply-lost": ("A write of a record is made, and nobody knows.", {"share": 0.2}),
        "record-lost": (
            "The record of a cell is gone until it is restored from a copy.",
            {"per_minute": 6.0, "seconds": 6.0},
        ),
    }
)

CUTS = {f"network-cut-{cut.name.lower().replace('_', '-')}": cut for cut in Cut}
STORE_SHARES = ("store-slow", "store-request-lost", "store-reply-lost")


@dataclass(slots=True)
class _LostRecords:
    """Records that were taken out of the database, to be put back."""

    database: Path
    lost: dict[str, tuple[int, str]] = field(default_factory=dict)

    def lose_one(self, chance: random.Random) -> bool:
        with contextlib.closing(sqlite3.connect(self.database, timeout=10, isolation_level=None)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'records'").fetchone():
                return False  # no scaler has written yet
            db.execute("BEGIN IMMEDIATE")
            rows = db.execute("SELECT key, version, text FROM records WHERE key LIKE 'cells/%'").fetchall()
            if not rows:
                db.execute("ROLLBACK")
                return False
            key, version, text = chance.choice(rows)
            db.execute("DELETE FROM records WHERE key = ?", (key,))
            db.execute("COMMIT")
        self.lost[key] = (version, text)
        return True

    def restore(self) -> None:
        """As from a copy of that moment; what was written anew meanwhile stands."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=10, isolation_level=None)) as db:
            for key, (version, text) in self.lost.items():
                db.execute("INSERT OR IGNORE INTO records VALUES (?, ?, ?)", (key, version, text))
        self.lost.clear()


class Disturber:
    """Strikes until it is told to stop; then everything that it bent is straight again."""

    def __init__(
        self, world: PoolWorld, faults: Mapping[str, Numbers], *, store_faults: Path, seed: int
    ) -> None:
        self._world = world
        self._faults = faults
        self._store_faults = store_faults
        self._chance = random.Random(seed)
        self._records = _LostRecords(world.folder / "records.db")
        self._store_on: dict[str, Numbers] = {
            name: numbers for name, numbers in faults.items() if name in STORE_SHARES
        }
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disturber", daemon=True)
        self._struck: Counter[str] = Counter()
        self._suspended: set[subprocess.Popen[bytes]] = set()
        self._broken: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        write_faults(self._store_faults, self._store_on)
        slow = self._faults.get("network-slow")
        self._world.forwarder.weather.delay_seconds = 0.0 if slow is None else slow["seconds"]
        if "scaler-doubled" in self._faults:
            self._world.start_scaler()
            self._struck["scaler-doubled"] += 1
        for name, numbers in self._faults.items():
            if "per_minute" in numbers:
                self._draw_next(name, numbers)
        self._thread.start()

    def stop(self) -> None:
        """End, and mend everything. Raises what broke the thread."""
        self._stopped.set()
        self._thread.join(30)
        self._world.forwarder.weather.delay_seconds = 0.0
        self._world.forwarder.cut(None)
        write_faults(self._store_faults, {})
        self._records.restore()
        for process in self._suspended:
            process.send_signal(signal.SIGCONT)
        self._suspended.clear()
        if all(process.poll() is not None for process in self._world.scalers):
            self._world.start_scaler()
        if self._broken is not None:
            raise self._broken

    @property
    def struck(self) -> Mapping[str, int]:
        """How often each fault has struck."""
        return {**self._struck, **self._world.forwarder.weather.struck, **strokes(self._store_faults)}

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                now = time.monotonic()
                due = [each for each in self._due if each[0] <= now]
                self._due = [each for each in self._due if each[0] > now]
                for _, act in due:
                    act()
                self._stopped.wait(0.05)
        except BaseException as error:  # noqa: BLE001 - told by `stop`, in the thread that asked for this
            self._broken = error

    def _draw_next(self, name: str, numbers: Numbers) -> None:
        # The first stroke comes soon: a burst is short.
        at = time.monotonic() + self._chance.expovariate(numbers["per_minute"] / 60.0)
        self._due.append((at, lambda: self._strike(name, numbers)))

    def _strike(self, name: str, numbers: Numbers) -> None:
        if name == "scaler-killed":
            self._kill()
        elif name == "scaler-suspended":
            self._suspend(numbers["seconds"])
        elif name in CUTS:
            self._world.forwarder.cut(CUTS[name])
            self._later(numbers["seconds"], lambda: self._world.forwarder.cut(None))
        elif name == "store-down":
            self._store_on[name] = numbers
            write_faults(self._store_faults, self._store_on)
            self._later(numbers["seconds"], self._store_up)
        elif self._records.lose_one(self._chance):
            self._struck[name] += 1
            self._later(numbers["seconds"], self._records.restore)
        self._draw_next(name, numbers)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, act))

    def _store_up(self) -> None:
        self._store_on.pop("store-down", None)
        write_faults(self._store_faults, self._store_on)

    def _living(self) -> list[subprocess.Popen[bytes]]:
        return [process for process in self._world.scalers if process.poll() is None]

    def _kill(self) -> None:
        for process in self._living()[:1]:
            self._suspended.discard(process)
            process.kill()
            process.wait()
            self._struck["scaler-killed"] += 1
            self._world.start_scaler()

    def _suspend(self, seconds: float) -> None:
        awake = [process for process in self._living() if process not in self._suspended]
        if not awake:
            return
        process = self._chance.choice(awake)
        process.send_signal(signal.SIGSTOP)
        self._suspended.add(process)
        self._struck["scaler-suspended"] += 1

        def resume() -> None:
            if process in self._suspended:
                self._suspended.discard(process)
                process.send_signal(signal.SIGCONT)

        self._later(seconds, resume)
