"""A whole deployment on this machine for stories: the stand-in world, cells, scaler processes and a way in front of them.

The agents reach the scaler through a tiny forwarder, as they reach a Cloud Run service whichever of its processes is alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from runner_pool.provision import create_cells
from tests.emulator_process import Emulator, running_emulator

DEPLOYMENT = "e2e"
POOL = "linux"
LABELS = ("self-hosted", "linux", "x64")
AGENT = (sys.executable, "-m", "runner_agent")
RUNNER = f"{sys.executable} -m emulator.runner"

# Shorter than the defaults, so that a story of minutes fits into seconds; settle, dying and stop_ladder keep theirs.
# Every relation between the times holds.
QUICK_TIMES = {
    "heartbeat": "2s",
    "long_poll": "2s",
    "settle": "80s",
    "leader_ttl": "3s",
    "leader_renewal": "1s",
    "demand_interval": "2s",
    "cells_interval": "1s",
}


class Forwarder:
    """Forwards TCP connections on one port to the next backend that accepts, like a load balancer."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self._next = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What the agents are given."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Drop every connection and end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._listening.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listening))
        self._loop.run_forever()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            backend = await self._backend()
            if backend is not None:
                await asyncio.gather(_copy(reader, backend[1]), _copy(backend[0], writer))
        finally:
            writer.close()

    async def _backend(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self.backends)):
            self._next += 1
            port = self.backends[self._next % len(self.backends)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class PoolWorld:
    """The running deployment of one story."""

    emulator: Emulator
    folder: Path
    forwarder: Forwarder
    config: dict[str, object]
    scalers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write_config(self, name: str, **service: object) -> Path:
        """The configuration file of one scaler process."""
        path = self.folder / f"{name}.yaml"
        section = {**dict(self.config["service"]), **service}  # type: ignore[call-overload]
        path.write_text(yaml.safe_dump({**self.config, "service": section}))
        return path

    def start_scaler(self) -> subprocess.Popen[bytes]:
        """One more scaler process, reachable through the forwarder at once."""
        port = free_port()
        number = len(self.scalers)
        path = self.write_config(f"scaler-{number}", port=port)
        with (self.folder / f"scaler-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner_pool", "serve", "--config", str(path)], stdout=log, stderr=log
            )
        self.scalers.append(process)
        self.forwarder.backends.append(port)
        return process

    def end_scalers(self) -> None:
        """End every scaler that still runs, politely."""
        for process in self.scalers:
            if process.poll() is None:
                process.terminate()
        for process in self.scalers:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One call of the command with this world's configuration."""
        path = self.write_config("command", port=free_port())
        return subprocess.run(
            [sys.executable, "-m", "runner_pool", verb, "--config", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def logs(self) -> str:
        """The last lines of every scaler's log, for a failed story."""
        tails = [
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-40:])
            for path in sorted(self.folder.glob("scaler-*.log"))
        ]
        return "\n".join(tails)


def kill_hard(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and wait for its end."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)


@contextlib.contextmanager
def pool_world(
    folder: Path,
    *,
    sizes: Sequence[int],
    max_instances: int,
    mode: str = "leased",
    times: Mapping[str, str] | None = None,
    webhooks: bool = True,
    time_factor: float = 0.05,
    pool_settings: Mapping[str, object] | None = None,
) -> Iterator[PoolWorld]:
    """A stand-in world with one organization, one repository `acme/widgets`, cells of these sizes, and no scaler yet."""
    folder.mkdir(parents=True, exist_ok=True)
    forwarder = Forwarder()
    try:
        with running_emulator(folder / "world", time_factor=time_factor) as emulator:
            app = emulator.github.setup()
            key = folder / "app.pem"
            key.write_text(app["private_key"])
            key.chmod(0o600)
            records = f"sqlite:{folder / 'records.db'}"
            pool = {
                "name": POOL,
                "labels": list(LABELS),
                "max": max_instances,
                "linger": "1s",
                "listen_max": "8s",
                "job_timeout": "5m",
                **(pool_settings or {}),
            }
            config: dict[str, object] = {
                "deployment": DEPLOYMENT,
                "mode": mode,
                "github": {
                    "url": emulator.github_api_url,
                    "app_id": app["client_id"],
                    "private_key": f"file:{key}",
                    "webhook_secret": "env:E2E_WEBHOOK_SECRET",
                    "organization": "acme",
                },
                "cloud_run": {
                    "project": emulator.project,
                    "region": emulator.region,
                    "endpoint": emulator.cloud_url,
                    "credentials": "anonymous",
                    "writes_per_minute": 180,
                },
                "records": records,
                "service": {
                    "url": forwarder.url,
                    "token_keys_url": f"{emulator.cloud_url}/oauth2/v3/certs",
                    "token_issuer": emulator.cloud_url,
                    "callers": ["cron@example.com"],
                },
                "max_instances": max_instances,
                "pools": [pool],
                "times": {**QUICK_TIMES, **(times or {})},
            }
            os.environ["E2E_WEBHOOK_SECRET"] = "e2e-webhook-secret"
            if webhooks and mode == "leased":
                emulator.github.put_webhook(f"{forwarder.url}/webhooks/github", "e2e-webhook-secret")
            create_cells(
                cloud_url=emulator.cloud_url,
                project=emulator.project,
                region=emulator.region,
                deployment=DEPLOYMENT,
                pool=POOL,
                sizes=sizes,
                command=AGENT,
                env=_agent_environment(
                    mode=mode,
                    scaler_url=forwarder.url,
                    emulator=emulator,
                    app=app,
                    key=key,
                    records=records,
                    pool=pool,
                ),
            )
            world = PoolWorld(emulator=emulator, folder=folder, forwarder=forwarder, config=config)
            try:
                yield world
            finally:
                world.end_scalers()
    finally:
        forwarder.close()


def _agent_environment(
    *,
    mode: str,
    scaler_url: str,
    emulator: Emulator,
    app: Mapping[str, str],
    key: Path,
    records: str,
    pool: Mapping[str, object],
) -> dict[str, str]:
    runner_settings = {
        "RUNNER_POOL_RUNNER_COMMAND": RUNNER,
        "RUNNER_POOL_RUNNER_HOME": str(Path.cwd()),
        "RUNNER_POOL_ALLOW_SAME_USER": "yes",
        "RUNNER_POOL_RUNNER_USER": str(os.getuid()),
    }
    if mode == "leased":
        return {**runner_settings, "RUNNER_POOL_SCALER_URL": scaler_url}
    return {
        **runner_settings,
        "RUNNER_POOL_REGISTRATION": "direct",
        "RUNNER_POOL_DEPLOYMENT": DEPLOYMENT,
        "RUNNER_POOL_POOL": POOL,
        "RUNNER_POOL_RECORDS": records,
        "RUNNER_POOL_GITHUB_URL": emulator.github_api_url,
        "RUNNER_POOL_GITHUB_APP_ID": app["client_id"],
        "RUNNER_POOL_GITHUB_APP_KEY": f"file:{key}",
        "RUNNER_POOL_GITHUB_SCOPE": "acme",
        "RUNNER_POOL_LABELS": ",".join(LABELS),
        "RUNNER_POOL_LISTEN_MAX": str(pool["listen_max"]),
        "RUNNER_POOL_JOB_TIMEOUT": str(pool["job_timeout"]),
    }


def burst(jobs: int, ledger: Path, *, seconds: str = "1") -> str:
    """A workflow with a matrix of so many jobs; the step of each appends its number to `ledger` and works for a moment."""
    numbers = ", ".join(map(str, range(jobs)))
    return f"""
name: burst
on: push
jobs:
  one:
    strategy:
      fail-fast: false
      matrix:
        number: [{numbers}]
    runs-on: [self-hosted, linux]
    steps:
      - run: |
          sleep {seconds}
          echo "${{{{ matrix.number }}}}" >> {ledger}
"""


def wait_until(look: object, *, seconds: float, what: str, world: PoolWorld) -> None:
    """Poll a condition; on failure show what the scalers said."""
    deadline = time.monotonic() + seconds
    seen: object = None
    while time.monotonic() < deadline:
        seen = look()  # type: ignore[operator]
        if seen is True:
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}; last seen: {seen}\n{world.logs()}")
