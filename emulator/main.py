"""The emulator program: a stand-in GitHub and a stand-in Google Cloud on two loopback ports, in one process.

Contract: docs/reference/emulator.md. This is the only place where the two worlds meet: the cloud asks GitHub which
instances are busy, and nothing else passes between them.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import shlex
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvicorn

from emulator.cloud.container_engine import ContainerEngine
from emulator.cloud.faults import CATALOGUE as CLOUD_FAULTS
from emulator.cloud.server import CloudStandIn
from emulator.faults import Description, WrongFault, fault_argument
from emulator.github.faults import CATALOGUE as GITHUB_FAULTS

LOOPBACK = "127.0.0.1"
GITHUB_API_PATH = "/api/v3"
GRACEFUL_SHUTDOWN_SECONDS = 1
EXIT_BAD_ARGUMENTS = 2
EXIT_PART_FAILED = 70


class GitHubSide(Protocol):
    """What the program needs of the stand-in GitHub."""

    @property
    def app(self) -> Any: ...

    async def run(self) -> None: ...

    def busy_instances(self) -> frozenset[str]: ...


GitHubFactory = Callable[["Settings", Callable[[], float], Callable[[], str]], GitHubSide]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The command line."""

    state_directory: Path
    announcement: Path | None
    time_factor: float
    seed: int
    github_port: int
    cloud_port: int
    project: str
    region: str
    issuer: str | None
    container_engine: tuple[str, ...]
    """The command that runs an image; empty: images are ignored."""
    faults: Mapping[str, Mapping[str, float]]
    """Of both sides; each name belongs to one."""

    def faults_of(self, catalogue: Mapping[Any, Description]) -> dict[str, Mapping[str, float]]:
        return {name: numbers for name, numbers in self.faults.items() if name in catalogue}


def main(arguments: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; the exit code."""
    return run(settings_from(arguments), environment=os.environ, github_factory=github_stand_in)


def run(settings: Settings, *, environment: Mapping[str, str], github_factory: GitHubFactory) -> int:
    try:
        sockets = [_bound(settings.github_port), _bound(settings.cloud_port)]
    except OSError as error:
        print_problem(
            f"A port is not free: {error}. Leave --github-port and --cloud-port out, or name others."
        )
        return EXIT_BAD_ARGUMENTS
    return asyncio.run(serve(settings, sockets, environment=environment, github_factory=github_factory))


async def serve(
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    environment: Mapping[str, str],
    github_factory: GitHubFactory,
) -> int:
    """Both worlds until a signal or until a part of them breaks; `sockets` are GitHub's and the cloud's."""
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    github_url, cloud_url = (f"http://{LOOPBACK}:{sock.getsockname()[1]}" for sock in sockets)
    clock = steady_clock()
    github = github_factory(settings, clock, lambda: github_url)
    cloud = CloudStandIn(
        project=settings.project,
        region=settings.region,
        state_directory=settings.state_directory,
        time_factor=settings.time_factor,
        seed=settings.seed,
        clock=clock,
        busy=github.busy_instances,
        public_url=lambda: settings.issuer or cloud_url,
        inherited_environment=environment,
        faults=settings.faults_of(CLOUD_FAULTS),
        engine=ContainerEngine(settings.container_engine) if settings.container_engine else None,
    )
    servers = [Server(github.app), Server(cloud.app)]
    cloud_task = asyncio.create_task(cloud.run(), name="the stand-in cloud")
    github_task = asyncio.create_task(github.run(), name="the stand-in GitHub")
    serving = [
        asyncio.create_task(server.serve(sockets=[sock]), name=f"the HTTP server of {name}")
        for server, sock, name in zip(servers, sockets, ("GitHub", "the cloud"), strict=True)
    ]
    announcing = asyncio.create_task(
        announce_when_ready(
            servers,
            {
                "github_url": github_url,
                "github_api_url": github_url + GITHUB_API_PATH,
                "cloud_url": cloud_url,
                "project": settings.project,
                "region": settings.region,
                "pid": os.getpid(),
            },
            settings.announcement,
        )
    )
    waiting = asyncio.create_task(asked_to_end.wait())
    ended, _ = await asyncio.wait(
        [waiting, cloud_task, github_task, *serving], return_when=asyncio.FIRST_COMPLETED
    )
    # Instances first: without their connections the servers can close at once.
    for task in (announcing, waiting, cloud_task, github_task):
        task.cancel()
    await asyncio.gather(announcing, waiting, cloud_task, github_task, return_exceptions=True)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving, return_exceptions=True)
    return exit_code(ended - {waiting})


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: two servers and many processes have one ending here."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
            )
        )
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def announce_when_ready(servers: Sequence[Server], facts: Mapping[str, Any], path: Path | None) -> None:
    """One JSON line, when both servers accept connections; a file appears whole or not at all."""
    for server in servers:
        await server.ready.wait()
    line = json.dumps(facts) + "\n"
    if path is None:
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(line)
    unfinished.replace(path)


def exit_code(broken: set[asyncio.Task[Any]]) -> int:
    """0 after a signal; a part that ended by itself is a fault of the emulator and is named."""
    for task in broken:
        error = None if task.cancelled() else task.exception()
        print_problem(f"{task.get_name()} ended by itself: {error or 'no reason given'}")
        if error is not None:  # a fault of ours, so whoever mends it wants to see where
            sys.stderr.write("".join(traceback.format_exception(error)))
    return EXIT_PART_FAILED if broken else 0


def print_problem(text: str) -> None:
    sys.stderr.write(f"emulator: {text}\n")


def steady_clock() -> Callable[[], float]:
    """Seconds since the epoch that never jump: the wall clock at the start, the monotonic clock from there."""
    epoch, start = time.time(), time.monotonic()
    return lambda: epoch + time.monotonic() - start


def github_stand_in(
    settings: Settings, clock: Callable[[], float], public_url: Callable[[], str]
) -> GitHubSide:
    from emulator.github.server import GitHubStandIn

    return GitHubStandIn(
        time_factor=settings.time_factor,
        seed=settings.seed,
        clock=clock,
        public_url=public_url,
        faults=settings.faults_of(GITHUB_FAULTS),
    )


def settings_from(arguments: Sequence[str]) -> Settings:
    """Ends the program with 2 and a message for a command line that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator",
        description="A stand-in GitHub and a stand-in Google Cloud on two loopback ports.",
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="folder for the instances' logs")
    parser.add_argument("--announce", type=Path, help="file for the announcement (default: standard output)")
    parser.add_argument(
        "--time-factor", type=_factor, default=1.0, help="scales the stand-ins' own delays (default: 1)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="for victims, delays and assignments (default: 1)"
    )
    parser.add_argument("--github-port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--cloud-port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--project", default="demo-project", help="default: demo-project")
    parser.add_argument("--region", default="us-central1", help="default: us-central1")
    parser.add_argument("--issuer", help="`iss` of identity tokens (default: the stand-in cloud's url)")
    parser.add_argument(
        "--container-engine",
        default="",
        metavar="COMMAND",
        help="runs each instance's image, such as 'podman run --rm' (default: the template's command, as a process)",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="what goes wrong (repeatable); VALUE is a number or PARAMETER=NUMBER,…",
    )
    given = parser.parse_args(arguments)
    return Settings(
        state_directory=given.state_dir.absolute(),
        announcement=given.announce,
        time_factor=given.time_factor,
        seed=given.seed,
        github_port=given.github_port,
        cloud_port=given.cloud_port,
        project=given.project,
        region=given.region,
        issuer=given.issuer,
        container_engine=tuple(shlex.split(given.container_engine)),
        faults=dict(given.fault),
    )


def _factor(text: str) -> float:
    factor = float(text)
    if not math.isfinite(factor) or factor < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a factor: give 0 or more")
    return factor


def _fault(text: str) -> tuple[str, dict[str, float]]:
    try:
        return fault_argument(text, {**CLOUD_FAULTS, **GITHUB_FAULTS})
    except WrongFault as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _bound(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named: 40 ms a request otherwise.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock
