"""Hundreds of jobs on the stand-in world, and what an observer notes of them while they run."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.e2e.pool_world import PoolWorld

# GitHub's limit for one matrix: https://docs.github.com/en/actions/reference/limits
MATRIX_MOST = 256

# What an instance that has served, was never needed, or was stopped while parked ends with (docs/reference/agent.md).
ORDERLY_CODES = frozenset({0, 3, 5, 6, 7, 8})


def crowd(jobs: int, ledger: Path, *, seconds: tuple[float, float], seed: int) -> dict[str, str]:
    """Workflow files with so many jobs in all; each notes its number in `ledger`, and works for its own time."""
    chance = random.Random(seed)
    lengths = [round(chance.uniform(*seconds), 2) for _ in range(jobs)]
    files = {}
    for begin in range(0, jobs, MATRIX_MOST):
        numbers = range(begin, min(jobs, begin + MATRIX_MOST))
        files[f"crowd-{begin}.yml"] = workflow(
            f"crowd {begin}", {number: lengths[number] for number in numbers}, ledger
        )
    return files


def workflow(
    name: str, lengths: Mapping[int, float], ledger: Path, *, gated: Mapping[int, Path] = MappingProxyType({})
) -> str:
    """A workflow with a job for each number, which notes it in `ledger` and works for so many seconds.

    `gated`: jobs that go on afterwards until this file is there.
    """
    entries = "\n".join(
        f"          - {{number: {number}, seconds: {seconds}, until: {gated.get(number, ledger)}}}"
        for number, seconds in lengths.items()
    )
    return f"""
name: {name}
on: push
jobs:
  one:
    strategy:
      fail-fast: false
      matrix:
        include:
{entries}
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          echo "${{{{ matrix.number }}}}" >> {ledger}
          sleep ${{{{ matrix.seconds }}}}
          until test -e ${{{{ matrix.until }}}}; do sleep 0.2; done
"""


@dataclass(slots=True)
class Observer:
    """Looks at a world about once a second; `most_registrations` is the largest number within any sixty seconds."""

    world: PoolWorld
    most_registrations: int = 0
    _registered: deque[tuple[float, int]] = field(default_factory=deque)

    def watch(self, fact: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Until it has come true. Raises AssertionError with what was seen last."""
        deadline = time.monotonic() + seconds
        while not fact():
            self._look()
            if time.monotonic() > deadline:
                counts = Counter(job["status"] for job in self.world.emulator.github.jobs())
                raise AssertionError(
                    f"not within {seconds:.0f} s: {what}; jobs: {dict(counts)}\n{self.world.logs()}"
                )
            time.sleep(1.0)
        self._look()

    def requests(self) -> Mapping[tuple[str, str, int], int]:
        """How often each REST operation was answered how: (method, path, status) -> count."""
        return {
            (each["method"], each["path"], each["status"]): each["count"]
            for each in self.world.emulator.github.requests()
            if not each["path"].startswith(("/_", "/api/v3/_"))
        }

    def _look(self) -> None:
        now = time.monotonic()
        made = sum(
            count
            for (method, path, status), count in self.requests().items()
            if method == "POST" and path.endswith("generate-jitconfig") and status == 201
        )
        self._registered.append((now, made))
        while self._registered[0][0] < now - 60.0:
            self._registered.popleft()
        self.most_registrations = max(self.most_registrations, made - self._registered[0][1])


def ended_out_of_order(world: PoolWorld) -> list[tuple[str, object]]:
    """Instances that neither served nor left in good order. One that is stopped while it boots knows no order yet."""
    stopped = {stop["instance"] for stop in world.emulator.cloud.stops() if not stop["was_busy"]}
    return [
        (each["id"][:12], each["exit_code"] if each["signal"] is None else f"signal {each['signal']}")
        for each in world.emulator.cloud.instances()
        if each["state"] == "gone" and each["pid"] is not None and each["exit_code"] not in ORDERLY_CODES
        if each["id"] not in stopped
    ]


def ran_once_each(ledger: Path, jobs: int) -> Sequence[int]:
    """The numbers of jobs that did not run exactly once."""
    written = Counter(int(line) for line in ledger.read_text().split())
    return sorted((written - Counter(range(jobs))) + (Counter(range(jobs)) - written))
