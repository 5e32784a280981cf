"""An asyncio loop without a clock or sockets: time jumps to the next timer, and a seed picks which ready task runs next.

Every handle belongs to the process in whose context it was made, so a process can be frozen or killed between any two
steps of its tasks. Knows nothing of what the tasks are.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

# The process a task belongs to; empty for the world around the processes.
PROCESS: contextvars.ContextVar[str] = contextvars.ContextVar("process", default="")


class Deadlock(Exception):
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """`freeze(process)` after each step gives for how many seconds the process now stands still."""

    def __init__(self, chance: Random, *, start: float, freeze: Callable[[str], float]) -> None:
        self._over = self._runs = False
        super().__init__()
        self._chance = chance
        self._now = start
        self._freeze = freeze
        self._handles: list[tuple[str, asyncio.Handle]] = []
        self._timers: list[tuple[float, int, str, asyncio.TimerHandle]] = []
        self._serial = count()
        self._tasks: list[asyncio.Task[Any]] = []
        self._frozen_until: dict[str, float] = {}
        self._dead: set[str] = set()
        self.failures: list[BaseException] = []

    def time(self) -> float:
        return self._now

    def freeze(self, process: str, *, until: float) -> None:
        """No task of this process runs before `until`; timers and replies pile up meanwhile."""
        self._frozen_until[process] = until

    def thaw(self) -> None:
        """Every frozen process goes on."""
        self._frozen_until.clear()

    def kill(self, process: str) -> None:
        """No task of this process ever runs again; nothing of it is cleaned up, as after SIGKILL."""
        self._dead.add(process)
        self._handles = [entry for entry in self._handles if entry[0] != process]

    def frozen(self, process: str) -> bool:
        """Whether the process stands still now."""
        return self._frozen_until.get(process, 0.0) > self._now

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until `main` is done. Raises what it raises, and Deadlock."""
        events._set_running_loop(self)
        self._runs = True
        try:
            task = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()
        finally:
            self._drop_everything()
            self._over, self._runs = True, False
            events._set_running_loop(None)

    def _step(self) -> None:
        while self._timers and self._timers[0][0] <= self._now:
            _, _, process, timer = heapq.heappop(self._timers)
            if not timer.cancelled() and process not in self._dead:
                self._handles.append((process, timer))
        if self._frozen_until:
            runnable = [place for place, (process, _) in enumerate(self._handles) if not self.frozen(process)]
        else:
            runnable = list(range(len(self._handles)))
        if not runnable:
            self._advance()
            return
        place = runnable[self._chance.randrange(len(runnable))] if len(runnable) > 1 else runnable[0]
        self._handles[place], self._handles[-1] = self._handles[-1], self._handles[place]
        process, handle = self._handles.pop()
        if handle.cancelled():
            return
        handle._run()
        if process and process not in self._dead:
            seconds = self._freeze(process)
            if seconds > 0:
                self.freeze(process, until=self._now + seconds)

    def _advance(self) -> None:
        moments = [self._timers[0][0]] if self._timers else []
        moments += [self._frozen_until[process] for process, _ in self._handles]
        if not moments:
            raise Deadlock("no timer is set and no task is ready")
        self._now = max(self._now, min(moments))
        self._frozen_until = {name: until for name, until in self._frozen_until.items() if until > self._now}

    def _drop_everything(self) -> None:
        """Close what still waits, so that nothing of this world wakes up in the next one."""
        self._handles.clear()
        self._timers.clear()
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # a killed process leaves its tasks pending on purpose
                coroutine = task.get_coro()
                assert isinstance(coroutine, Coroutine)
                coroutine.close()
        self._tasks.clear()

    # What asyncio's futures, tasks and time-outs ask of a loop.

    def call_soon(  # type: ignore[override]  # typeshed's variadic generics bring nothing here
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        owned = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, owned)
        process = owned.get(PROCESS, "")
        if process not in self._dead:
            self._handles.append((process, handle))
        return handle

    def call_later(  # type: ignore[override]  # as above
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # as above
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        owned = contextvars.copy_context() if context is None else context
        timer = asyncio.TimerHandle(when, callback, args, self, owned)
        process = owned.get(PROCESS, "")
        heapq.heappush(self._timers, (when, next(self._serial), process, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is skipped when its moment comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, context=context)
        self._tasks.append(task)
        if len(self._tasks) > 2_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._runs

    def is_closed(self) -> bool:
        return self._over

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if failure is not None:
            self.failures.append(failure)
