"""Direct registration: no scaler stands between. The agent does start and end on its cell's record itself and
mints its own JIT configuration; `once`, run by cron, says through the deployment's record how many leases a cell may hold.

The same records, guards and order as the scaler's lease desk: first the lease by compare-and-set, then the
registration.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from cell_records.change import Owned, change_cell, read_cell, read_deployment
from cell_records.errors import BadStore, RecordError
from cell_records.location import store_at
from cell_records.obstacles import Obstacle, ObstacleMet, obstacle_met
from cell_records.record import (
    CellRecord,
    Gate,
    Lease,
    Outcome,
    Refusal,
    Refused,
    dying,
    ended,
    leased,
    registered,
    registration_refused,
    voided,
)
from cell_records.store import RecordStore
from github_api.client import GitHub
from github_api.errors import Conflict, GitHubError, RateLimited
from github_api.values import JitConfiguration, Scope
from runner_agent import contract
from runner_agent.contract import REPLY_WITHIN_SECONDS, EndReply, Grant, RefusalCode, ReportState
from runner_agent.errors import RefusedError, SettingsError, UnreachableError
from runner_agent.lifecycle.actions import EndLease, Report
from runner_agent.registration import Boot
from runner_agent.registration.app_key import read_app_key
from runner_agent.registration.exchange import Exchange
from runner_agent.registration.metadata import MetadataServer
from runner_agent.settings import GITHUB_SCOPE, RECORDS, DirectSettings

# The times of the lease protocol that the scaler's side would bring; cells of one deployment share them.
_HEARTBEAT_SECONDS = 20.0
_LONG_POLL_SECONDS = 25.0
_LOOK_AGAIN_SECONDS = 2.0
_STOP_LADDER_SECONDS = 10.0
_HARD_END_MARGIN_SECONDS = 300.0
_DYING_SECONDS = 15.0
_JIT_CALL_SECONDS = 15.0
_RUNNER_NAME_CHARACTERS_MOST = 64

MintRunner = Callable[[str, float], JitConfiguration]
"""Registers a runner of this name within so many seconds: its single-use configuration. Raises GitHubError."""

Value = TypeVar("Value")


class DirectRegistration:
    """Leases from the record store, registrations from GitHub."""

    def __init__(
        self,
        *,
        settings: DirectSettings,
        store: RecordStore,
        mint: MintRunner,
        instance_id: Callable[[], str],
        wall_clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """`wall_clock`: seconds since the epoch, as in the records."""
        self._settings = settings
        self._store = store
        self._mint = mint
        self._instance_id = instance_id
        self._wall_clock = wall_clock
        self._sleep = sleep

    def instance_id(self) -> str:
        """See Registration."""
        return self._instance_id()

    def park(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> bool:
        """Look at the records until they allow a lease, or the time of a long poll is over."""
        void = self._stored(lambda: read_cell(self._store, boot.cell))
        if void is not None and (older := void.lease_of(boot.boot)) is not None and older.ask < ask:
            self._change(boot, lambda it: voided(it, boot=boot.boot, ask=ask, now=self._wall_clock()))
        began = self._wall_clock()
        ends_at = began + min(_LONG_POLL_SECONDS, timeout_seconds)
        while True:
            now = self._wall_clock()
            if self._may_lease(boot, uptime_seconds=uptime_seconds + now - began):
                return True
            if now + _LOOK_AGAIN_SECONDS > ends_at:
                return False
            self._sleep(_LOOK_AGAIN_SECONDS)

    def start(self, boot: Boot, *, ask: int, uptime_seconds: float, timeout_seconds: float) -> Grant:
        """Put the lease into the record, then register its runner. The lease lives from the first on."""
        settings, now = self._settings, self._wall_clock()
        lasts = REPLY_WITHIN_SECONDS + 2 * settings.listen_max_seconds + settings.job_timeout_seconds
        lasts += _STOP_LADDER_SECONDS + _HARD_END_MARGIN_SECONDS
        lease = Lease(
            id=os.urandom(12).hex(),
            boot=boot.boot,
            ask=ask,
            runner_name=runner_name(settings.pool, boot.cell, os.urandom(6).hex()),
            started_at=now,
            hard_end=now + lasts,
        )
        room = self._room(boot)
        # Measured before all that this call has waited for, which the agent allows this long.
        oldest = uptime_seconds + REPLY_WITHIN_SECONDS
        self._change(
            boot, lambda it: leased(it, lease, uptime_seconds=oldest, room=room, now=self._wall_clock())
        )
        configuration = self._minted(boot, lease, min(_JIT_CALL_SECONDS, timeout_seconds))
        self._change(boot, lambda it: registered(it, lease_id=lease.id, runner_id=configuration.runner_id))
        return Grant(
            lease=lease.id,
            runner_id=configuration.runner_id,
            runner_name=lease.runner_name,
            encoded_jit_config=configuration.encoded.reveal(),
            heartbeat_seconds=_HEARTBEAT_SECONDS,
            listen_max_seconds=settings.listen_max_seconds,
            job_timeout_seconds=settings.job_timeout_seconds,
            hard_end_in_seconds=lasts,
        )

    def report(self, boot: Boot, report: Report) -> int | None:
        """Only `preempted` stands in the record; the answer is 0 while `once` sees no job for this cell to hope for."""
        if report.state is ReportState.PREEMPTED:
            until = self._wall_clock() + _DYING_SECONDS
            self._change(boot, lambda it: dying(it, lease_id=report.lease, boot=boot.boot, until=until))
            return None
        return None if self._room(boot) else 0

    def end(self, boot: Boot, end: EndLease) -> EndReply:
        """Remove the lease; `once` closes the cell when it is surplus."""
        try:
            record = self._change(
                boot,
                lambda it: ended(
                    it,
                    lease_id=end.lease,
                    boot=boot.boot,
                    close=False,
                    job_served=end.outcome is contract.Outcome.FINISHED,
                    now=self._wall_clock(),
                    had_job=end.outcome in (contract.Outcome.TIMED_OUT, contract.Outcome.LOST),
                    lost=end.outcome is contract.Outcome.LOST and end.word != contract.EndWord.IDLE_RACE,
                    met=self._met(end),
                ),
            )
        except RefusedError as refusal:
            if refusal.code == RefusalCode.UNKNOWN_LEASE:
                return EndReply.UNKNOWN_LEASE
            raise
        return EndReply.HOLD if record.gate is Gate.CLOSED or record.hold else EndReply.EXIT

    def _may_lease(self, boot: Boot, *, uptime_seconds: float) -> bool:
        record = self._stored(lambda: read_cell(self._store, boot.cell))
        if record is None or record.owner != self._settings.deployment:
            return False  # unknown is not empty: wait until `once` has made or restored the record
        if boot.boot in record.ended_boots or not self._wall_clock() - uptime_seconds > record.zeroed_at:
            raise _refused(Refusal.BOOT_RETIRED)
        return record.gate is Gate.OPEN and not record.hold and len(record.leases) < self._room(boot)

    def _room(self, boot: Boot) -> int:
        """How many leases `once` allows the cell."""
        record = self._stored(lambda: read_deployment(self._store, owner=self._settings.deployment))
        return record.allowed.get(boot.cell, 0)

    def _met(self, end: EndLease) -> ObstacleMet | None:
        """What kept a lease from a job, so that `once` holds its pool back."""
        found = next((each for each in Obstacle if each.value == end.word), None)
        return (
            None if found is None else obstacle_met(end.lease, found, at=self._wall_clock(), words=end.cause)
        )

    def _minted(self, boot: Boot, lease: Lease, timeout_seconds: float) -> JitConfiguration:
        try:
            return self._mint(lease.runner_name, timeout_seconds)
        except RateLimited as error:
            wait = max(0.0, error.until - self._wall_clock())
            raise RefusedError(
                status=503, code="unavailable", message=str(error), retry_after_seconds=wait
            ) from error
        except GitHubError as error:
            if not error.may_retry and not isinstance(error, Conflict):
                met = obstacle_met(
                    lease.id, Obstacle.REGISTRATION_REFUSED, at=self._wall_clock(), words=str(error)
                )
                self._change(boot, lambda it: registration_refused(it, met))
            # The next ask voids the lease and takes a new name: this one may be registered already.
            raise UnreachableError(str(error)) from error

    def _change(self, boot: Boot, transition: Callable[[CellRecord], Outcome]) -> CellRecord:
        outcome = self._stored(
            lambda: change_cell(
                self._store,
                boot.cell,
                transition,
                owned=Owned(owner=self._settings.deployment),
                nonce=lambda: os.urandom(12).hex(),
                sleep=self._sleep,
            )
        )
        if isinstance(outcome, Refused):
            raise _refused(outcome.reason)
        return outcome

    def _stored(self, call: Callable[[], Value]) -> Value:
        try:
            return call()
        except RecordError as error:
            raise UnreachableError(str(error)) from error


def direct_registration(
    settings: DirectSettings, *, env: Mapping[str, str], metadata: MetadataServer, exchange: Exchange
) -> DirectRegistration:
    """The registration of an agent that holds the App key. Raises SettingsError for what can be seen at once."""
    try:
        store = store_at(
            settings.records, endpoint=settings.storage_endpoint, anonymous=settings.storage_anonymous
        )
        scope = Scope.named(settings.scope)
    except BadStore as error:
        raise SettingsError([f"{RECORDS}: {error}"]) from error
    except ValueError as error:
        raise SettingsError([f"{GITHUB_SCOPE}: {error}; write acme or acme/widgets"]) from error
    key = read_app_key(
        settings.app_key,
        env=env,
        metadata=metadata,
        exchange=exchange,
        endpoint=settings.secret_manager_endpoint,
    )

    async def mint(name: str, timeout_seconds: float) -> JitConfiguration:
        async with GitHub(app_id=settings.app_id, key=key, scope=scope, url=settings.github_url) as github:
            return await github.generate_jit_configuration(
                name=name,
                labels=settings.labels,
                runner_group_id=settings.runner_group,
                timeout_seconds=timeout_seconds,
            )

    return DirectRegistration(
        settings=settings,
        store=store,
        mint=lambda name, timeout_seconds: asyncio.run(mint(name, timeout_seconds)),
        instance_id=metadata.instance_id,
        wall_clock=time.time,
        sleep=time.sleep,
    )


def runner_name(pool: str, cell: str, random_part: str) -> str:
    """`<pool>-<cell>-<random>`, shortened in front so that the random part stays whole (64 characters at most)."""
    return f"{pool}-{cell}"[: _RUNNER_NAME_CHARACTERS_MOST - len(random_part) - 1] + f"-{random_part}"


def _refused(reason: Refusal) -> RefusedError:
    gone = reason in {Refusal.BOOT_RETIRED, Refusal.UNKNOWN_LEASE, Refusal.NOT_THE_WITNESS}
    code = RefusalCode.UNKNOWN_LEASE.value if reason is Refusal.NOT_THE_WITNESS else reason.value
    message = f"the cell's record says {reason.value}"
    return RefusedError(status=410 if gone else 409, code=code, message=message)
