"""The options of `runner-pool simulate`, and what a single value may be.

Imports click alone, so that `runner-pool --help` answers at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:  # of older versions of click it is not generic
    _Type = click.ParamType

_Command = TypeVar("_Command", bound=Callable[..., Any])

_CELLS = re.compile(r"\s*(?:(\d{1,5})\s*x\s*)?(\d{1,5})\s*")
_POOL = re.compile(r"\s*([a-z][a-z0-9-]*)\s*=(.*)", re.DOTALL)
_VCPU = (1, 2, 4, 6, 8)
_MOST = 10_000
# docs/reference/cells.md
_LARGEST_CELL = 100


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a message about what was given."""
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return float(super().convert(number, param, ctx))


class Sizes(_Type):
    """`20x1,10x5`: twenty cells of one instance and ten of five; `linux=20x1` for the pool of that name."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """The pool's name, empty when none was given, and the size of each cell."""
        named = _POOL.fullmatch(value)
        pool, text = (named[1], named[2]) if named else ("", value)
        sizes: list[int] = []
        for part in text.split(","):
            match = _CELLS.fullmatch(part)
            count, size = (int(match[1] or 1), int(match[2])) if match else (0, 0)
            if count < 1 or not 1 <= size <= _LARGEST_CELL or len(sizes) + count > _MOST:
                self.fail(
                    f"{value!r} is no list of cells; write NUMBERxSIZE with commas, such as 20x1,10x5 "
                    f"(at most {_MOST} cells, each of 1 to {_LARGEST_CELL} instances).",
                    param,
                    ctx,
                )
            sizes += [size] * count
        return pool, tuple(sorted(sizes))


class Moment(_Type):
    """An ISO date and time; UTC unless it says otherwise."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds since the epoch."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date and time; write it like 2026-11-23T00:00.", param, ctx)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Vcpu(_Type):
    """What Cloud Run gives an instance."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of vCPU."""
        number = click.INT.convert(value, param, ctx)
        if number not in _VCPU:
            self.fail(f"{number} is not in {', '.join(map(str, _VCPU))}, which Cloud Run gives.", param, ctx)
        return int(number)


def _whole(name: str, least: int, text: str, *, most: int = _MOST) -> Callable[[_Command], _Command]:
    return click.option(name, type=click.IntRange(least, most), metavar="N", help=text)


def _seconds(name: str, least: float, text: str) -> Callable[[_Command], _Command]:
    return click.option(name, type=Number(least, 3600), metavar="SECONDS", help=text)


_FILE = click.Path(path_type=Path, dir_okay=False)

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--trace", type=_FILE, help="Jobs from this CSV file (docs/reference/traces.md)."),
    click.option(
        "--generator",
        metavar="NAME",
        help="Jobs drawn by name: team, matrix, company, heavy-tails, merge-queue, retry-storm, night, trickle, tsz.",
    ),
    _whole("--trace-seed", 0, "The seed of --generator (1).", most=2**31 - 1),
    click.option(
        "--history",
        type=Number(0, 400, min_open=True),
        metavar="DAYS",
        help="Advise from the finished jobs of the last days at GitHub (needs --config).",
    ),
    click.option("--config", "config_path", type=_FILE, help="The scaler's configuration: pools and limits."),
    click.option(
        "--save", type=_FILE, help="Write the jobs of --history or --generator to this file, as a trace."
    ),
    click.option(
        "--begins",
        type=Moment(),
        metavar="TIME",
        help="When the trace begins, for the schedules of --config (2026-11-23T00:00, a Monday; UTC).",
    ),
    click.option(
        "--policy",
        "policies",
        multiple=True,
        metavar="NAME",
        help="cells (the default), one-per-cell, quiescent, crema, google-sample, or all; may be repeated.",
    ),
    _whole("--max-runners", 1, "Most instances at once (300; with --config its max_instances)."),
    _whole("--max-cells", 1, "Most cells, shared evenly by the pools (60)."),
    click.option(
        "--sizes",
        type=Sizes(),
        multiple=True,
        metavar="NxSIZE,…",
        help="The cells, such as 20x1,10x5; for one of several pools POOL=20x1,10x5.",
    ),
    _whole("--writes-per-minute", 1, "Writes that Cloud Run takes (30, or what --config says)."),
    _whole("--registrations-per-minute", 1, "Runners that may be registered (150, or what --config says)."),
    _seconds("--start-s", 0, "From a raised count to a container that is up (12)."),
    _seconds("--registration-s", 1, "From the wish for a runner to one that runs a job (6)."),
    _seconds("--restart-s", 0, "From a container's exit to its replacement (4)."),
    _whole("--warm", 0, "Parked instances on top of the busy ones (0; with --config the pools')."),
    _whole("--seed", 0, "The seed of chance in the simulated world (1).", most=2**31 - 1),
    _seconds("--list-lag-s", 0, "How long GitHub lists a job that runs as queued (0)."),
    click.option(
        "--price-of-waiting",
        type=Number(0, 1_000_000),
        metavar="USD_PER_HOUR",
        help="Advise on cells and warm: what an hour of one job's waiting is worth (10 with --history).",
    ),
    click.option("--vcpu", type=Vcpu(), metavar="N", help="The machine of an instance, for its price (4)."),
    click.option("--memory-gib", type=Number(0.5, 32), metavar="GIB", help="Its memory, for its price (16)."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
)


def simulate_options(command: _Command) -> _Command:
    """All options, in the order in which --help shows them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
