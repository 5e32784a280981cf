"""Which cells an assembled scaler knows, who may speak for them, and what a fault leaves of that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from github_api.secret import Secret
from scaler.cloud_run.wire import CELL_SECRET, ScalingMode, WorkerPool
from scaler.refusals import NotReady
from tests.factories import ACCOUNT, NOW, a_worker_pool
from tests.scaler_assembled import Assembled, assembled


@pytest.fixture
async def scaler(tmp_path: Path) -> AsyncIterator[Assembled]:
    scaler = assembled(tmp_path)
    yield scaler
    await scaler.parts.aclose()


async def test_before_the_first_reading_every_cell_is_still_to_be_known(scaler: Assembled) -> None:
    with pytest.raises(NotReady, match="Cloud Run has not been read"):
        scaler.parts.admission("linux-a")
    scaler.parts.directory.take([], read_at=NOW)
    assert scaler.parts.admission("linux-a") is None


async def test_a_cell_is_spoken_for_by_its_own_account(scaler: Assembled) -> None:
    scaler.parts.directory.take([a_worker_pool(count=3, size=4)], read_at=NOW)
    admission = scaler.parts.admission("linux-a")
    assert admission is not None
    assert (admission.account, admission.fault) == (ACCOUNT, None)
    assert (admission.cell.name, admission.cell.uid, admission.cell.room) == ("linux-a", "uid-1", 3)
    assert admission.cell.terms.shape.labels == ("self-hosted", "linux")


async def test_the_settle_time_of_the_configuration_ends_an_older_secret(tmp_path: Path) -> None:
    scaler = assembled(tmp_path, more="times: {settle: 90s}\n")
    directory = scaler.parts.directory
    for value, after, secrets in (("one", 0.0, 1), ("two", 5.0, 2), ("two", 94.0, 2), ("two", 95.0, 1)):
        directory.take([replace(a_worker_pool(), env={CELL_SECRET: Secret(value)})], read_at=NOW + after)
        assert len(directory.secrets("linux-a")) == secrets, after
    await scaler.parts.aclose()


@pytest.mark.parametrize(
    ("worker_pool", "fault", "pool"),
    [
        (replace(a_worker_pool(count=1), scaling_mode=ScalingMode.AUTOMATIC), "automatic scaling", "linux"),
        (a_worker_pool(count=1, pool="removed"), "'removed', which is no pool", "removed"),
        (replace(a_worker_pool(), count=None), "does not say its instance count", "linux"),
    ],
    ids=["automatic", "pool no longer configured", "no count"],
)
async def test_a_cell_at_fault_is_known_with_its_fault(
    scaler: Assembled, worker_pool: WorkerPool, fault: str, pool: str
) -> None:
    """What stands in it can then still be heard to its end."""
    scaler.parts.directory.take([worker_pool], read_at=NOW)
    admission = scaler.parts.admission("linux-a")
    assert admission is not None
    assert fault in (admission.fault or "")
    assert admission.cell.terms.pool == pool
