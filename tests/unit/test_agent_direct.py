"""Direct registration: the agent keeps the cell's record itself, by the same guards as a scaler would."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from cell_records.change import read_cell
from cell_records.codec import cell_text, deployment_text
from cell_records.deployment import DeploymentRecord
from cell_records.errors import Conflict, StoreUnavailable
from cell_records.record import CellRecord, Gate
from cell_records.store import DEPLOYMENT_KEY, Stored, StoreLimits, cell_key
from github_api.errors import RateLimited, Unavailable
from github_api.secret import Secret
from github_api.values import JitConfiguration
from runner_agent.contract import EndReply, Outcome, ReportState
from runner_agent.errors import RefusedError, SettingsError, UnreachableError
from runner_agent.lifecycle.actions import EndLease, Report
from runner_agent.registration import Boot
from runner_agent.registration.direct import DirectRegistration, direct_registration, runner_name
from runner_agent.registration.exchange import HttpExchange
from runner_agent.registration.metadata import MetadataServer
from runner_agent.settings import DirectSettings
from tests.github_replies import pem

CELL = "linux-a1"
BOOT = Boot(cell=CELL, instance="i-1", boot="ab" * 16)
OTHER = replace(BOOT, boot="cd" * 16)
SETTINGS = DirectSettings(
    deployment="main",
    pool="linux",
    records="sqlite:/nowhere",
    storage_endpoint="https://storage.googleapis.com",
    storage_anonymous=False,
    github_url="https://api.github.com",
    app_id="Iv1.x",
    secret_manager_endpoint="https://secretmanager.googleapis.com",
    app_key="env:APP_KEY",
    scope="acme",
    runner_group=1,
    labels=("self-hosted",),
    job_timeout_seconds=600,
    listen_max_seconds=60,
)


class MemoryStore:
    """A record store in a dictionary."""

    limits = StoreLimits()

    def __init__(self) -> None:
        self.texts: dict[str, Stored] = {}
        self.down = False

    def read(self, key: str) -> Stored | None:
        if self.down:
            raise StoreUnavailable("the store is down")
        return self.texts.get(key)

    def read_all(self) -> Mapping[str, Stored]:
        return dict(self.texts)

    def compare_and_set(self, key: str, text: str, *, expected: int | None) -> int:
        standing = self.read(key)
        if (None if standing is None else standing.version) != expected:
            raise Conflict(key)
        version = 1 if expected is None else expected + 1
        self.texts[key] = Stored(text, version)
        return version

    def remove(self, key: str, *, expected: int) -> None:
        raise NotImplementedError("an agent removes nothing")


class World:
    """One open cell, a clock, a GitHub that registers or fails."""

    def __init__(self, *, allowed: int = 1) -> None:
        self.store = MemoryStore()
        self.now = 10_000.0
        self.minted: list[str] = []
        self.fault: Exception | None = None
        self.on_sleep: Callable[[], None] = lambda: None
        record = CellRecord(owner="main", uid="u", gate=Gate.OPEN, zero_seen=False, zeroed_at=9_000.0)
        self.store.compare_and_set(cell_key(CELL), cell_text(record), expected=None)
        self.allow(allowed)
        self.registration = DirectRegistration(
            settings=SETTINGS,
            store=self.store,
            mint=self.mint,
            instance_id=lambda: "i-1",
            wall_clock=lambda: self.now,
            sleep=self.sleep,
        )

    def mint(self, name: str, timeout_seconds: float) -> JitConfiguration:
        self.minted.append(name)
        assert timeout_seconds <= 15
        assert any(lease.runner_name == name for lease in self.record.leases), "the lease must stand first"
        if self.fault is not None:
            raise self.fault
        return JitConfiguration(runner_id=41, runner_name=name, encoded=Secret("jit"))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()

    def allow(self, leases: int) -> None:
        """What `once` says."""
        standing = self.store.read(DEPLOYMENT_KEY)
        text = deployment_text(DeploymentRecord(owner="main", allowed={CELL: leases}))
        self.store.compare_and_set(DEPLOYMENT_KEY, text, expected=standing.version if standing else None)

    @property
    def record(self) -> CellRecord:
        record = read_cell(self.store, CELL)
        assert record is not None
        return record

    def change(self, record: CellRecord) -> None:
        """Another hand."""
        standing = self.store.read(cell_key(CELL))
        assert standing is not None
        self.store.compare_and_set(cell_key(CELL), cell_text(record), expected=standing.version)

    def park(self, boot: Boot = BOOT, *, ask: int = 1, uptime: float = 5.0) -> bool:
        return self.registration.park(boot, ask=ask, uptime_seconds=uptime, timeout_seconds=35)

    def start(self, boot: Boot = BOOT, *, ask: int = 1, uptime: float = 5.0) -> str:
        grant = self.registration.start(boot, ask=ask, uptime_seconds=uptime, timeout_seconds=30)
        return grant.lease

    def end(self, lease: str, boot: Boot = BOOT, outcome: Outcome = Outcome.FINISHED) -> EndReply:
        end = EndLease(lease=lease, seq=9, outcome=outcome, cause="x", job=None, result=None)
        return self.registration.end(boot, end)


def test_a_lease_stands_in_the_record_before_its_runner_is_registered_and_until_its_end() -> None:
    world = World()
    assert world.park()
    lease = world.start()
    (standing,) = world.record.leases
    assert (standing.id, standing.runner_id, standing.boot) == (lease, 41, BOOT.boot)
    assert standing.hard_end == world.now + 30 + 2 * 60 + 600 + 10 + 300
    assert world.end(lease) is EndReply.EXIT
    assert world.record.leases == ()
    assert world.end(lease) is EndReply.EXIT, "saying it again changes nothing"


def test_the_terms_are_the_settings() -> None:
    grant = World().registration.start(BOOT, ask=1, uptime_seconds=5, timeout_seconds=30)
    assert (grant.listen_max_seconds, grant.job_timeout_seconds) == (60, 600)
    assert grant.hard_end_in_seconds == 1060
    assert grant.encoded_jit_config == "jit"


def test_an_instance_parks_until_the_records_allow_a_lease() -> None:
    world = World(allowed=0)
    assert not world.park()
    assert world.now == 10_024.0, "as long as a long poll lasts"
    world.on_sleep = lambda: world.allow(1) if world.now > 10_030 else None
    assert world.park(uptime=30)
    assert world.now < 10_035


def test_no_more_leases_than_allowed() -> None:
    world = World(allowed=1)
    world.start()
    assert not world.park(OTHER)
    with pytest.raises(RefusedError, match="no_room"):
        world.start(OTHER)
    assert len(world.minted) == 1


def test_a_closed_gate_gives_no_lease_and_holds_what_ends() -> None:
    world = World()
    lease = world.start()
    world.end(lease)
    world.change(replace(world.record, gate=Gate.CLOSED))
    assert not world.park(OTHER)
    with pytest.raises(RefusedError, match="gate_closed"):
        world.start(OTHER)
    assert world.end(lease) is EndReply.HOLD


@pytest.mark.parametrize("uptime", [1_000.0, 2_000.0])
def test_a_boot_older_than_the_last_zero_is_retired(uptime: float) -> None:
    world = World()
    for call in (world.park, world.start):
        with pytest.raises(RefusedError) as caught:
            call(uptime=uptime)
        assert (caught.value.status, caught.value.code) == (410, "boot_retired")


def test_a_boot_that_has_had_its_lease_is_retired() -> None:
    world = World()
    world.end(world.start())
    with pytest.raises(RefusedError) as caught:
        world.park(ask=2)
    assert caught.value.status == 410


def test_a_higher_ask_voids_the_lease_whose_registration_failed() -> None:
    world = World()
    world.fault = Unavailable("no answer")
    with pytest.raises(UnreachableError):
        world.start()
    assert len(world.record.leases) == 1
    world.fault = None
    assert world.park(ask=2), "the older lease no longer takes the room"
    world.start(ask=2)
    assert len(set(world.minted)) == 2, "a name is never used twice"
    assert [ghost.runner_name for ghost in world.record.ghosts] == world.minted[:1]


def test_a_limit_of_github_says_when_to_come_back() -> None:
    world = World()
    world.fault = RateLimited("too many", until=world.now + 42)
    with pytest.raises(RefusedError) as caught:
        world.start()
    assert (caught.value.status, caught.value.retry_after_seconds) == (503, 42)


def test_only_preempted_is_written_down() -> None:
    world = World()
    lease = world.start()
    report = Report(lease=lease, seq=1, state=ReportState.RUNNING, job="b", result=None, timeout_seconds=5)
    before = world.record
    assert world.registration.report(BOOT, report) is None
    assert world.record == before
    world.registration.report(BOOT, replace(report, state=ReportState.PREEMPTED))
    assert world.record.leases[0].dying_until == world.now + 15


def test_nobody_ends_the_lease_of_another_boot() -> None:
    world = World()
    lease = world.start()
    assert world.end(lease, OTHER) is EndReply.UNKNOWN_LEASE
    assert len(world.record.leases) == 1


def test_unknown_is_not_empty() -> None:
    """No record, a foreign one, a store that is down: no lease, and no opinion."""
    world = World()
    world.change(replace(world.record, owner="somebody else"))
    assert not world.park()
    with pytest.raises(RefusedError, match="foreign"):
        world.start()
    del world.store.texts[cell_key(CELL)]
    assert not world.park()
    with pytest.raises(RefusedError, match="no_record"):
        world.start()
    world.store.down = True
    with pytest.raises(UnreachableError):
        world.park()
    assert world.minted == []


def test_a_runners_name_keeps_its_random_part() -> None:
    assert runner_name("linux", "linux-a1", "0a1b2c") == "linux-linux-a1-0a1b2c"
    long = runner_name("p" * 60, "c" * 60, "0a1b2c")
    assert len(long) == 64
    assert long.endswith("-0a1b2c")


# The App's key


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (replace(SETTINGS, records="postgres:x"), "RUNNER_POOL_RECORDS"),
        (replace(SETTINGS, scope="a/b/c"), "RUNNER_POOL_GITHUB_SCOPE"),
    ],
)
def test_settings_that_only_direct_registration_understands_are_checked_too(
    settings: DirectSettings, name: str
) -> None:
    exchange = HttpExchange()
    metadata = MetadataServer("metadata", exchange=exchange)
    with pytest.raises(SettingsError, match=f"^{name}: "):
        direct_registration(settings, env={"APP_KEY": pem()}, metadata=metadata, exchange=exchange)
