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
        if _is_late(record, now):
            store.change(name, partial(timed_out, now=now))
        for lease in record.leases:
            job = job_of_runner.get(lease.runner_id or 0)
            if job is not None:
                silent = desk.silence(lease.id) > suspect
                _note_job(store, github, lease, cell=name, job=job, silent=silent, now=now)


def _is_late(record: CellRecord, now: float) -> bool:
    return any(now > min(each.hard_end, each.dying_until or each.hard_end) for each in record.leases)


def _note_job(
    store: ModelStore,
    github: ModelGitHub,
    lease: Lease,
    *,
    cell: str,
    job: int,
    silent: bool,
    now: float,
) -> None:
    assert lease.runner_id is not None
    if lease.job_id is None:
        known = partial(
            job_known, lease_id=lease.id, runner_id=lease.runner_id, job_id=job, repository="acme"
        )
        store.change(cell, known)
    elif silent and github.jobs[job - 1].ended_at is not None:
        completed = partial(job_completed, lease_id=lease.id, job_id=job, runner_id=lease.runner_id, now=now)
        store.change(cell, completed)
