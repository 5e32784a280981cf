"""The demo from its first line to its last: prepare, start the world and the scaler, push, watch, judge.

The only file that knows the order of things. What is decided elsewhere: who runs the steps (account), what
runs (workflow_files), what people see (screen, report), what came of it (verdict).
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from rich.console import Console

from runner_pool import errors
from runner_pool.control_door import Snapshot
from runner_pool.demo.configuration import DEPLOYMENT, POOL, ScalerConfiguration, write_configuration
from runner_pool.demo.invitation import Performance
from runner_pool.demo.report import print_report
from runner_pool.demo.screen import LiveScreen, PlainScreen, Screen, figures
from runner_pool.demo.source_copy import copy_source
from runner_pool.demo.verdict import Left, Verdict, verdict
from runner_pool.process_table import become_subreaper, living_descendants
from runner_pool.program import Program
from runner_pool.provision import create_cells
from runner_pool.world import World

ORGANIZATION = "acme"
REPOSITORY = "widgets"
MAX_INSTANCES = 12
# A cell that was closed rests for 80 s (the protocol's S) before it opens again, so a demo of a minute opens
# each cell once: the sizes add up to nearly twice the instances that may run at a time.
CELL_SIZES = (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)
# A tenth of the real vendors' own delays: a container starts within half a second, not within some seconds.
TIME_FACTOR = 0.1

_LOOK_SECONDS = 0.25
_READY_SECONDS = 30.0
# A runner whose job was cancelled listens for LISTEN_MAX, at most twice, before its instance leaves.
_EMPTY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How the demo tells and spends time."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def perform(
    performance: Performance, *, env: Mapping[str, str], console: Console, clock: Clock | None = None
) -> int:
    """Run the demo; returns 0 when every promise was kept, else 1. Raises CommandError."""
    clock = clock or Clock()
    become_subreaper()
    started = clock.now()
    say = console.print
    say("starting a stand-in GitHub and a stand-in Cloud Run on loopback ports ...")
    with World.started(env=env, time_factor=TIME_FACTOR) as world:
        scaler, configuration = _start_scaler(world, performance, console)
        _await_readiness(world, configuration.url, clock)
        world.door.set_webhook(f"{configuration.url}/webhooks/github", secret=configuration.webhook_secret)
        source = _copied_source(world, performance, console)
        repository = f"{ORGANIZATION}/{REPOSITORY}"
        say(f"pushing {len(performance.plan.files)} workflow(s) to {repository}\n")
        pushed = clock.now()
        files = {file.name: file.text for file in performance.plan.files}
        world.door.push(repository, files, source=source)
        screen: Screen = LiveScreen(console) if console.is_terminal else PlainScreen(_plain_writer(console))
        try:
            last = _watch(world, screen, performance, clock, pushed)
        finally:
            screen.close()
        outcome = _outcome(world, performance, last, scaler)
    left_behind = len(living_descendants(os.getpid()))
    outcome = outcome.with_more_processes_left(left_behind)
    print_report(console, outcome, elapsed_seconds=clock.now() - started)
    return 1 if outcome.complaints else 0


def _start_scaler(
    world: World, performance: Performance, console: Console
) -> tuple[Program, ScalerConfiguration]:
    place = world.announcement
    app = world.door.set_up_organization(ORGANIZATION, repository=REPOSITORY)
    configuration = write_configuration(
        folder=world.private_folder,
        announcement=place,
        app=app,
        labels=performance.plan.labels,
        max_instances=MAX_INSTANCES,
    )
    create_cells(
        cloud_url=place.cloud_url,
        project=place.project,
        region=place.region,
        deployment=DEPLOYMENT,
        pool=POOL,
        sizes=CELL_SIZES,
        command=performance.agent_command,
        env=performance.cell_environment(world.folder, scaler_url=configuration.url),
    )
    console.print(
        f"{len(CELL_SIZES)} cells for at most {MAX_INSTANCES} instances are made, all at zero; "
        f"starting the scaler on {configuration.url}"
    )
    scaler = world.start("the scaler", performance.scaler_command(configuration.path))
    return scaler, configuration


def _await_readiness(world: World, url: str, clock: Clock) -> None:
    deadline = clock.now() + _READY_SECONDS
    last = "nothing"
    while clock.now() < deadline:
        world.require_alive()
        try:
            reply = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
        except httpx.TransportError as error:
            last = str(error)
        else:
            if reply.is_success:
                return
            last = f"{reply.status_code} {reply.text[:200]}"
        clock.sleep(0.1)
    raise errors.WorldError(
        f"the scaler was not ready within {_READY_SECONDS:.0f} s",
        cause=f"its last answer was: {last}",
        remedy="run the demo again when the machine has less to do",
    )


def _copied_source(world: World, performance: Performance, console: Console) -> str:
    copied = copy_source(performance.source, world.folder / "source", group=performance.account.uid)
    if not performance.own:
        return str(copied.folder)
    kind = "a git repository: what it ignores stays behind" if copied.with_git else "every file"
    console.print(
        f"copied {copied.files} file(s) of {performance.source} ({kind}); the original stays untouched"
    )
    for line in copied.left_out:
        console.print(f"  left out {line}", markup=False)
    return str(copied.folder)


def _watch(world: World, screen: Screen, performance: Performance, clock: Clock, pushed: float) -> Snapshot:
    """Show the world until every job has ended and every cell is empty; returns the last look."""
    deadline = pushed + performance.timeout_seconds
    emptied_by: float | None = None
    while True:
        world.require_alive()
        snapshot = world.door.snapshot()
        now = clock.now()
        screen.show(snapshot, elapsed_seconds=now - pushed)
        if snapshot.jobs and all(job.status == "completed" for job in snapshot.jobs):
            emptied_by = emptied_by or now + _EMPTY_SECONDS
            if snapshot.is_empty or now > emptied_by:
                return snapshot
        else:
            emptied_by = None
        if now > deadline:
            raise errors.UnfinishedError(
                f"the demo's {performance.timeout_seconds:.0f} s are over and its jobs are not",
                cause=f"last seen: {figures(snapshot)}; {_unfinished(snapshot)}",
                remedy="give it more time with --timeout SECONDS",
            )
        clock.sleep(_LOOK_SECONDS)


def _unfinished(snapshot: Snapshot) -> str:
    names = [f"{job.name} ({job.status})" for job in snapshot.jobs if job.status != "completed"]
    return "unfinished: " + ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _outcome(world: World, performance: Performance, last: Snapshot, scaler: Program) -> Verdict:
    left = Left(
        registrations=last.registrations,
        instances=len(last.instances),
        processes=len(world.container_processes()),
    )
    outcome = verdict(
        jobs=world.door.jobs(with_logs=True),
        stops=world.door.stops(),
        left=left,
        planned_jobs=performance.plan.jobs,
        may_be_skipped=performance.own,
    )
    code = scaler.stop(grace_seconds=15.0)
    if code != 0:
        raise errors.WorldError(
            f"the scaler ended with code {code} when it was asked to end",
            cause=f"its last lines were:\n{scaler.last_lines()}",
        )
    return outcome


def _plain_writer(console: Console) -> Callable[[str], None]:
    def write(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return write
