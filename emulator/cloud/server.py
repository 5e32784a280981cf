"""The stand-in Google Cloud put together: one project, one region, one HTTP application, one machine room."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random, SystemRandom

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.cloud.accounts import Accounts
from emulator.cloud.container_engine import ContainerEngine
from emulator.cloud.control_routes import ControlDoor
from emulator.cloud.delays import Delays
from emulator.cloud.errors import GoogleError
from emulator.cloud.identity import TokenService
from emulator.cloud.instance_host import InstanceHost
from emulator.cloud.object_storage import ObjectStore
from emulator.cloud.object_storage_routes import ObjectStorageApi
from emulator.cloud.quota import WriteQuota
from emulator.cloud.secret_manager import SecretStore, secret_manager_routes
from emulator.cloud.worker_pool_routes import WorkerPoolApi
from emulator.cloud.world import CloudWorld
from emulator.faults import Given


class CloudStandIn:
    """`app` answers, `run` keeps instances; both need one event loop. `clock` gives seconds since the epoch and never
    jumps; `busy` names the instances that hold a job; `public_url` is known once the port is.
    """

    def __init__(
        self,
        *,
        project: str,
        region: str,
        state_directory: Path,
        time_factor: float,
        seed: int,
        clock: Callable[[], float],
        busy: Callable[[], frozenset[str]],
        public_url: Callable[[], str],
        inherited_environment: Mapping[str, str],
        issuer: Callable[[], str] | None = None,
        faults: Given | None = None,
        engine: ContainerEngine | None = None,
    ) -> None:
        project_number = str(10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % (9 * 10**11))
        secrets = SecretStore(project_number=project_number)
        tokens = TokenService(clock=clock, issuer=issuer or public_url)
        accounts = Accounts(owner=tokens.owner)
        quota = WriteQuota(project_number=project_number)
        self.world = CloudWorld(
            project=project,
            region=region,
            delays=Delays().scaled(time_factor),
            chance=Random(seed),  # noqa: S311 - arbitrary victims and delays that can be repeated, no secrets
            names=SystemRandom(),  # two worlds of one seed must not share a uid
            secret_exists=secrets.exists,
            images_run=engine is not None,
        )
        self.world.faults.replace(faults or {}, now=clock())
        self.host = InstanceHost(
            world=self.world,
            tokens=tokens,
            clock=clock,
            busy=busy,
            state_directory=state_directory,
            project=project,
            project_number=project_number,
            region=region,
            inherited_environment=inherited_environment,
            secret_value=secrets.value,
            engine=engine,
        )
        worker_pools = WorkerPoolApi(
            world=self.world,
            host=self.host,
            quota=quota,
            tokens=tokens,
            accounts=accounts,
            clock=clock,
            project=project,
            project_number=project_number,
            region=region,
        )
        control = ControlDoor(
            world=self.world,
            host=self.host,
            secrets=secrets,
            tokens=tokens,
            accounts=accounts,
            quota=quota,
            busy=busy,
            clock=clock,
        )
        self.app = Starlette(
            routes=[
                *worker_pools.routes(),
                *secret_manager_routes(secrets, accounts),
                *ObjectStorageApi(store=ObjectStore(), accounts=accounts, clock=clock).routes(),
                *control.routes(),
            ],
            exception_handlers={GoogleError: _refusal},
        )

    async def run(self) -> None:
        """Until cancelled; every process of every instance is gone when it returns."""
        await self.host.run()


async def _refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, GoogleError):
        raise error
    return JSONResponse(error.body(), status_code=error.http_code)
