"""Which worker pools are cells of this deployment, and what each was when it was last read.

The labels of a worker pool make it a cell; its template holds the cell's secret. So Cloud Run is the only register of cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from github_api.secret import Secret
from scaler.cloud_run.wire import ScalingMode, WorkerPool

DEPLOYMENT_LABEL = "runner-pool-deployment"
POOL_LABEL = "runner-pool-pool"
SIZE_LABEL = "runner-pool-size"

# The largest count a cell may be labelled with; above it a typo is likelier than a wish.
SIZE_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell as read at `read_at` (when that reading was begun). `fault`: why it must not be touched."""

    name: str
    pool: str
    size: int
    worker_pool: WorkerPool
    read_at: float
    fault: str | None


def cell_in(
    worker_pool: WorkerPool, *, deployment: str, pools: Collection[str], read_at: float
) -> Cell | None:
    """The cell that a worker pool is; None when it belongs to nobody or to another deployment."""
    labels = worker_pool.labels
    if labels.get(DEPLOYMENT_LABEL) != deployment or worker_pool.deleted:
        return None
    pool, written = labels.get(POOL_LABEL, ""), labels.get(SIZE_LABEL, "")
    size = int(written) if written.isascii() and written.isdigit() else 0
    fault = None
    if pool not in pools:
        fault = f"its label {POOL_LABEL} is {pool!r}, which is no pool of the configuration"
    elif not 1 <= size <= SIZE_MAX:
        fault = f"its label {SIZE_LABEL} is {written!r}; it must be a number from 1 to {SIZE_MAX}"
    elif worker_pool.scaling_mode is not ScalingMode.MANUAL:
        fault = "it is in automatic scaling, which stops busy instances; set its scaling mode to manual"
    elif worker_pool.count is None:
        fault = "Cloud Run does not say its instance count; set one by hand"
    return Cell(
        name=worker_pool.id, pool=pool, size=size, worker_pool=worker_pool, read_at=read_at, fault=fault
    )


class CellDirectory:
    """The cells of one deployment as last read."""

    def __init__(self, *, deployment: str, pools: Collection[str]) -> None:
        """`deployment`: the owner label to look for; `pools`: the configured names."""
        self._deployment = deployment
        self._pools = frozenset(pools)
        self._cells: dict[str, Cell] = {}
        self._older_secrets: dict[str, Secret] = {}
        self.read_at: float | None = None

    @property
    def cells(self) -> Mapping[str, Cell]:
        """Every cell by name."""
        return self._cells

    def take(self, worker_pools: Iterable[WorkerPool], *, read_at: float) -> None:
        """Take a complete reading of the region, begun at `read_at`."""
        found = (
            cell_in(each, deployment=self._deployment, pools=self._pools, read_at=read_at)
            for each in worker_pools
        )
        cells = {cell.name: cell for cell in found if cell is not None}
        for name, cell in cells.items():
            before = self._cells.get(name)
            if before is not None:
                self._keep_older_secret(before, cell)
        self._cells = cells
        self.read_at = read_at

    def secrets(self, cell: str) -> tuple[Secret, ...]:
        """The cell's secret, and during a rotation the one before it; none if its template has none."""
        known = self._cells.get(cell)
        current = None if known is None else known.worker_pool.cell_secret
        return tuple(
            each for each in (current, self._older_secrets.get(cell)) if each is not None and each.reveal()
        )

    def _keep_older_secret(self, before: Cell, now: Cell) -> None:
        old = before.worker_pool.cell_secret
        if old is not None and old != now.worker_pool.cell_secret:
            self._older_secrets[now.name] = old
