"""Cells that the command makes in the stand-in cloud, as the scaler will find them."""

import json
import os
from collections.abc import Iterator, Sequence

import httpx
import pytest

from runner_pool import errors
from runner_pool.provision import Cell, create_cells
from runner_pool.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.started(env=os.environ, time_factor=0.01) as started:
        yield started


def created(world: World, *, pool: str, sizes: Sequence[int]) -> tuple[Cell, ...]:
    """Cells of a pool whose containers would only wait."""
    place = world.announcement
    return create_cells(
        cloud_url=place.cloud_url,
        project=place.project,
        region=place.region,
        deployment="acme-ci",
        pool=pool,
        sizes=sizes,
        command=["/bin/sleep", "100"],
        env={"RUNNER_POOL_SCALER_URL": "http://127.0.0.1:9"},
    )


def test_a_cell_carries_its_labels_and_a_secret_of_its_own_and_starts_nothing(world: World) -> None:
    cells = created(world, pool="linux", sizes=(1, 2, 4))
    assert [cell.id for cell in cells] == ["linux-s1-1", "linux-s2-2", "linux-s4-3"]
    assert len({cell.secret for cell in cells}) == 3
    place = world.announcement
    parent = f"{place.cloud_url}/v2/projects/{place.project}/locations/{place.region}/workerPools"
    for cell in cells:
        seen = httpx.get(f"{parent}/{cell.id}", trust_env=False).json()
        assert seen["uid"] == cell.uid
        assert seen["labels"] == {
            "runner-pool-deployment": "acme-ci",
            "runner-pool-pool": "linux",
            "runner-pool-size": str(cell.size),
        }
        assert seen["scaling"]["manualInstanceCount"] == 0
        container = seen["template"]["containers"][0]
        assert container["command"] + container["args"] == ["/bin/sleep", "100"]
        variables = {each["name"]: each["value"] for each in container["env"]}
        assert variables["RUNNER_POOL_CELL_SECRET"] == cell.secret
        assert cell.secret not in repr(cell)
    assert world.door.counts() == {cell.id: 0 for cell in cells}
    assert world.door.instances() == ()


def test_a_taken_name_is_refused_without_telling_the_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner_pool.provision.secrets.token_urlsafe", lambda _: "the-secret")
    created(world, pool="twice", sizes=(1,))
    with pytest.raises(errors.WorldError, match="409") as caught:
        created(world, pool="twice", sizes=(1,))
    assert "the-secret" not in json.dumps([caught.value.what, caught.value.cause, caught.value.remedy])
