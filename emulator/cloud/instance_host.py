"""The machine room of the stand-in cloud: performs what the world decides, on real processes, when it is due.

Must not decide anything: which instance, when and why is the world's.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from emulator.cloud.container_engine import ContainerEngine, volume_names
from emulator.cloud.identity import TokenService
from emulator.cloud.instance_process import InstanceProcess, adopt_orphans, end_strays
from emulator.cloud.launch import SecretValue, process_plan
from emulator.cloud.metadata import InstanceFacts
from emulator.cloud.metadata_server import MetadataServer
from emulator.cloud.worker_pool import Action, Kill, Launch, Terminate
from emulator.cloud.world import CloudWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What belongs to one instance on this machine."""

    process: InstanceProcess
    metadata: MetadataServer
    directory: Path


class InstanceHost:
    """`run` it for as long as the world lives; `nudge` it after every write; nothing survives its end."""

    def __init__(
        self,
        *,
        world: CloudWorld,
        tokens: TokenService,
        clock: Callable[[], float],
        busy: Callable[[], frozenset[str]],
        state_directory: Path,
        project: str,
        project_number: str,
        region: str,
        inherited_environment: Mapping[str, str],
        secret_value: SecretValue,
        engine: ContainerEngine | None = None,
    ) -> None:
        self._world = world
        self._tokens = tokens
        self._clock = clock
        self._busy = busy
        self._logs = state_directory / "instances"
        self._scratch = state_directory / "scratch"
        self._project = project
        self._project_number = project_number
        self._region = region
        self._inherited = inherited_environment
        self._secret_value = secret_value
        self._engine = engine
        self._running: dict[str, Running] = {}
        self._ended: list[Running] = []
        self._nudged = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; then every process of every instance is killed before this returns."""
        adopt_orphans()
        for folder in (self._logs, self._scratch):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            while True:
                self._nudged.clear()
                for action in self._world.advance(self._clock(), self._busy()):
                    await self._perform(action)
                await self._clear_away()
                self._tell_waiting()
                await self._rest()
        finally:
            await self._end_everything()

    def nudge(self) -> None:
        """Look now: the world has changed."""
        self._nudged.set()

    async def preempt(self, instance: str) -> None:
        """Raises NotFoundError for an instance that is not running."""
        for action in self._world.preempt(instance, now=self._clock(), busy=self._busy()):
            await self._perform(action)
        self.nudge()

    async def wait_until(self, fact: Callable[[], bool], *, timeout_seconds: float) -> bool:
        """Waits for a fact about the world; whether it came true in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not fact():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def log_path(self, instance: str) -> Path:
        return self._logs / f"{instance}.log"

    async def _rest(self) -> None:
        due = self._world.next_due()
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _perform(self, action: Action) -> None:
        match action:
            case Launch():
                await self._launch(action)
            case Terminate(instance=instance):
                if instance in self._running:
                    self._running[instance].process.terminate()
            case Kill(instance=instance):
                if instance in self._running:
                    self._running[instance].process.kill()
            case _:
                assert_never(action)

    async def _launch(self, launch: Launch) -> None:
        template = launch.revision.template
        metadata = MetadataServer(
            facts=InstanceFacts(
                instance=launch.instance,
                project=self._project,
                project_number=self._project_number,
                region=self._region,
                email=template.get("serviceAccount")
                or f"{self._project_number}-compute@developer.gserviceaccount.com",
            ),
            tokens=self._tokens,
        )
        await metadata.start()
        plan = process_plan(
            template,
            project=self._project,
            worker_pool=launch.worker_pool,
            revision=launch.revision.name,
            instance=launch.instance,
            metadata_host=metadata.host,
            inherited=self._inherited,
            secret_value=self._secret_value,
        )
        directory = self._made_directory()
        if self._engine is not None:
            for volume in volume_names(template):
                (directory / volume).mkdir(mode=0o755)
            plan = self._engine.contained(
                plan,
                template,
                instance=launch.instance,
                variables=plan.variables,
                directory=directory,
            )
        process = InstanceProcess.start(
            plan,
            directory=directory,
            log=self.log_path(launch.instance),
            on_started=lambda pid: self._started(launch.instance, pid),
            on_ended=lambda code, number: self._instance_ended(launch.instance, code, number),
        )
        self._running[launch.instance] = Running(process=process, metadata=metadata, directory=directory)

    def _made_directory(self) -> Path:
        directory = Path(tempfile.mkdtemp(dir=self._scratch))
        directory.chmod(0o755)  # the main process may run others under another account
        return directory

    def _started(self, instance: str, pid: int) -> None:
        self._world.instance_started(instance, pid=pid, now=self._clock())
        self.nudge()

    def _instance_ended(self, instance: str, exit_code: int | None, number: int | None) -> None:
        running = self._running.pop(instance)
        self._ended.append(running)
        if exit_code is None and number is None:
            end_strays([other.process.pid for other in self._running.values()])
        self._world.instance_ended(
            instance, exit_code=exit_code, signal=number, now=self._clock(), busy=self._busy()
        )
        self.nudge()

    def _tell_waiting(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _clear_away(self) -> None:
        ended, self._ended = self._ended, []
        for running in ended:
            await running.metadata.close()
            # A container's files vanish with it.
            await asyncio.to_thread(shutil.rmtree, running.directory, ignore_errors=True)

    async def _end_everything(self) -> None:
        processes = [running.process for running in self._running.values()]
        for process in processes:
            process.kill()
        for process in processes:
            await process.ended.wait()
        await self._clear_away()
        end_strays([])
