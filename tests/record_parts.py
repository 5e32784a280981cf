"""Changes of a record that several tests of records make, and the leases that they are about."""

from __future__ import annotations

from cell_records.record import CellRecord, Outcome, ended, leased
from tests.factories import NOW, a_lease

SETTLE = 80.0
LEASE = a_lease()
SERVING = a_lease(runner_id=7, job_id=70, repository="acme/widgets")


def lease_to(
    record: CellRecord, *, lease_id: str = "lease-1", ask: int = 1, uptime: float = 5.0, room: int = 4
) -> Outcome:
    """Ask for a lease the way a young boot does."""
    return leased(record, a_lease(lease_id=lease_id, ask=ask), uptime_seconds=uptime, room=room, now=NOW)


def end(
    record: CellRecord, *, lease_id: str = "lease-1", boot: str = "boot-1", close: bool = False
) -> Outcome:
    """Give a lease back after its job was served."""
    return ended(record, lease_id=lease_id, boot=boot, close=close, job_served=True, now=NOW)
