"""PURE: notes which job a lease has, and removes leases whose end a witness has shown, as scaler/cell_keeper.py does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cell_records.record import CellRecord, Lease, job_completed, job_known, timed_out
from simulator.cells.desk import Desk
from simulator.cells.github import ModelGitHub
from simulator.cells.store import ModelStore


def keep_records(
    store: ModelStore,
    desk: Desk,
    github: ModelGitHub,
    job_of_runner: Mapping[int, int],
    *,
    suspect: float,
    now: float,
) -> None:
    """Bring every record up to date. `job_of_runner`: what readings have shown. `suspect`: seconds of silence."""
    for name, record in list(store.cells.items()):
        if not record.leases:
            continue
        if _is_late(record, now) and not _speaks_past_its_end(record, desk, suspect=suspect, now=now):
            store.change(name, partial(timed_out, now=now))
        for lease in record.leases:
            job = job_of_runner.get(lease.runner_id or 0)
            if job is not None:
                _note_job(store, desk, github, lease, cell=name, job=job, now=now)


def _is_late(record: CellRecord, now: float) -> bool:
    return any(now > min(each.hard_end, each.dying_until or each.hard_end) for each in record.leases)


def _speaks_past_its_end(record: CellRecord, desk: Desk, *, suspect: float, now: float) -> bool:
    """Whether a lease is heard of that should be over; then nothing is concluded from the time."""
    late = (each for each in record.leases if now > each.hard_end and each.dying_until is None)
    return any(desk.silence(each.id) <= suspect for each in late)


def _note_job(
    store: ModelStore,
    desk: Desk,
    github: ModelGitHub,
    lease: Lease,
    *,
    cell: str,
    job: int,
    now: float,
) -> None:
    assert lease.runner_id is not None
    if lease.job_id is None:
        known = partial(
            job_known, lease_id=lease.id, runner_id=lease.runner_id, job_id=job, repository="acme"
        )
        store.change(cell, known)
    elif desk.may_ask_about(lease.id):
        # GitHub is asked once a minute, whatever it says.
        desk.asked_at[lease.id] = now
        if github.jobs[job - 1].ended_at is not None:
            completed = partial(
                job_completed, lease_id=lease.id, job_id=job, runner_id=lease.runner_id, now=now
            )
            store.change(cell, completed)
