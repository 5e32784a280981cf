"""Our Cloud Run client passes the same test bodies as Google's own. Ran on: the stand-in cloud."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from github_api.secret import Secret
from scaler.cloud_run.client import CloudRun, CredentialKind
from scaler.cloud_run.wire import ScalingMode, WorkerPool
from scaler.errors import Conflict, NotFound, Rejected, SecretUnreadable, Throttled
from scaler.secrets import SecretReference, resolve, secret_manager_reader
from tests.conformance import worker_pool_contract as contract
from tests.conformance.worker_pool_contract import SLEEP, SeenPool, fresh_id
from tests.emulator_process import Emulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    state: Path = tmp_path_factory.mktemp("world")
    with running_emulator(state, time_factor=0.02, module="tests.emulator_with_silent_github") as world:
        yield world


@pytest.fixture
async def cloud_run(emulator: Emulator) -> AsyncIterator[CloudRun]:
    cloud_run = CloudRun(
        project=emulator.project,
        region=emulator.region,
        endpoint=emulator.cloud_url,
        credentials=CredentialKind.ANONYMOUS,
    )
    yield cloud_run
    await cloud_run.aclose()


class OurWorkerPools:
    """Our client as the contract wants it. Remembers what each reading was, since a write is about a reading."""

    def __init__(self, cloud_run: CloudRun) -> None:
        self._cloud_run = cloud_run
        self._read: dict[str, WorkerPool] = {}

    async def listed(self) -> list[SeenPool]:
        return [self._seen(pool) for pool in await self._cloud_run.list_worker_pools()]

    async def read(self, worker_pool: str) -> SeenPool:
        try:
            return self._seen(await self._cloud_run.get_worker_pool(worker_pool))
        except NotFound as error:
            raise contract.NotFound from error

    async def set_count(self, seen: SeenPool, count: int) -> str:
        try:
            return (await self._cloud_run.set_count(self._read[seen.etag], count)).name
        except NotFound as error:
            raise contract.NotFound from error
        except Conflict as error:
            raise contract.StaleEtag from error
        except Throttled as error:
            raise contract.Throttled from error
        except Rejected as error:
            raise contract.Refused from error

    async def is_done(self, operation: str) -> bool:
        return (await self._cloud_run.operation(operation)).done

    def _seen(self, pool: WorkerPool) -> SeenPool:
        self._read[pool.etag] = pool
        return SeenPool(
            id=pool.id,
            uid=pool.uid,
            etag=pool.etag,
            count=pool.count,
            generation=pool.generation,
            observed_generation=pool.observed_generation,
            reconciling=pool.reconciling,
            labels=dict(pool.labels),
            service_account=pool.service_account or "",
        )


@pytest.mark.parametrize("body", contract.CONTRACT, ids=lambda body: body.__name__)
async def test_the_contract_of_worker_pools(
    body: contract.Body, cloud_run: CloudRun, emulator: Emulator
) -> None:
    await body(OurWorkerPools(cloud_run), emulator)


async def test_automatic_scaling_is_seen(cloud_run: CloudRun, emulator: Emulator) -> None:
    """The fact that Google's client drops: somebody else decides the count."""
    cell = fresh_id()
    emulator.cloud.create_worker_pool(cell, SLEEP)
    assert (await cloud_run.get_worker_pool(cell)).scaling_mode is ScalingMode.MANUAL
    change = {"scaling": {"scalingMode": "AUTOMATIC"}}
    emulator.cloud.done(emulator.cloud.patch_worker_pool(cell, change, mask="scaling.scalingMode"))
    assert (await cloud_run.get_worker_pool(cell)).scaling_mode is ScalingMode.AUTOMATIC
    listed = {pool.id: pool for pool in await cloud_run.list_worker_pools()}
    assert listed[cell].scaling_mode is ScalingMode.AUTOMATIC


async def test_a_cells_secret_is_read_hidden(cloud_run: CloudRun, emulator: Emulator) -> None:
    cell = fresh_id()
    environment = {"RUNNER_POOL_CELL_SECRET": "hunter2", "RUNNER_POOL_SCALER_URL": "http://127.0.0.1:1"}
    emulator.cloud.create_worker_pool(cell, SLEEP, environment=environment)
    pool = await cloud_run.get_worker_pool(cell)
    assert pool.cell_secret == Secret("hunter2")
    assert pool.env["RUNNER_POOL_SCALER_URL"] == "http://127.0.0.1:1"
    assert "hunter2" not in repr(pool)


async def test_a_template_is_changed_where_its_etag_is_fresh_and_makes_a_revision(
    cloud_run: CloudRun, emulator: Emulator
) -> None:
    """Count, labels and all that the change does not name stay; a stale etag changes nothing."""
    cell = fresh_id()
    emulator.cloud.create_worker_pool(cell, SLEEP)
    read = await cloud_run.get_document(cell)
    template = {**read.data["template"], "sandboxes": {"later": True}}
    emulator.cloud.done({"name": (await cloud_run.set_field(read, "template", template)).name})
    after = await cloud_run.get_document(cell)
    assert after.data["template"] == template
    assert (after.data["scaling"], after.data["labels"]) == (read.data["scaling"], read.data["labels"])
    assert after.data["latestCreatedRevision"] != read.data["latestCreatedRevision"]
    assert after.reading.rests
    with pytest.raises(Conflict):
        await cloud_run.set_field(read, "template", read.data["template"])
    assert (await cloud_run.get_document(cell)).data["template"] == template


async def test_a_worker_pool_is_deleted_where_its_etag_is_fresh(
    cloud_run: CloudRun, emulator: Emulator
) -> None:
    cell = fresh_id()
    emulator.cloud.create_worker_pool(cell, SLEEP)
    read = await cloud_run.get_document(cell)
    labels = {**read.data["labels"], "runner-pool-size": "7"}
    emulator.cloud.done({"name": (await cloud_run.set_field(read, "labels", labels)).name})
    with pytest.raises(Conflict):
        await cloud_run.delete_worker_pool(read.reading)
    fresh = await cloud_run.get_document(cell)
    assert fresh.data["labels"] == labels
    emulator.cloud.done({"name": (await cloud_run.delete_worker_pool(fresh.reading)).name})
    with pytest.raises(NotFound):
        await cloud_run.get_document(cell)
    assert cell not in {each.reading.id for each in await cloud_run.list_documents()}


def test_a_secret_comes_from_secret_manager_through_googles_client(emulator: Emulator) -> None:
    emulator.cloud.put_secret(emulator.project, "webhook", "hunter2\n")
    reader = secret_manager_reader(endpoint=emulator.cloud_url, anonymous=True)
    reference = SecretReference.parsed(f"secretmanager:projects/{emulator.project}/secrets/webhook")
    assert resolve(reference, {}, reader) == Secret("hunter2")
    missing = SecretReference.parsed(f"secretmanager:projects/{emulator.project}/secrets/none")
    with pytest.raises(SecretUnreadable, match="does not exist"):
        resolve(missing, {}, reader)


def test_a_secret_manager_that_does_not_answer_is_told() -> None:
    reader = secret_manager_reader(endpoint="http://127.0.0.1:9", anonymous=True, timeout_seconds=1)
    with pytest.raises(SecretUnreadable, match="cannot be read"):
        resolve(SecretReference.parsed("secretmanager:projects/p/secrets/s"), {}, reader)
