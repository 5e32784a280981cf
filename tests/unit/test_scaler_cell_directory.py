"""Which worker pools are cells, what keeps one from being touched, and the secrets of cells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from github_api.secret import Secret
from scaler.cell_directory import (
    DEPLOYMENT_LABEL,
    POOL_LABEL,
    SIZE_LABEL,
    SIZE_MAX,
    SLOW_CHANGE_SECONDS,
    Cell,
    CellDirectory,
    cell_in,
)
from scaler.cloud_run.wire import CELL_SECRET, ScalingMode, WorkerPool
from tests.factories import NOW, OWNER, a_worker_pool

SETTLE = 80.0
UNSENDABLE = ("AAAA\nBBBB", "AAAABBBB\n", " AAAABBBB", "AAAA BBBB", "AAAA\x7fBBBB", "AAAAéBBBB", " ")
"""Secrets that no HTTP header carries to the letter; agents refuse them."""


def labelled(**labels: str | None) -> WorkerPool:
    """A cell of two with some labels changed, or left out (None)."""
    plain: dict[str, str | None] = {DEPLOYMENT_LABEL: OWNER, POOL_LABEL: "linux", SIZE_LABEL: "2"}
    names = {"deployment": DEPLOYMENT_LABEL, "pool": POOL_LABEL, "size": SIZE_LABEL}
    plain |= {names[name]: value for name, value in labels.items()}
    return replace(
        a_worker_pool(), labels={name: value for name, value in plain.items() if value is not None}
    )


def with_secret(value: str | None, *, name: str = "linux-a", uid: str = "uid-1") -> WorkerPool:
    return replace(a_worker_pool(name, uid=uid), env={} if value is None else {CELL_SECRET: Secret(value)})


def read(worker_pool: WorkerPool) -> Cell | None:
    return cell_in(worker_pool, deployment=OWNER, pools=("linux", "gpu"), read_at=NOW)


def a_directory() -> CellDirectory:
    return CellDirectory(deployment=OWNER, pools=("linux",), settle_seconds=SETTLE)


def revealed(directory: CellDirectory, cell: str = "linux-a") -> list[str]:
    return [secret.reveal() for secret in directory.secrets(cell)]


def test_any_visible_character_may_stand_in_a_secret() -> None:
    cell = read(with_secret("".join(map(chr, range(0x21, 0x7F)))))
    assert cell is not None
    assert cell.fault is None


def test_the_labels_make_a_worker_pool_a_cell() -> None:
    cell = read(labelled(pool="gpu", size="4"))
    assert cell is not None
    assert (cell.name, cell.pool, cell.size, cell.read_at, cell.fault) == ("linux-a", "gpu", 4, NOW, None)


@pytest.mark.parametrize(
    "worker_pool",
    [
        labelled(deployment=None),
        labelled(deployment="somebody-else"),
        labelled(deployment=OWNER.upper()),
        replace(labelled(), deleted=True),
    ],
    ids=["without the label", "of another deployment", "of one in another case", "being deleted"],
)
def test_any_other_worker_pool_is_nobodys(worker_pool: WorkerPool) -> None:
    """Two deployments never share a cell, and what is nobody's is not even listed."""
    assert read(worker_pool) is None


@pytest.mark.parametrize(
    ("worker_pool", "fault"),
    [
        (labelled(pool="windows"), "'windows', which is no pool"),
        (labelled(pool=None), "'', which is no pool"),
        (labelled(size=None), "must be a number"),
        (labelled(size="0"), "must be a number"),
        (labelled(size="-1"), "must be a number"),
        (labelled(size="2.0"), "must be a number"),
        (labelled(size="²"), "must be a number"),
        (labelled(size="٣"), "must be a number"),
        (labelled(size=str(SIZE_MAX + 1)), f"from 1 to {SIZE_MAX}"),
        (replace(labelled(), scaling_mode=ScalingMode.AUTOMATIC), "automatic scaling"),
        (replace(labelled(), scaling_mode=ScalingMode.OTHER), "automatic scaling"),
        (replace(labelled(), count=None), "does not say its instance count"),
        (replace(labelled(), service_account=None), "names no service account, so callers cannot be told"),
        *((with_secret(text), "so its instances cannot send it; give it another") for text in UNSENDABLE),
    ],
)
def test_a_cell_that_must_not_be_touched_says_why(worker_pool: WorkerPool, fault: str) -> None:
    cell = read(worker_pool)
    assert cell is not None
    assert cell.fault is not None
    assert fault in cell.fault


def test_a_fault_never_repeats_the_secret() -> None:
    for text in UNSENDABLE:
        cell = read(with_secret(text))
        assert cell is not None
        assert "AAAA" not in str(cell.fault)


@pytest.mark.parametrize("size", [1, SIZE_MAX])
def test_the_smallest_and_the_largest_size_are_allowed(size: int) -> None:
    cell = read(labelled(size=str(size)))
    assert cell is not None
    assert (cell.size, cell.fault) == (size, None)


def test_a_reading_replaces_the_one_before() -> None:
    """A worker pool that is no longer listed is no longer a cell."""
    directory = a_directory()
    assert directory.read_at is None
    directory.take([a_worker_pool("linux-a"), a_worker_pool("linux-b")], read_at=NOW)
    directory.take([a_worker_pool("linux-b", count=1)], read_at=NOW + 5.0)
    assert set(directory.cells) == {"linux-b"}
    assert directory.cells["linux-b"].worker_pool.count == 1
    assert directory.read_at == NOW + 5.0


def test_the_secret_of_a_cell_stands_in_its_template() -> None:
    directory = a_directory()
    directory.take([with_secret("one")], read_at=NOW)
    assert revealed(directory) == ["one"]
    assert revealed(directory, "linux-b") == []


@pytest.mark.parametrize("worker_pool", [with_secret(None), with_secret("")], ids=["none", "empty"])
def test_a_cell_without_a_secret_lets_nobody_in(worker_pool: WorkerPool) -> None:
    """An empty secret is one that everybody knows."""
    directory = a_directory()
    directory.take([worker_pool], read_at=NOW)
    assert revealed(directory) == []


def test_during_a_rotation_the_older_secret_is_good_too() -> None:
    """Instances of the older template are still there when the newer one is read."""
    directory = a_directory()
    for value in ("one", "two", "two"):
        directory.take([with_secret(value)], read_at=NOW)
    assert revealed(directory) == ["two", "one"]


def test_a_second_rotation_ends_the_oldest_secret() -> None:
    directory = a_directory()
    for value in ("one", "two", "three"):
        directory.take([with_secret(value)], read_at=NOW)
    assert revealed(directory) == ["three", "two"]


def test_a_secret_that_was_replaced_is_good_until_the_settle_time_is_over() -> None:
    """Counted from the reading that showed the new one; who held the older by then has left."""
    directory = a_directory()
    directory.take([with_secret("one")], read_at=NOW)
    directory.take([with_secret("two")], read_at=NOW + 500.0)
    directory.take([with_secret("two")], read_at=NOW + 500.0 + SETTLE - 0.5)
    assert revealed(directory) == ["two", "one"]
    directory.take([with_secret("two")], read_at=NOW + 500.0 + SETTLE)
    assert revealed(directory) == ["two"]


def test_a_worker_pool_that_was_made_anew_inherits_no_secret() -> None:
    """Neither the last one of its predecessor nor one that was on its way out."""
    directory = a_directory()
    for value, uid in (("one", "uid-1"), ("two", "uid-1"), ("three", "uid-2")):
        directory.take([with_secret(value, uid=uid)], read_at=NOW)
    assert revealed(directory) == ["three"]


def test_a_secret_that_has_moved_on_to_another_cell_no_longer_opens_the_first() -> None:
    directory = a_directory()
    directory.take([with_secret("one")], read_at=NOW)
    directory.take([with_secret("two"), with_secret("one", name="linux-b")], read_at=NOW + 5.0)
    assert (revealed(directory), revealed(directory, "linux-b")) == (["two"], ["one"])
    assert [cell.fault for cell in directory.cells.values()] == [None, None]


def test_cells_that_share_a_secret_are_all_at_fault_until_each_has_its_own() -> None:
    """An instance of one could speak for the other: lease in its record, or end its leases."""
    directory, names = a_directory(), ("linux-a", "linux-b", "linux-c")
    directory.take([with_secret("one", name=name) for name in names], read_at=NOW)
    assert [directory.cells[name].fault for name in names] == [
        "its secret is also that of cell linux-b, linux-c; give each cell its own",
        "its secret is also that of cell linux-a, linux-c; give each cell its own",
        "its secret is also that of cell linux-a, linux-b; give each cell its own",
    ]
    directory.take([with_secret(name, name=name) for name in names], read_at=NOW + 5.0)
    assert [directory.cells[name].fault for name in names] == [None, None, None]


@pytest.mark.parametrize("value", [None, ""], ids=["none", "empty"])
def test_cells_without_a_secret_share_none(value: str | None) -> None:
    directory = a_directory()
    directory.take([with_secret(value), with_secret(value, name="linux-b")], read_at=NOW)
    assert [cell.fault for cell in directory.cells.values()] == [None, None]


def test_a_shared_secret_is_told_beside_any_other_fault() -> None:
    directory = a_directory()
    automatic = replace(with_secret("one"), scaling_mode=ScalingMode.AUTOMATIC)
    directory.take([automatic, with_secret("one", name="linux-b")], read_at=NOW)
    told = directory.cells["linux-a"].fault or ""
    assert "automatic scaling" in told
    assert "also that of cell linux-b" in told


def test_a_secret_does_not_show_in_a_cells_repr() -> None:
    directory = a_directory()
    directory.take([with_secret("hunter2")], read_at=NOW)
    assert "hunter2" not in repr(directory.cells)


def test_a_change_that_lasts_is_told_with_the_moment_it_was_seen_and_a_new_change_begins_anew() -> None:
    directory = a_directory()

    def told(seconds: float, **changed: object) -> str | None:
        pool = replace(labelled(), **changed)  # type: ignore[arg-type]  # its fields
        directory.take([pool], read_at=NOW + seconds)
        return directory.cells["linux-a"].slow(now=NOW + seconds)

    changing = {"generation": 5, "observed_generation": 4, "reconciling": True}
    assert told(0.0, **changing) is None
    assert told(SLOW_CHANGE_SECONDS - 0.1, **changing) is None
    assert told(SLOW_CHANGE_SECONDS, **changing) == (
        "Cloud Run has not finished the change of this worker pool that was seen at 13:46:40 UTC"
    )
    assert told(SLOW_CHANGE_SECONDS + 1.0, **{**changing, "generation": 6}) is None
    assert told(SLOW_CHANGE_SECONDS + 2.0) is None
    assert told(SLOW_CHANGE_SECONDS + 3.0, **changing) is None
