"""Writes a trace to the file that `--save` names, as `runner-pool simulate --trace` reads it (docs/reference/traces.md)."""

from __future__ import annotations

from pathlib import Path

from runner_pool.errors import UsageError
from simulator.errors import TraceUnusable
from simulator.trace import Trace
from simulator.trace_file import write_trace


def save_trace(trace: Trace, path: Path) -> None:
    """One line for each job. Raises UsageError when the file cannot be written, or cannot hold these jobs."""
    try:
        write_trace(trace, path)
    except TraceUnusable as error:
        raise UsageError(f"--save: {error.what}", cause=error.cause, remedy=error.remedy) from error
