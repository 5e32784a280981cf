"""Writes a trace as the CSV file that `runner-pool simulate --trace` reads.

The one place of the command that knows of that file.
"""

from __future__ import annotations

import csv
from pathlib import Path

from runner_pool.errors import UsageError
from simulator.trace import Trace

COLUMNS = ("queued_at_s", "duration_s", "labels", "repo", "workflow", "job")


def save_trace(trace: Trace, path: Path) -> None:
    """One line for each job; labels are separated by `;`. Raises UsageError when the file cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(COLUMNS)
            lines.writerows(
                (
                    f"{job.queued_at:.3f}",
                    f"{job.duration:.3f}",
                    ";".join(sorted(job.labels)),
                    job.repository,
                    job.workflow,
                    job.job,
                )
                for job in trace
            )
    except OSError as error:
        raise UsageError(
            f"--save {path}: {error.strerror or error}",
            remedy="name a file in a folder that you may write to",
        ) from error
