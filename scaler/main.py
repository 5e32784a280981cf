"""The scaler's four verbs: serve, once, plan, check-config. Each gives an exit code or raises ScalerError."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import uvicorn

from cell_records.errors import RecordError
from github_api.errors import BadCredentials, GitHubError, InstallationMissing, PermissionDenied
from scaler.assembly import Parts, assemble
from scaler.config import Config, load_config
from scaler.config.summary import summary
from scaler.connections import PatientConnection, allow_many_connections
from scaler.core.memory_text import memory_in, memory_text
from scaler.errors import AddressUnusable, GitHubRefused, RecordsUnusable
from scaler.loop import Intervals, Loop
from scaler.observability import set_up_logging
from scaler.plan_report import plan_document, print_plan
from scaler.refused_callers import RefusedCallers
from scaler.service import Service
from scaler.traffic import Traffic


def check_config(config_path: Path, env: Mapping[str, str]) -> int:
    """Read the configuration and resolve its secrets, then print what is in force. Raises ScalerError."""
    config = load_config(config_path, env)
    asyncio.run(_closed(assemble(config, env)))
    sys.stdout.write("\n".join(summary(config)) + "\n")
    return 0


def plan(config_path: Path, env: Mapping[str, str], *, as_json: bool = False, check: bool = False) -> int:
    """Print what the next tick would do and why; touches nothing. Raises ScalerError.

    `check`: also raise PromiseBroken when the decision would break an invariant. Gives 9 when Cloud Run did not answer.
    """
    set_up_logging(terminal=sys.stderr.isatty())
    config = load_config(config_path, env)
    return asyncio.run(_plan(assemble(config, env), as_json=as_json, check=check))


def once(config_path: Path, env: Mapping[str, str]) -> int:
    """One tick, for cron; gives 9 when Cloud Run did not answer. Raises ScalerError."""
    set_up_logging(terminal=sys.stderr.isatty())
    config = load_config(config_path, env)
    return asyncio.run(_once(assemble(config, env, follow=False)))


def serve(config_path: Path, env: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT. Raises ScalerError."""
    set_up_logging(terminal=sys.stderr.isatty())
    config = load_config(config_path, env)
    allow_many_connections()
    # Only the service has a thousand connections; the other verbs start faster without it.
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, env))


async def _closed(parts: Parts) -> None:
    await parts.aclose()


async def _plan(parts: Parts, *, as_json: bool, check: bool) -> int:
    try:
        await _records_answer(parts)
        parts.reconciler.memory = memory_in((await parts.records.deployment()).memory)
        await parts.demand.sweep()
        await _github_answers(parts)
        seen, _, faults, _ = await parts.reconciler.observe(look=True)
        code = _code_of_cloud_run(parts)
        decision = parts.reconciler.decided(seen, checked=check)
    finally:
        await parts.aclose()
    if as_json:
        sys.stdout.write(
            json.dumps(plan_document(seen, decision, {**faults, **parts.demand.faults}), indent=2) + "\n"
        )
    else:
        print_plan(seen, decision, {**faults, **parts.demand.faults})
    return code


async def _once(parts: Parts) -> int:
    try:
        await _records_answer(parts)
        if not await _leads(parts):
            return 0
        await parts.demand.sweep()
        await _github_answers(parts)
        # Sweeping many repositories can take longer than a lead lasts.
        if not await _leads(parts):
            return 0
        parts.reconciler.memory = memory_in((await parts.records.deployment()).memory)
        parts.journal.ticked(await parts.reconciler.tick(look=True))
        await parts.writer.settle()
        await parts.keeper.settle()
        text = memory_text(parts.reconciler.memory)
        await parts.records.change_deployment(lambda record: replace(record, memory=text))
        await parts.leadership.give_up()
        if parts.writer.defect is not None:
            raise parts.writer.defect
        return _code_of_cloud_run(parts)
    except RecordError as error:
        raise RecordsUnusable(str(error)) from error
    finally:
        await parts.aclose()


async def _leads(parts: Parts) -> bool:
    """Take or keep the lead; say so when somebody else has it."""
    leads = await parts.leadership.renew()
    if not leads:
        parts.journal.said(
            "another_leads", warning=True, remedy="nothing was done; two crons, or a service beside it?"
        )
    return leads


def _code_of_cloud_run(parts: Parts) -> int:
    """The exit code that the one reading of Cloud Run asks for. Raises what trying again would not cure."""
    fault = parts.reconciler.cloud_fault
    if fault is None:
        return 0
    if not fault.may_retry:
        raise fault
    parts.journal.said("cloud_run_unavailable", warning=True, what=fault.what, remedy=fault.remedy)
    return fault.exit_code


async def _serve(config: Config, env: Mapping[str, str]) -> int:
    traffic = Traffic(monotonic=time.monotonic)
    parts = assemble(config, env, heard=traffic.heard)
    parts.cloud.load()
    await _records_answer(parts)
    times = config.times
    loop = Loop(
        reconciler=parts.reconciler,
        demand=parts.demand,
        directory=parts.directory,
        writer=parts.writer,
        leadership=parts.leadership,
        journal=parts.journal,
        intervals=Intervals(
            demand=times.demand_interval.total_seconds(),
            cells=times.cells_interval.total_seconds(),
            leader_renewal=times.leader_renewal.total_seconds(),
        ),
        clock=time.time,
    )
    parts.on_change.append(loop.nudge)
    refused = RefusedCallers(parts.journal.said, clock=time.monotonic)
    async with httpx.AsyncClient() as http:
        service = Service(
            desk=parts.desk(loop),
            identity=parts.identity(http),
            cell=parts.admission,
            secrets=parts.directory.secrets,
            callers=frozenset(config.service.callers),
            look_at_cells=loop.look_at_cells,
            webhook=parts.credentials.webhook,
            on_repository=loop.nudge_repository,
            tick=_ticker(loop, parts),
            status=lambda: {
                **parts.journal.status(demand_faults=parts.demand.faults),
                "refused_callers": refused.totals(),
            },
            ready=lambda: _why_not_ready(parts, loop),
            on_refused=refused.note,
        )
        server = _Server(
            uvicorn.Config(
                traffic.over(service.app()),
                host=config.service.host,
                port=config.service.port,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=64 * 1024,
                http=PatientConnection,
                # Nothing here asks for the caller's address.
                proxy_headers=False,
            ),
            release=parts.instances.release,
        )
        parts.journal.said(
            "serving", host=config.service.host, port=config.service.port, url=config.service.url
        )
        try:
            await _serve_until_told(server, loop.run(), parts.credentials.look_on_and_on())
        finally:
            await _give_up(parts)
            await parts.aclose()
    return 0


class _Server(uvicorn.Server):
    """Answers the long polls when it is told to stop, so that it need not wait for them."""

    def __init__(self, config: uvicorn.Config, *, release: Callable[[], None]) -> None:
        super().__init__(config)
        self._release = release

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the order to stop, and no more: uvicorn's own would raise them again afterwards."""
        running = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                running.remove_signal_handler(each)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn."""
        self._release()
        await super().shutdown(sockets)


async def _serve_until_told(server: uvicorn.Server, *lives: Coroutine[Any, Any, None]) -> None:
    """Serve until a signal; the first of `lives` that breaks ends the service with its error."""
    living = {asyncio.ensure_future(life) for life in lives}
    serving = asyncio.ensure_future(_listen(server))
    try:
        done, _ = await asyncio.wait({serving, *living}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        for life in done & living:
            await life
    finally:
        for life in living:
            life.cancel()
        await asyncio.gather(*living, return_exceptions=True)


async def _listen(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit:
        # uvicorn's way to say that it could not bind; it has written the cause to its own log.
        raise AddressUnusable(
            f"The service cannot listen on {server.config.host}:{server.config.port}.",
            remedy="Another program has the port, or the address is not this machine's: see service.host and service.port.",
        ) from None


async def _give_up(parts: Parts) -> None:
    try:
        await parts.leadership.give_up()
    except RecordError as error:
        parts.journal.said("lead_not_given_up", warning=True, what=str(error))


def _ticker(loop: Loop, parts: Parts) -> Callable[[], Coroutine[Any, Any, Mapping[str, Any]]]:
    async def tick() -> Mapping[str, Any]:
        record = await loop.look_at_everything()
        return {"ticked": record is not None, **parts.journal.status(demand_faults=parts.demand.faults)}

    return tick


def _why_not_ready(parts: Parts, loop: Loop) -> str | None:
    if not loop.store_answers:
        return "the records have not been read"
    if parts.directory.read_at is None:
        return "Cloud Run has not been read"
    if not parts.demand.seen().complete:
        return "GitHub has not been read completely"
    return None


async def _records_answer(parts: Parts) -> None:
    try:
        await parts.records.all()
    except RecordError as error:
        raise RecordsUnusable(str(error)) from error


async def _github_answers(parts: Parts) -> None:
    """Raise when GitHub refuses the App altogether: for cron an exit code says more than a line in a log."""
    fault = parts.demand.faults.get("installation")
    if fault is None:
        return
    try:
        await parts.github.repositories()
    except (BadCredentials, InstallationMissing, PermissionDenied) as error:
        raise GitHubRefused(str(error)) from error
    except GitHubError as error:
        parts.journal.said("github_unavailable", warning=True, what=str(error))
