"""A whole deployment on this machine for stories: the stand-in world, cells, scaler processes and a way in front of them.

The agents reach the scaler through a tiny forwarder, as they reach a Cloud Run service whichever of its processes is alive.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cell_records.codec import cell_record
from cell_records.record import CellRecord
from runner_pool.provision import create_cells
from tests.emulator_process import Emulator, running_emulator
from tests.forwarder import Forwarder

DEPLOYMENT = "e2e"
POOL = "linux"
LABELS = ("self-hosted", "linux", "x64")
AGENT = (sys.executable, "-m", "runner_agent")
RUNNER = f"{sys.executable} -m emulator.runner"
COMMAND = (sys.executable, "-m", "runner_pool")

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


# Below the range that the kernel draws the near ends of connections from: what is free now stays free until it is used.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port that nothing listens on."""
    while True:
        port = random.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass(kw_only=True)
class PoolWorld:
    """The running deployment of one story."""

    emulator: Emulator
    folder: Path
    forwarder: Forwarder
    config: dict[str, object]
    scaler_command: Sequence[str] = COMMAND
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
                [*self.scaler_command, "serve", "--config", str(path)], stdout=log, stderr=log
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
            [*COMMAND, verb, "--config", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def counts(self) -> Mapping[str, int]:
        """The count of every worker pool, as the stand-in cloud has been told."""
        cloud = self.emulator.cloud
        found = cloud.http.get(f"/v2/{cloud.parent}/workerPools").raise_for_status().json()
        return {
            pool["name"].rpartition("/")[2]: int(pool.get("scaling", {}).get("manualInstanceCount", 0))
            for pool in found.get("workerPools", [])
        }

    def records(self) -> Mapping[str, CellRecord]:
        """The record of each cell that has one."""
        database = self.folder / "records.db"
        if not database.exists():
            return {}
        with contextlib.closing(sqlite3.connect(database, timeout=10)) as records:
            try:
                texts = records.execute(
                    "SELECT key, text FROM records WHERE key LIKE 'cells/%' AND text <> ''"
                ).fetchall()
            except sqlite3.OperationalError:  # the scaler is about to make the table
                return {}
        return {key: cell_record(text, key=key) for key, text in texts}

    def standing_leases(self) -> list[str]:
        """Every lease that stands in a record."""
        return [f"{key} {lease.runner_name}" for key, each in self.records().items() for lease in each.leases]

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
    seed: int = 7,
    pool_settings: Mapping[str, object] | None = None,
    store_faults: Path | None = None,
) -> Iterator[PoolWorld]:
    """A stand-in world with one organization, one repository `acme/widgets`, cells of these sizes, and no scaler yet.

    `store_faults`: the file that says what goes wrong in the scalers' record store (`tests.faults.store`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    forwarder = Forwarder()
    try:
        with running_emulator(folder / "world", time_factor=time_factor, seed=seed) as emulator:
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
            world = PoolWorld(
                emulator=emulator,
                folder=folder,
                forwarder=forwarder,
                config=config,
                scaler_command=COMMAND
                if store_faults is None
                else (sys.executable, "-m", "tests.faults.scaler_program", str(store_faults)),
            )
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
