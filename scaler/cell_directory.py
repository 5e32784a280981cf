"""Which worker pools are cells of this deployment, and what each was when it was last read.

The labels of a worker pool make it a cell; its template holds the cell's secret. So Cloud Run is the only register of cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from github_api.secret import Secret
from scaler.cloud_run.wire import ScalingMode, WorkerPool

DEPLOYMENT_LABEL = "runner-pool-deployment"
POOL_LABEL = "runner-pool-pool"
SIZE_LABEL = "runner-pool-size"

# The largest count a cell may be labelled with; above it a typo is likelier than a wish.
SIZE_MAX = 100

# A change of a count is done in seconds; one that lasts so much longer is worth a word, and no more than that.
SLOW_CHANGE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell as read at `read_at` (when that reading was begun). `fault`: why it must not be touched. `unsettled_since`: when
    this process first read that Cloud Run is at a change which it has not finished yet.
    """

    name: str
    pool: str
    size: int
    worker_pool: WorkerPool
    read_at: float
    fault: str | None
    unsettled_since: float | None = None

    def slow(self, *, now: float) -> str | None:
        """What is told of a change that takes long; nothing is concluded from it."""
        since = self.unsettled_since
        if since is None or now < since + SLOW_CHANGE_SECONDS:
            return None
        at = datetime.fromtimestamp(since, UTC)
        return f"Cloud Run has not finished the change of this worker pool that was seen at {at:%H:%M:%S} UTC"


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
    elif worker_pool.service_account is None:
        fault = "its template names no service account, so callers cannot be told apart; give it one without any role"
    elif not _can_be_sent(worker_pool.cell_secret):
        fault = (
            "its secret holds white space, a line break or a character that is not ASCII, so its instances cannot send it; "
            "give it another one, such as that of `openssl rand -hex 32`"
        )
    return Cell(
        name=worker_pool.id, pool=pool, size=size, worker_pool=worker_pool, read_at=read_at, fault=fault
    )


def _can_be_sent(secret: Secret | None) -> bool:
    """Whether it is fit for an HTTP header to the letter: agents refuse to start with any other, none is another matter."""
    text = "" if secret is None else secret.reveal()
    return all("!" <= character <= "~" for character in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OlderSecret:
    """What a worker pool's template held before. `replaced_at`: when the first reading without it was begun."""

    secret: Secret
    uid: str
    replaced_at: float


class CellDirectory:
    """The cells of one deployment as last read."""

    def __init__(self, *, deployment: str, pools: Collection[str], settle_seconds: float) -> None:
        """`deployment`: the owner label to look for; `pools`: the configured names; `settle_seconds`: how long the
        secret before a rotation is good after a reading has shown the new one.
        """
        self._deployment = deployment
        self._pools = frozenset(pools)
        self._settle_seconds = settle_seconds
        self._cells: dict[str, Cell] = {}
        self._older_secrets: dict[str, _OlderSecret] = {}
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
        holders = _holders(cells.values())
        self._older_secrets = self._good_older_secrets(cells, holders)
        alone = {name: _alone_with_its_secret(cell, holders) for name, cell in cells.items()}
        self._cells = {name: self._timed(cell) for name, cell in alone.items()}
        self.read_at = read_at

    def _timed(self, cell: Cell) -> Cell:
        """The cell with the moment since when it is under the same change."""
        now, before = cell.worker_pool, self._cells.get(cell.name)
        if now.generation == now.observed_generation and not now.reconciling:
            return cell
        same = (
            before is not None
            and before.worker_pool.uid == now.uid
            and before.worker_pool.generation == now.generation
        )
        since = before.unsettled_since if same and before is not None else None
        return replace(cell, unsettled_since=cell.read_at if since is None else since)

    def secrets(self, cell: str) -> tuple[Secret, ...]:
        """The cell's secret, and during a rotation the one before it; none if its template has none."""
        known, older = self._cells.get(cell), self._older_secrets.get(cell)
        current = None if known is None else _secret_of(known)
        return tuple(each for each in (current, None if older is None else older.secret) if each is not None)

    def _good_older_secrets(
        self, cells: Mapping[str, Cell], holders: Mapping[Secret, Collection[str]]
    ) -> dict[str, _OlderSecret]:
        """What is still good of the secrets that stood here before, now that `cells` were read."""
        good: dict[str, _OlderSecret] = {}
        for name, cell in cells.items():
            older, before = self._older_secrets.get(name), self._cells.get(name)
            replaced = None if before is None else _secret_of(before)
            if before is not None and replaced is not None and replaced != _secret_of(cell):
                older = _OlderSecret(secret=replaced, uid=before.worker_pool.uid, replaced_at=cell.read_at)
            if (
                older is not None
                and older.uid == cell.worker_pool.uid
                and cell.read_at < older.replaced_at + self._settle_seconds
                and not holders.get(older.secret)
            ):
                good[name] = older
        return good


def _secret_of(cell: Cell) -> Secret | None:
    """An empty secret is none: everybody knows it."""
    secret = cell.worker_pool.cell_secret
    return secret if secret is not None and secret.reveal() else None


def _holders(cells: Iterable[Cell]) -> Mapping[Secret, Collection[str]]:
    """Secret -> the names of the cells whose templates hold it."""
    holders: defaultdict[Secret, list[str]] = defaultdict(list)
    for cell in cells:
        secret = _secret_of(cell)
        if secret is not None:
            holders[secret].append(cell.name)
    return holders


def _alone_with_its_secret(cell: Cell, holders: Mapping[Secret, Collection[str]]) -> Cell:
    """The cell, at fault when others hold its secret: an instance of theirs could then speak for this one."""
    secret = _secret_of(cell)
    others = [] if secret is None else sorted(set(holders[secret]) - {cell.name})
    if not others:
        return cell
    shared = f"its secret is also that of cell {', '.join(others)}; give each cell its own"
    return replace(cell, fault=shared if cell.fault is None else f"{cell.fault}; {shared}")
