"""PURE: the record store: one record per cell and one of the deployment, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count

from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord, Gate, Outcome, Refused

OWNER = "simulated"


class ModelStore:
    """Linearizable (assumption A1). `written(cell, before, after)` sees every change of a cell's record, `noted(before, after)`
    every change of the deployment's. `numbers`: for names that nobody has had before.
    """

    def __init__(
        self,
        cells: Iterable[str],
        written: Callable[[str, CellRecord, CellRecord], None],
        noted: Callable[[DeploymentRecord, DeploymentRecord], None],
    ) -> None:
        self._written = written
        self._noted = noted
        self.numbers = count(1)
        self.cells = {
            name: CellRecord(owner=OWNER, uid=name, gate=Gate.CLOSED, zero_seen=True, zeroed_at=0.0)
            for name in cells
        }
        self.deployment = DeploymentRecord(owner=OWNER)

    def change(self, cell: str, transition: Callable[[CellRecord], Outcome]) -> Outcome:
        """The record after the change, or why it was refused."""
        before = self.cells[cell]
        after = transition(before)
        if isinstance(after, Refused) or after is before or after == before:
            return after
        # Registrations that are left are cleared at once here; nothing is decided by them.
        after = replace(after, ghosts=())
        self.cells[cell] = after
        self._written(cell, before, after)
        return after

    def change_deployment(
        self, transition: Callable[[DeploymentRecord], DeploymentRecord | None]
    ) -> DeploymentRecord | None:
        """The record after the change; None when the transition declined."""
        before = self.deployment
        after = transition(before)
        if after is not None:
            self.deployment = after
            if after.requested is not before.requested:
                self._noted(before, after)
        return after
