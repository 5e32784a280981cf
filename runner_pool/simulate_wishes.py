"""PURE: what somebody asks of `runner-pool simulate`, and which wishes contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from runner_pool.errors import UsageError
from scaler.core.model import Policy
from simulator.assumptions import Assumptions
from simulator.errors import UnknownPolicy
from simulator.policies import POLICIES, POOL
from simulator.prices import MACHINE, Machine

ALL = "all"
CELLS = "cells"
MONDAY = 1_795_392_000.0
"""2026-11-23T00:00 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options as given; None where nothing was."""

    trace: Path | None = None
    generator: str | None = None
    trace_seed: int | None = None
    history: float | None = None
    config_path: Path | None = None
    save: Path | None = None
    begins: float | None = None
    policies: Sequence[str] = ()
    max_runners: int | None = None
    max_cells: int | None = None
    sizes: Sequence[tuple[str, Sequence[int]]] = ()
    writes_per_minute: int | None = None
    registrations_per_minute: int | None = None
    start_s: float | None = None
    registration_s: float | None = None
    restart_s: float | None = None
    warm: int | None = None
    seed: int | None = None
    list_lag_s: float | None = None
    price_of_waiting: float | None = None
    vcpu: int | None = None
    memory_gib: float | None = None
    as_json: bool = False

    @property
    def advice(self) -> bool:
        """Whether cells and warm are to be advised, rather than policies compared."""
        return self.history is not None or self.price_of_waiting is not None

    @property
    def machine(self) -> Machine | None:
        """The machine to be priced; None when neither of its options was given."""
        if self.vcpu is None and self.memory_gib is None:
            return None
        memory = MACHINE.memory_gib if self.memory_gib is None else Decimal(str(self.memory_gib))
        return Machine(vcpu=self.vcpu or MACHINE.vcpu, memory_gib=memory)

    def policy_names(self) -> Sequence[str]:
        """The policies to run, each once. Raises UnknownPolicy."""
        names = [
            name for given in self.policies or (CELLS,) for name in (POLICIES if given == ALL else (given,))
        ]
        for name in names:
            if name not in POLICIES:
                raise UnknownPolicy(name, known=(*POLICIES, ALL))
        return tuple(dict.fromkeys(names))

    def assumptions(self, base: Assumptions) -> Assumptions:
        """`base` with what was given. Raises UsageError for more warm instances than runners."""
        given = {
            "max_runners": self.max_runners,
            "max_cells": self.max_cells,
            "writes_per_minute": self.writes_per_minute,
            "registrations_per_minute": self.registrations_per_minute,
            "start": self.start_s,
            "registration": self.registration_s,
            "restart": self.restart_s,
            "warm": self.warm,
            "seed": self.seed,
        }
        assumed = replace(base, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        if assumed.warm > assumed.max_runners:
            raise UsageError(
                f"--warm {assumed.warm} is more than the {assumed.max_runners} instances there may be",
                remedy="lower --warm or raise --max-runners",
            )
        return assumed


def check(wishes: Wishes) -> None:
    """Refuse wishes that contradict each other. Raises UsageError, UnknownPolicy."""
    sources = {"--trace": wishes.trace, "--generator": wishes.generator, "--history": wishes.history}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            f"{' and '.join(given)} name different jobs" if given else "there are no jobs to simulate",
            remedy="give exactly one of --trace FILE, --generator NAME and --history DAYS",
        )
    if wishes.history is not None and wishes.config_path is None:
        raise UsageError(
            "--history needs --config",
            cause="GitHub is asked as the App of the configuration, for the jobs of its repositories",
            remedy="add --config FILE, the scaler's own configuration",
        )
    if wishes.trace_seed is not None and wishes.generator is None:
        raise UsageError("--trace-seed is the seed of a generator", remedy="add --generator NAME")
    if wishes.save is not None and wishes.trace is not None:
        raise UsageError("--save would copy the file of --trace", remedy="leave --save away")
    wishes.policy_names()
    if wishes.advice:
        _check_advice(wishes)
    else:
        _check_comparison(wishes)


def _check_advice(wishes: Wishes) -> None:
    chosen = {
        "--policy": wishes.policies,
        "--max-cells": wishes.max_cells,
        "--sizes": wishes.sizes,
        "--warm": wishes.warm,
        "--begins": wishes.begins,
    }
    given = [name for name, value in chosen.items() if value not in (None, ())]
    if given:
        raise UsageError(
            f"{', '.join(given)}: an advice tries cells, sizes and warm itself, of policy cells and without schedules",
            remedy="leave these options away, or simulate a trace without --price-of-waiting",
        )


def _check_comparison(wishes: Wishes) -> None:
    if wishes.config_path is None and wishes.begins is not None:
        raise UsageError(
            "--begins is for schedules, and only a configuration has some", remedy="add --config"
        )
    if wishes.config_path is not None and wishes.warm is not None:
        raise UsageError("--warm is the pools' own in a configuration", remedy="leave --warm away")
    if wishes.sizes and CELLS not in wishes.policy_names():
        raise UsageError("--sizes are those of policy cells", remedy="add --policy cells")


def sizes_of(wishes: Wishes, pools: Policy | None) -> dict[str, Sequence[int]]:
    """The sizes that were given, by pool. Raises UsageError when they do not fit the pools or --max-cells."""
    names = [POOL] if pools is None else [pool.name for pool in pools.pools]
    found: dict[str, Sequence[int]] = {}
    for named, sizes in wishes.sizes:
        pool = named or names[0]
        if not named and len(names) > 1:
            raise UsageError(
                "--sizes does not say whose cells these are",
                remedy=f"write POOL=20x1,10x5 for each of {', '.join(names)}",
            )
        if pool not in names:
            raise UsageError(f"--sizes: there is no pool {pool!r}", remedy=f"take one of {', '.join(names)}")
        if pool in found:
            raise UsageError(f"--sizes names the cells of {pool!r} twice", remedy="join them with commas")
        found[pool] = sizes
    total = sum(map(len, found.values()))
    if wishes.max_cells is not None and total > wishes.max_cells:
        raise UsageError(
            f"--sizes names {total} cells, more than --max-cells {wishes.max_cells}",
            remedy="leave --max-cells away",
        )
    missing = [name for name in names if name not in found]
    if found and missing:
        raise UsageError(
            f"--sizes names no cells of {', '.join(missing)}", remedy="name the cells of all pools or of none"
        )
    return found
