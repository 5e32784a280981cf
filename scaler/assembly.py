"""Puts a scaler together from its configuration; the one place that knows every part."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from cell_records.errors import BadStore
from cell_records.location import store_at
from github_api.client import GitHub
from scaler.budget import MinuteBudget
from scaler.cell_directory import CellDirectory
from scaler.cell_keeper import CellKeeper
from scaler.cell_writer import FOLLOW_SECONDS, CellWriter
from scaler.cloud_run.client import CloudRun, CredentialKind
from scaler.conclusions import Conclusions
from scaler.config import Config
from scaler.config.model import Mode, PoolSection
from scaler.config.times import REPLY_WITHIN
from scaler.core.model import Memory, Policy, PoolPolicy, Reason
from scaler.credentials import Credentials
from scaler.demand_watch import DemandWatch, StartedJob
from scaler.errors import RecordsUnusable
from scaler.identity import Identity
from scaler.identity_keys import PublishedKeys
from scaler.instances import Instances
from scaler.leadership import Leadership
from scaler.lease_desk import DeskTimes, KnownCell, LeaseDesk, Mind, Terms
from scaler.observability import Journal
from scaler.reconciler import Reconciler
from scaler.records import Records
from scaler.refusals import NotReady
from scaler.registrar import Registrar, RunnerShape
from scaler.rotation import IDLE_EVERY_SWEEPS
from scaler.runner_versions import RunnerVersions
from scaler.service import Admission

# A lease is suspect after three heartbeats were missed; only then is GitHub asked about its job.
SUSPECT_HEARTBEATS = 3


@dataclass(slots=True, kw_only=True)
class Parts:
    """A scaler, not yet doing anything."""

    config: Config
    policy: Policy
    credentials: Credentials
    github: GitHub
    cloud: CloudRun
    records: Records
    directory: CellDirectory
    writer: CellWriter
    keeper: CellKeeper
    demand: DemandWatch
    instances: Instances
    registrar: Registrar
    leadership: Leadership
    reconciler: Reconciler
    journal: Journal
    on_change: list[Callable[[], None]]

    def desk(self, mind: Mind) -> LeaseDesk:
        """The lease calls, with `mind` as the deciding side."""
        times = self.config.times
        return LeaseDesk(
            records=self.records,
            instances=self.instances,
            registrar=self.registrar,
            mind=mind,
            times=DeskTimes(
                heartbeat=times.heartbeat.total_seconds(),
                long_poll=times.long_poll.total_seconds(),
                reply_within=REPLY_WITHIN.total_seconds(),
                stop_ladder=times.stop_ladder.total_seconds(),
                hard_end_margin=times.hard_end_margin.total_seconds(),
                dying=times.dying.total_seconds(),
                suspect=self.policy.suspect_seconds,
            ),
            clock=time.time,
        )

    def identity(self, http: httpx.AsyncClient) -> Identity:
        """Who may call; keys come over `http`."""
        service = self.config.service
        keys = PublishedKeys(service.token_keys_url, http=http, clock=time.monotonic)
        return Identity(keys, issuer=service.token_issuer, audience=service.url or "")

    def admission(self, name: str) -> Admission | None:
        """A cell of this deployment and who may speak for it; None when there is none of that name. Raises NotReady."""
        if self.directory.read_at is None:
            # An instance must not take the first seconds after a restart for the end of its cell.
            raise NotReady("Cloud Run has not been read yet, so the cells are not known.")
        cell = self.directory.cells.get(name)
        if cell is None:
            return None
        pool = next((each for each in self.config.pools if each.name == cell.pool), None)
        asked_for = self.reconciler.requested.get(name, 0)
        known = KnownCell(
            name=name,
            uid=cell.worker_pool.uid,
            terms=_no_terms(cell.pool) if pool is None else terms_of(pool),
            room=min(cell.size, max(asked_for, cell.worker_pool.count or 0)),
        )
        return Admission(cell=known, account=cell.worker_pool.service_account, fault=cell.fault)

    async def aclose(self) -> None:
        """Let go of connections and threads."""
        await self.github.aclose()
        await self.cloud.aclose()


def assemble(
    config: Config,
    env: Mapping[str, str],
    *,
    follow: bool = True,
    memory: Memory | None = None,
    heard: Callable[[], bool] | None = None,
) -> Parts:
    """A scaler for this configuration. `follow`: whether writes wait for the end of their operation. `heard`: see Leadership.

    Blocks while secrets are read. Raises SecretUnreadable, GitHubRefused, RecordsUnusable.
    """
    changed: list[Callable[[], None]] = []

    def on_change() -> None:
        for each in changed:
            each()

    times, owner, clock = config.times, config.deployment, time.time
    journal, instances = Journal(), Instances(clock, monotonic=time.monotonic)
    credentials = Credentials(config, env, told=journal.said)
    github = credentials.github
    records = records_of(config)
    cloud = cloud_run_of(config)
    writes = MinuteBudget(config.cloud_run.writes_per_minute)
    settle = times.settle.total_seconds()
    directory = CellDirectory(
        deployment=owner, pools=[pool.name for pool in config.pools], settle_seconds=settle
    )

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)

    writer = CellWriter(
        cloud,
        records,
        budget=writes,
        settle_seconds=settle,
        clock=clock,
        sleep=sleep,
        on_change=on_change,
        follow_seconds=FOLLOW_SECONDS if follow else 0.0,
    )
    registrar = Registrar(
        github,
        records,
        budget=MinuteBudget(config.github.registrations_per_minute),
        jit_call_seconds=times.jit_call.total_seconds(),
        clock=clock,
    )
    leadership = Leadership(
        records, who=_own_name(), ttl_seconds=times.leader_ttl.total_seconds(), clock=clock, heard=heard
    )

    conclusions = Conclusions(registrar, told=journal.concluded, clock=clock)
    journal.on_ended = conclusions.wait_for
    keeper = CellKeeper(
        owner=owner,
        records=records,
        instances=instances,
        registrar=registrar,
        told=journal,
        settle_seconds=settle,
        suspect_seconds=SUSPECT_HEARTBEATS * times.heartbeat.total_seconds(),
        clock=clock,
        direct=config.mode is Mode.DIRECT,
        # `once` forgets when it has asked, and would ask each minute.
        versions=None
        if config.mode is Mode.DIRECT
        else RunnerVersions(github, told=journal.runner_version, clock=clock),
        cloud=cloud,
        conclusions=conclusions,
    )

    def on_started(job: StartedJob) -> None:
        journal.started(job)

    demand = DemandWatch(
        github,
        only=repositories_of(config),
        clock=clock,
        on_reading=on_change,
        on_started=on_started,
        idle_every_sweeps=1 if config.github.webhook_secret is None else IDLE_EVERY_SWEEPS,
    )
    policy = policy_of(config)
    reconciler = Reconciler(
        policy=policy,
        records=records,
        cloud=cloud,
        directory=directory,
        writer=writer,
        keeper=keeper,
        demand=demand.seen,
        instances=instances,
        registrar=registrar,
        leadership=leadership,
        writes=writes,
        clock=clock,
        memory=memory,
    )
    return Parts(
        config=config,
        policy=policy,
        credentials=credentials,
        github=github,
        cloud=cloud,
        records=records,
        directory=directory,
        writer=writer,
        keeper=keeper,
        demand=demand,
        instances=instances,
        registrar=registrar,
        leadership=leadership,
        reconciler=reconciler,
        journal=journal,
        on_change=changed,
    )


def policy_of(config: Config) -> Policy:
    """The configuration as the decision core reads it."""
    return Policy(
        pools=tuple(
            PoolPolicy(
                name=pool.name,
                labels=frozenset(label.lower() for label in pool.labels),
                min=pool.min,
                max=pool.max,
                warm=pool.warm,
                priority=pool.priority,
                public_repositories=pool.public_repositories,
                linger_seconds=pool.linger.total_seconds(),
                idle_lease_seconds=30.0 + 2 * pool.listen_max.total_seconds(),
                back_off_seconds=config.times.back_off.total_seconds(),
                paused=_pause(config, pool),
                schedule=tuple(entry.entry(config.timezone) for entry in pool.schedule),
            )
            for pool in config.pools
        ),
        max_instances=config.max_instances,
        settle_seconds=config.times.settle.total_seconds(),
        suspect_seconds=SUSPECT_HEARTBEATS * config.times.heartbeat.total_seconds(),
        direct=config.mode is Mode.DIRECT,
    )


def _pause(config: Config, pool: PoolSection) -> Reason | None:
    if config.paused:
        return Reason.DEPLOYMENT_PAUSED
    return Reason.POOL_PAUSED if pool.paused else None


def terms_of(pool: PoolSection) -> Terms:
    """What a pool's leases are given under."""
    return Terms(
        pool=pool.name,
        shape=RunnerShape(labels=pool.labels, runner_group_id=pool.runner_group),
        listen_max_seconds=pool.listen_max.total_seconds(),
        job_timeout_seconds=pool.job_timeout.total_seconds(),
    )


def _no_terms(pool: str) -> Terms:
    """For a cell whose pool is not configured any more: nothing is given in it, but what stands is heard to its end."""
    return Terms(
        pool=pool,
        shape=RunnerShape(labels=(), runner_group_id=0),
        listen_max_seconds=0.0,
        job_timeout_seconds=0.0,
    )


def github_of(config: Config, env: Mapping[str, str]) -> GitHub:
    """GitHub as the App of this configuration. Blocks while the key is read. Raises SecretUnreadable, GitHubRefused."""

    def unheard(event: str, **facts: object) -> None:
        """Errors reach the caller; a key that changes meanwhile is no news for one reading."""

    return Credentials(config, env, told=unheard).github


def cloud_run_of(config: Config) -> CloudRun:
    """Cloud Run as this configuration names it; nothing is called yet."""
    return CloudRun(
        project=config.cloud_run.project,
        region=config.cloud_run.region,
        endpoint=config.cloud_run.endpoint,
        credentials=config.cloud_run.credentials,
    )


def records_of(config: Config) -> Records:
    """The records of this deployment. Raises RecordsUnusable."""
    try:
        store = store_at(
            config.records,
            endpoint=config.storage.endpoint,
            anonymous=config.cloud_run.credentials is CredentialKind.ANONYMOUS,
        )
    except BadStore as error:
        raise RecordsUnusable(f"records: {error}") from error
    return Records(
        store,
        owner=config.deployment,
        nonce=lambda: secrets.token_hex(8),
        location=f"projects/{config.cloud_run.project}/locations/{config.cloud_run.region}",
    )


def repositories_of(config: Config) -> frozenset[str]:
    """The repositories whose jobs are counted, as the configuration writes them; none named means all that can be seen."""
    of_scope = () if config.github.repository is None else (config.github.repository,)
    return frozenset(config.github.repositories or of_scope)


def _own_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
