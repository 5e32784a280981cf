"""One row: a fact that must hold, and a way to take away what makes it hold."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`name` stands in the page. `holds` asserts the fact; `without` removes the handling and nothing else."""

    name: str
    holds: Callable[[], Awaitable[None] | None]
    without: Callable[[pytest.MonkeyPatch], None]

    def check(self) -> None:
        """Assert the fact."""
        told = self.holds()
        if inspect.iscoroutine(told):
            asyncio.run(told)


def patched(target: object, name: str, value: object) -> Callable[[pytest.MonkeyPatch], None]:
    """A handling that is removed by setting one attribute."""
    return lambda patch: patch.setattr(target, name, value)
