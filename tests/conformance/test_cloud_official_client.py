"""Google's own client (google-cloud-run, REST) works on the stand-in unmodified. Ran on: the stand-in cloud."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.longrunning import operations_pb2

from tests.conformance import worker_pool_contract as contract
from tests.conformance.worker_pool_contract import SLEEP, SeenPool, fresh_id
from tests.emulator_process import Emulator, running_emulator

SOON = DEFAULT_POLLING.with_delay(initial=0.02, maximum=0.1).with_timeout(20)
TIMEOUT_SECONDS = 10.0


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        yield world


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[Any]:
    with run_v2.WorkerPoolsClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": emulator.cloud_url},
    ) as client:
        yield client


class OfficialWorkerPools:
    """The vendor's client as the contract wants it."""

    def __init__(self, client: Any, parent: str) -> None:
        self._client = client
        self._parent = parent

    async def listed(self) -> list[SeenPool]:
        return [_seen(pool) for pool in await self._call("list_worker_pools", {"parent": self._parent})]

    async def read(self, worker_pool: str) -> SeenPool:
        return _seen(
            await self._call("get_worker_pool", {"name": f"{self._parent}/workerPools/{worker_pool}"})
        )

    async def set_count(self, seen: SeenPool, count: int) -> str:
        operation = await self._call(
            "update_worker_pool",
            {
                "worker_pool": {
                    "name": f"{self._parent}/workerPools/{seen.id}",
                    "etag": seen.etag,
                    "scaling": {"manual_instance_count": count},
                },
                "update_mask": {"paths": ["scaling.manual_instance_count"]},
            },
        )
        return str(operation.operation.name)

    async def is_done(self, operation: str) -> bool:
        request = operations_pb2.GetOperationRequest(name=operation)
        return bool((await self._call("get_operation", request)).done)

    async def _call(self, method: str, request: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self._client, method), request, timeout=TIMEOUT_SECONDS)
        except exceptions.NotFound as error:
            raise contract.NotFound from error
        except exceptions.Conflict as error:
            raise contract.StaleEtag from error
        except exceptions.TooManyRequests as error:
            raise contract.Throttled from error
        except exceptions.BadRequest as error:
            raise contract.Refused from error


def _seen(pool: Any) -> SeenPool:
    return SeenPool(
        id=pool.name.rsplit("/", 1)[1],
        uid=pool.uid,
        etag=pool.etag,
        count=pool.scaling.manual_instance_count if "manual_instance_count" in pool.scaling else None,
        generation=pool.generation,
        observed_generation=pool.observed_generation,
        reconciling=pool.reconciling,
        labels=dict(pool.labels),
        service_account=pool.template.service_account,
    )


def worker_pool(**fields: Any) -> Any:
    return run_v2.WorkerPool(
        template={"containers": [{"image": "image", "command": SLEEP}]},
        scaling={"manual_instance_count": 0},
        **fields,
    )


def create(client: Any, emulator: Emulator, pool_id: str, pool: Any) -> Any:
    operation = client.create_worker_pool(
        parent=emulator.cloud.parent, worker_pool=pool, worker_pool_id=pool_id, timeout=TIMEOUT_SECONDS
    )
    return operation.result(polling=SOON)


@pytest.mark.parametrize("body", contract.CONTRACT, ids=lambda body: body.__name__)
async def test_the_contract_of_worker_pools(body: contract.Body, client: Any, emulator: Emulator) -> None:
    await body(OfficialWorkerPools(client, emulator.cloud.parent), emulator)


def test_a_created_worker_pool_comes_back_through_its_operation(client: Any, emulator: Emulator) -> None:
    """Response and metadata of the operation are worker pools."""
    pool_id = fresh_id()
    operation = client.create_worker_pool(
        parent=emulator.cloud.parent, worker_pool=worker_pool(labels={"team": "ci"}), worker_pool_id=pool_id
    )
    assert operation.metadata.name == f"{emulator.cloud.parent}/workerPools/{pool_id}"
    created = operation.result(polling=SOON)
    assert created.name == operation.metadata.name
    assert created == client.get_worker_pool(name=created.name)
    assert dict(created.labels) == {"team": "ci"}
    assert created.launch_stage == 4  # GA
    assert created.terminal_condition.state is run_v2.Condition.State.CONDITION_SUCCEEDED
    assert list(created.template.containers[0].command) == SLEEP
    assert created.create_time.year >= 2024
    assert created.creator == created.last_modifier == "anonymous@stand-in.invalid"


def test_a_taken_id_is_refused(client: Any, emulator: Emulator) -> None:
    pool_id = fresh_id()
    create(client, emulator, pool_id, worker_pool())
    with pytest.raises(exceptions.Conflict, match=f"Resource '{pool_id}' already exists"):
        create(client, emulator, pool_id, worker_pool())


@pytest.mark.parametrize("pool_id", ["", "1st", "Big", "a_b", "ends-", "a" * 50])
def test_an_impossible_id_is_refused(client: Any, emulator: Emulator, pool_id: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="worker_pool_id"):
        create(client, emulator, pool_id, worker_pool())


def test_a_worker_pool_without_a_command_fails_and_says_why(client: Any, emulator: Emulator) -> None:
    pool_id = fresh_id()
    pool = run_v2.WorkerPool(template={"containers": [{"image": "image"}]})
    with pytest.raises(exceptions.FailedPrecondition, match="no command"):
        create(client, emulator, pool_id, pool)
    condition = client.get_worker_pool(
        name=f"{emulator.cloud.parent}/workerPools/{pool_id}"
    ).terminal_condition
    assert condition.state is run_v2.Condition.State.CONDITION_FAILED
    assert "no command" in condition.message
    assert emulator.cloud.instances(pool_id) == []


def test_the_message_of_a_stale_etag_is_googles(client: Any, emulator: Emulator) -> None:
    pool_id = fresh_id()
    old = create(client, emulator, pool_id, worker_pool())
    mask = {"paths": ["labels"]}
    client.update_worker_pool(
        worker_pool=run_v2.WorkerPool(name=old.name, labels={"a": "b"}), update_mask=mask
    )
    with pytest.raises(
        exceptions.Conflict, match=r"version '\d+' was specified but current version is '\d+'"
    ):
        client.update_worker_pool(worker_pool=old, update_mask=mask)
    with pytest.raises(exceptions.Conflict):
        client.delete_worker_pool(run_v2.DeleteWorkerPoolRequest(name=old.name, etag=old.etag))


def test_an_update_without_a_mask_replaces_everything(client: Any, emulator: Emulator) -> None:
    """What is not in the message goes back to its default: a trap for clients that do not know all fields."""
    pool_id = fresh_id()
    pool = create(client, emulator, pool_id, worker_pool(labels={"gone": "soon"}))
    bare = run_v2.WorkerPool(name=pool.name, template=pool.template)
    after = client.update_worker_pool(worker_pool=bare).result(polling=SOON)
    assert dict(after.labels) == {}
    assert after.scaling.manual_instance_count == 1
    assert after.generation == 2


def test_validation_alone_changes_nothing(client: Any, emulator: Emulator) -> None:
    pool_id = fresh_id()
    pool = create(client, emulator, pool_id, worker_pool())
    wanted = run_v2.WorkerPool(name=pool.name, scaling={"manual_instance_count": 9})
    request = run_v2.UpdateWorkerPoolRequest(
        worker_pool=wanted, update_mask={"paths": ["scaling"]}, validate_only=True
    )
    assert client.update_worker_pool(request).result(polling=SOON).scaling.manual_instance_count == 0
    assert client.get_worker_pool(name=pool.name) == pool


def test_a_deleted_worker_pool_is_listed_on_request_only(client: Any, emulator: Emulator) -> None:
    """And its id is free again, with another uid."""
    pool_id = fresh_id()
    pool = create(client, emulator, pool_id, worker_pool())
    deleted = client.delete_worker_pool(name=pool.name).result(polling=SOON)
    assert deleted.delete_time > pool.create_time
    request = run_v2.ListWorkerPoolsRequest(parent=emulator.cloud.parent, show_deleted=True)
    assert pool.uid in [found.uid for found in client.list_worker_pools(request)]
    assert pool.uid not in [found.uid for found in client.list_worker_pools(parent=emulator.cloud.parent)]
    assert create(client, emulator, pool_id, worker_pool()).uid != pool.uid


def test_pages_join_to_the_whole_list(client: Any, emulator: Emulator) -> None:
    ids = sorted(fresh_id() for _ in range(3))
    for pool_id in ids:
        create(client, emulator, pool_id, worker_pool())
    request = run_v2.ListWorkerPoolsRequest(parent=emulator.cloud.parent, page_size=2)
    pages = list(client.list_worker_pools(request).pages)
    assert all(len(page.worker_pools) == 2 for page in pages[:-1])
    listed = [pool.name.rsplit("/", 1)[1] for page in pages for pool in page.worker_pools]
    assert [pool_id for pool_id in listed if pool_id in ids] == ids
    with pytest.raises(exceptions.BadRequest, match="page token"):
        client.list_worker_pools(run_v2.ListWorkerPoolsRequest(parent=request.parent, page_token="x"))


def test_operations_can_be_waited_for_listed_and_deleted(client: Any, emulator: Emulator) -> None:
    operation = client.create_worker_pool(
        parent=emulator.cloud.parent, worker_pool=worker_pool(), worker_pool_id=fresh_id()
    )
    name = operation.operation.name
    assert not operation.operation.done
    wait = operations_pb2.WaitOperationRequest(name=name)
    wait.timeout.FromSeconds(10)
    assert client.wait_operation(wait).done
    listed = client.list_operations(operations_pb2.ListOperationsRequest(name=emulator.cloud.parent))
    assert name in [found.name for found in listed.operations]
    client.delete_operation(operations_pb2.DeleteOperationRequest(name=name))
    with pytest.raises(exceptions.NotFound):
        client.get_operation(operations_pb2.GetOperationRequest(name=name))


@pytest.mark.parametrize(("project", "location", "refusal"), [
    ("demo-project", "-", exceptions.BadRequest),
    ("demo-project", "mars-north1", exceptions.Forbidden),
    ("foreign", "us-central1", exceptions.Forbidden),
])  # fmt: skip
def test_other_projects_and_regions_are_out_of_reach(
    client: Any, project: str, location: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        client.list_worker_pools(parent=f"projects/{project}/locations/{location}")


def test_an_unknown_field_of_the_mask_is_refused(client: Any, emulator: Emulator) -> None:
    pool = create(client, emulator, fresh_id(), worker_pool())
    for path in ("no_such_field", "scaling.instances"):
        with pytest.raises(exceptions.BadRequest, match="update_mask"):
            client.update_worker_pool(
                worker_pool=run_v2.WorkerPool(name=pool.name), update_mask={"paths": [path]}
            )


def test_a_volume_on_disk_can_be_asked_for_and_read_although_the_client_does_not_know_its_medium(
    client: Any, emulator: Emulator
) -> None:
    """Raw JSON asks for it; the client reads the worker pool (a number it keeps) and the operation (which leaves it out)."""
    parent, name = emulator.cloud.parent, fresh_id()
    volume = {"name": "work", "emptyDir": {"medium": "DISK", "sizeLimit": "10Gi"}}
    body = {"template": {"containers": [{"image": "i", "command": ["true"]}], "volumes": [volume]}}
    body |= {"scaling": {"manualInstanceCount": 0}}
    reply = emulator.cloud.http.post(f"/v2/{parent}/workerPools", params={"workerPoolId": name}, json=body)
    operation = reply.raise_for_status().json()["name"]
    assert client.get_operation({"name": operation}).name == operation
    (seen,) = client.get_worker_pool(name=f"{parent}/workerPools/{name}").template.volumes
    with pytest.warns(UserWarning, match="Unrecognized Medium enum value: 2"):
        assert seen.empty_dir.medium == 2
    assert seen.empty_dir.size_limit == "10Gi"
    assert emulator.cloud.worker_pool(name)["template"]["volumes"] == [volume]
