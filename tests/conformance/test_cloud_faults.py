"""The faults that are made at the socket, and their switches. Ran on: the stand-in cloud."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.worker_pool_contract import SLEEP, fresh_id
from tests.emulator_process import CloudDoor, Emulator, eventually, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(
        state,
        time_factor=0.02,
        module="tests.emulator_with_silent_github",
        arguments=("--fault", "unavailable=share=1,most=1", "--fault", "slow-start=0.5"),
    ) as world:
        yield world


@pytest.fixture
def cloud(emulator: Emulator) -> Iterator[CloudDoor]:
    """Its door, with every fault off before and after."""
    yield emulator.cloud
    put(emulator.cloud, {})


def put(cloud: CloudDoor, faults: dict[str, Any]) -> dict[str, Any]:
    reply = cloud.http.put("/_control/faults", json={"faults": faults})
    assert reply.status_code == 200, reply.text
    switched_on: dict[str, Any] = reply.json()["faults"]
    return switched_on


def struck(cloud: CloudDoor, fault: str) -> int:
    return int(cloud.http.get("/_control/faults").json()["struck"][fault])


def patch(cloud: CloudDoor, worker_pool: str, count: int) -> httpx.Response:
    return cloud.http.patch(
        f"/v2/{cloud.parent}/workerPools/{worker_pool}",
        params={"updateMask": "scaling.manualInstanceCount"},
        json={"scaling": {"manualInstanceCount": count}},
    )


def asked_count(cloud: CloudDoor, worker_pool: str) -> int:
    return int(cloud.worker_pool(worker_pool)["scaling"]["manualInstanceCount"])


def test_the_command_line_switches_faults_on_and_the_door_replaces_them(cloud: CloudDoor) -> None:
    """Runs first: the world of this file starts with two faults."""
    seen = cloud.http.get("/_control/faults").json()
    assert seen["faults"] == {
        "unavailable": {"share": 1, "after": 0, "most": 1},
        "slow-start": {"seconds": 0.5, "share": 1, "after": 0, "most": 0},
    }
    assert set(seen["struck"]) == set(seen["catalogue"])
    assert set(seen["struck"].values()) == {0}
    listing = f"/v2/{cloud.parent}/workerPools"
    assert [cloud.http.get(listing).status_code for _ in range(2)] == [503, 200]
    assert list(put(cloud, {"late-effect": {"seconds": 2}})) == ["late-effect"]
    assert struck(cloud, "unavailable") == 1


def test_an_unavailable_service_does_nothing_and_the_write_is_on_record(cloud: CloudDoor) -> None:
    cell = fresh_id()
    cloud.create_worker_pool(cell, SLEEP)
    put(cloud, {"unavailable": {"share": 1}})
    reply = patch(cloud, cell, 1)
    assert reply.status_code == 503
    assert reply.json()["error"]["status"] == "UNAVAILABLE"
    put(cloud, {})
    assert asked_count(cloud, cell) == 0
    assert [write["status"] for write in cloud.writes(cell)] == [200, 503]


def test_a_lost_reply_is_a_broken_connection_after_the_write_was_done(cloud: CloudDoor) -> None:
    cell = fresh_id()
    cloud.create_worker_pool(cell, SLEEP)
    before = struck(cloud, "reply-lost")
    put(cloud, {"reply-lost": {"share": 1, "most": 1}})
    with pytest.raises(httpx.RemoteProtocolError):
        patch(cloud, cell, 1)
    assert asked_count(cloud, cell) == 1
    assert patch(cloud, cell, 0).status_code == 200
    assert struck(cloud, "reply-lost") == before + 1


def test_the_write_quota_of_a_new_project_refuses_what_is_above_it(cloud: CloudDoor) -> None:
    cell = fresh_id()
    cloud.create_worker_pool(cell, SLEEP)
    put(cloud, {"write-quota": {"writes_per_minute": 0}})
    reply = patch(cloud, cell, 1)
    assert reply.status_code == 429
    assert reply.json()["error"]["details"][0]["metadata"]["quota_limit_value"] == "0"
    assert struck(cloud, "write-quota") == 1
    put(cloud, {})
    assert patch(cloud, cell, 0).status_code == 200
    assert struck(cloud, "write-quota") == 1


def test_a_failed_start_and_a_death_are_real(cloud: CloudDoor) -> None:
    """The instance that never ran has no log; the one that died was killed, and another runs."""
    cell = fresh_id()
    put(cloud, {"failed-start": {"share": 1, "most": 1}})
    cloud.create_worker_pool(cell, SLEEP, count=1)
    cloud.wait_for_running(cell, 1)
    assert [each["exit_code"] for each in cloud.instances(cell, state="gone")] == [1]
    put(cloud, {"instance-dies": {"per_minute": 600, "most": 1}})
    (victim,) = cloud.wait_for_running(cell, 1)
    seen = eventually(
        lambda: [each for each in cloud.instances(cell) if each["id"] == victim["id"]],
        lambda found: found[0]["state"] == "gone",
        what="the victim is gone",
    )
    assert seen[0]["signal"] == 9
    assert [stop["cause"] for stop in cloud.stops(cell)] == ["died"]
    cloud.wait_for_running(cell, 1)


def test_stops_name_whose_write_chose_the_instance(cloud: CloudDoor) -> None:
    """A caller without a token is anonymous; the platform and another hand are told apart from it."""
    cell = fresh_id()
    cloud.create_worker_pool(cell, SLEEP, count=2)
    cloud.wait_for_running(cell, 2)
    patch(cloud, cell, 1)
    assert chosen_by(cloud, cell, "scale-in") == {"anonymous@stand-in.invalid"}
    put(cloud, {"instance-preempted": {"per_minute": 600}})
    assert chosen_by(cloud, cell, "preempted") == {None}
    put(cloud, {})
    cloud.wait_for_running(cell, 1)
    put(cloud, {"pool-deleted": {"per_minute": 6000}})
    assert chosen_by(cloud, cell, "deleted") == {"another.hand@example.com"}


def chosen_by(cloud: CloudDoor, worker_pool: str, cause: str) -> set[str | None]:
    """Whose writes have stopped instances for that cause, once there is one."""
    stops = eventually(
        lambda: [stop for stop in cloud.stops(worker_pool) if stop["cause"] == cause],
        lambda found: found,
        what=f"an instance was stopped: {cause}",
    )
    return {stop["by"] for stop in stops}


@pytest.mark.parametrize("faults", [None, [], {"rain": {}}, {"stale-etag": {"share": 2}}, {"stale-etag": 1},
                                    {"stale-etag": {"hours": 1}}])  # fmt: skip
def test_a_wrong_set_is_refused(cloud: CloudDoor, faults: Any) -> None:
    reply = cloud.http.put("/_control/faults", json={"faults": faults})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]
    assert cloud.http.get("/_control/faults").json()["faults"] == {}


def test_a_quota_that_is_aimed_counts_and_refuses_the_writes_of_these_worker_pools_alone(
    cloud: CloudDoor,
) -> None:
    aimed, other = f"aimed-{fresh_id()}", fresh_id()
    for worker_pool in (aimed, other):
        cloud.create_worker_pool(worker_pool, SLEEP)
    before = struck(cloud, "write-quota")
    put(cloud, {"write-quota": {"writes_per_minute": 2, "only": "aimed"}})
    assert [patch(cloud, other, 0).status_code for _ in range(3)] == [200, 200, 200]
    assert [patch(cloud, aimed, 0).status_code for _ in range(3)] == [200, 200, 429]
    assert patch(cloud, other, 0).status_code == 200
    assert struck(cloud, "write-quota") == before + 1
