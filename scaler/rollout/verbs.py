"""The verbs rollout, drain, resume, resize and destroy: look, decide, act, until every cell is as wished or the time is over.

An ordinary client of records and Cloud Run, like `once`: no service is needed, and one that runs is no hindrance.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cell_records.errors import RecordError, StoreRefused
from cell_records.holds import Hold
from scaler.assembly import cloud_run_of, records_of
from scaler.budget import MinuteBudget
from scaler.cell_writer import CellWriter
from scaler.config import Config, load_config
from scaler.config.model import CloudRunSection
from scaler.errors import (
    CanaryUntried,
    ChangeUnfinished,
    CloudRunError,
    ConfigError,
    RecordsUnusable,
)
from scaler.rollout.cells import CellNow, Goal, Task
from scaler.rollout.clock import sound_clock
from scaler.rollout.endings import error_of
from scaler.rollout.performer import Performer, Selection
from scaler.rollout.rounds import Do, Round, given_up, next_round
from scaler.rollout.template import Wish

# How much of the project's writes a minute these verbs take: the rest stays for the scaler's growth.
WRITE_SHARE = 0.3

# How long a verb waits between two looks: after a step, and while it only waits, for jobs mostly.
LOOK_AGAIN_SECONDS = 1.0
LOOK_AGAIN_IDLE_SECONDS = 3.0

# What cannot be read for so long at the beginning will not be read by waiting: a permission or a bucket is missing.
FIRST_LOOK_SECONDS = 60.0

# What becomes of a cell that is let go of.
LEFT_AS = {Do.LEAVE_HELD: "stays held until the next command", Do.RELEASE_ANEW: "serves with what is wished"}

# How long a command that is interrupted takes to let go of what it holds; GitHub kills a cancelled step after some seconds more.
LAST_WORDS_SECONDS = 5.0

# Of how many cells of a pool one is held at a time, unless told otherwise.
CELLS_PER_HELD_ONE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a verb was asked for. `at_once` 0: a fifth of the cells. Seconds, and counts."""

    hold: str
    goal: Goal
    pool: str | None = None
    cells: tuple[str, ...] = ()
    wish: Wish | None = None
    take_over: bool = False
    at_once: int = 0
    canary: bool = False
    canary_seconds: float = 1800.0
    timeout_seconds: float = 28_800.0
    how_back: str = ""


def run(config_path: Path, env: Mapping[str, str], wanted: Wanted) -> int:
    """Do it; gives 0 when every cell is as wished. Raises KeyboardInterrupt when it is interrupted, and
    ScalerError: CellsLeft, CanaryFailed, CanaryUntried, ChangeUnfinished, ConfigError, RecordsUnusable and CloudRunError.
    """
    config = load_config(config_path, env)
    try:
        return asyncio.run(_run(config, wanted))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def write_share(section: CloudRunSection) -> int:
    """How many writes a minute a verb may make."""
    return max(1, int(section.writes_per_minute * WRITE_SHARE))


async def _run(config: Config, wanted: Wanted) -> int:
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    cloud, records = cloud_run_of(config), records_of(config)
    clock = sound_clock(time.time, lambda: cloud.told_time, say=say)
    budget = MinuteBudget(write_share(config.cloud_run))
    writer = CellWriter(
        cloud,
        records,
        budget=budget,
        settle_seconds=config.times.settle.total_seconds(),
        clock=clock,
        sleep=asyncio.sleep,
        on_change=lambda: None,
        follow_seconds=0.0,
    )
    selection = Selection(
        deployment=config.deployment,
        pools=[pool.name for pool in config.pools],
        pool=wanted.pool,
        cells=wanted.cells,
    )
    try:

        def performer(task: Task) -> Performer:
            return Performer(
                task,
                selection,
                cloud=cloud,
                records=records,
                writer=writer,
                budget=budget,
                owner=config.deployment,
                clock=clock,
            )

        verb = Verb(
            wanted,
            performer,
            settle_seconds=config.times.settle.total_seconds(),
            clock=clock,
            timer=time.monotonic,
            sleep=asyncio.sleep,
            say=say,
        )
        await verb.run()
    finally:
        await cloud.aclose()
    return 0


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


class Verb:
    """One run of one verb."""

    def __init__(
        self,
        wanted: Wanted,
        performer: Callable[[Task], Performer],
        *,
        settle_seconds: float,
        clock: Callable[[], float],
        timer: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        say: Callable[[str], None],
    ) -> None:
        """`performer`: makes the hands for a task; `settle_seconds`: how long a cell rests after its zero; `clock`: seconds since
        the epoch, `timer`: seconds that never jump; `say`: takes lines of progress.
        """
        self._settle_seconds = settle_seconds
        self._wanted = wanted
        self._performer = performer
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._say = say
        self._said: dict[str, str] = {}
        self._fault = ""
        self._trial_since: float | None = None

    async def run(self) -> None:
        """Until every cell is as wished. Raises what `run` above does."""
        deadline = self._timer() + self._wanted.timeout_seconds
        task = await self._task(deadline)
        hands = self._performer(task)
        try:
            last = await self._last_round(task, hands, deadline)
        except (CloudRunError, CanaryUntried):
            await self._let_go(task, hands)
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await self._let_go(task, hands)
            raise
        self._ended(last)

    async def _last_round(self, task: Task, hands: Performer, deadline: float) -> Round:
        """Look, decide and act until there is an end. Raises CanaryUntried, ChangeUnfinished, RecordsUnusable, CloudRunError."""
        while True:
            pause = LOOK_AGAIN_SECONDS
            cells = await self._looked(hands)
            if cells is not None:
                current = next_round(task, cells, now=self._clock())
                await self._act(hands, current)
                pause = LOOK_AGAIN_SECONDS if current.actions else LOOK_AGAIN_IDLE_SECONDS
                if current.end is not None:
                    await hands.settle()
                    return current
                if self._is_untried(current):
                    raise self._untried(current)
            if self._timer() >= deadline:
                await self._give_up(task, hands)
            await self._sleep(pause)

    async def _task(self, deadline: float) -> Task:
        """The work, once it is known how many cells there are."""
        wanted = self._wanted

        def task(at_once: int) -> Task:
            wish = "" if wanted.wish is None else wanted.wish.fingerprint
            return Task(
                hold=Hold(verb=wanted.hold, wish=wish, since=int(self._clock())).text,
                take_over=wanted.take_over,
                goal=wanted.goal,
                at_once=at_once,
                wish=wanted.wish,
                canary=wanted.canary,
                settle_seconds=self._settle_seconds,
            )

        deadline = min(deadline, self._timer() + FIRST_LOOK_SECONDS)
        hands = self._performer(task(0))
        while (cells := await self._looked(hands)) is None:
            if self._timer() >= deadline:
                raise RecordsUnusable(f"Nothing could be read, and nothing was done: {self._fault}")
            await self._sleep(LOOK_AGAIN_SECONDS)
        missing = hands.missing()
        if wanted.goal is Goal.DELETE and not (hands.names_no_pool and not cells):
            # What an earlier run has deleted is what was asked for.
            for cell in missing:
                self._say(f"{cell}: there is no such cell, or no more")
            return task(len(cells))
        if missing or not cells:
            of = f" of pool {wanted.pool}" if wanted.pool else ""
            what = (
                f"There is no cell named {', '.join(missing)}{of}." if missing else f"There is no cell{of}."
            )
            raise ConfigError(what, remedy="`runner-pool plan` shows the cells of this deployment.")
        every = wanted.goal is not Goal.CHANGE
        return task(len(cells) if every else wanted.at_once or max(1, len(cells) // CELLS_PER_HELD_ONE))

    async def _looked(self, hands: Performer) -> list[CellNow] | None:
        """The cells as they are; None when they could not be read now. Raises what no further try would cure."""
        try:
            cells = await hands.look()
        except StoreRefused as error:
            raise RecordsUnusable(str(error)) from error
        except (RecordError, CloudRunError) as error:
            if isinstance(error, CloudRunError) and not error.may_retry:
                raise
            self._tell_fault(str(error))
            return None
        self._fault = ""
        return cells

    async def _act(self, hands: Performer, current: Round) -> None:
        self._tell(hands, current)
        for action in current.actions:
            try:
                await hands.perform(action)
            except StoreRefused as error:
                raise RecordsUnusable(str(error)) from error
            except RecordError as error:
                self._tell_fault(str(error))

    async def _let_go(self, task: Task, hands: Performer) -> bool:
        """Let cells that were held for nothing serve again; whether that could be done."""
        await hands.settle()
        try:
            for action in given_up(task, await hands.look()):
                await hands.perform(action)
                self._say(f"{action.cell}: {LEFT_AS.get(action.do, 'serves as before')}")
        except (RecordError, CloudRunError) as error:
            self._tell_fault(str(error))
            return False
        return True

    async def _give_up(self, task: Task, hands: Performer) -> None:
        """Raise, after cells that were held for nothing serve again."""
        waiting = "; ".join(f"{cell}: {why}" for cell, why in sorted(self._said.items()))
        if await self._let_go(task, hands) and task.goal is Goal.CHANGE:
            kept = "Cells that were not changed yet serve again."
        else:
            kept = f"All of them stay held for {task.hold}."
        raise ChangeUnfinished(
            f"After {self._wanted.timeout_seconds:.0f} s not every cell is as wished ({waiting or self._fault}). {kept}",
            remedy="What was done stays done; the same command goes on where it was. A cell waits for its jobs: see --timeout.",
        )

    def _is_untried(self, current: Round) -> bool:
        if current.trial is None:
            self._trial_since = None
            return False
        if self._trial_since is None:
            self._trial_since = self._timer()
        return self._timer() >= self._trial_since + self._wanted.canary_seconds

    def _untried(self, current: Round) -> CanaryUntried:
        return CanaryUntried(
            f"Cell {current.trial} has the new template, and in {self._wanted.canary_seconds:.0f} s no job has come to its "
            f"end in it; the {current.total - 1} other cells are untouched.",
            remedy="Jobs go to it first. Run the same command again to wait on, or with --no-canary to change the others now; "
            f"to go back: {self._wanted.how_back}",
        )

    def _ended(self, current: Round) -> None:
        error = error_of(current, hold=self._wanted.hold, how_back=self._wanted.how_back)
        if error is not None:
            raise error
        gone = self._wanted.goal is Goal.DELETE
        done = "no such cell is left" if gone else f"{current.total} cells are as wished"
        self._say(f"{self._wanted.hold}: done, {done}")

    def _tell(self, hands: Performer, current: Round) -> None:
        """A line for each cell whose state has changed, and for the number of those that are done."""
        lines = {**current.waits, **hands.told, **current.left}
        for cell, why in lines.items():
            if self._said.get(cell) != why:
                self._say(f"{cell}: {why}")
        for cell in self._said.keys() - lines.keys():
            if cell in current.as_wished:
                now = f"as wished ({len(current.as_wished)} of {current.total})"
            elif self._wanted.goal is Goal.DELETE:
                now = "its record is removed too"
            else:
                now = "serves as before"
            self._say(f"{cell}: {now}")
        self._said = lines

    def _tell_fault(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self._say(fault)
