"""Until when GitHub serves the runners of a pool: asked once a day, and again when one was refused; told in time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from github_api.errors import GitHubError, NotFound
from github_api.values import Runner, RunnerDeprecation
from scaler.core.model import CellSeen, LeaseState
from scaler.observability import Journal
from scaler.runner_versions import AGAIN_SECONDS, DAY_SECONDS, RunnerVersions
from tests.factories import NOW, an_obstacle, an_open_cell, lease_seen, seen
from tests.github_replies import API, github_world
from tests.scaler_parts import Clock, a_tick

VERSION = "2.337.0"


@dataclass(slots=True)
class VersionsOfGitHub:
    """One version of all runners."""

    ends_at: float | None = None
    version: str | None = VERSION
    fails: GitHubError | None = None
    asked: list[object] = field(default_factory=list)

    async def runner(self, runner_id: int) -> Runner:
        """See Versions."""
        self.asked.append(runner_id)
        if self.fails is not None:
            raise self.fails
        return Runner(
            id=runner_id, name="r", status="online", busy=False, labels=frozenset(), version=self.version
        )

    async def runner_deprecation(self, version: str) -> RunnerDeprecation:
        """See Versions."""
        self.asked.append(version)
        return RunnerDeprecation(version=version, registers_until=None, gets_jobs_until=self.ends_at)


class Asked:
    """Versions, their GitHub, their clock and what was told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.github = VersionsOfGitHub()
        self.told: list[tuple[str, str]] = []
        self.versions = RunnerVersions(
            self.github, told=lambda pool, until: self.told.append((pool, until.version)), clock=self.clock
        )

    async def look(self, *cells: CellSeen, after: float = 0.0) -> list[object]:
        """What GitHub is asked at a tick so much later."""
        self.clock.now += after
        before = len(self.github.asked)
        self.versions.look(seen(*cells, at=self.clock.now))
        await self.versions.settle()
        return self.github.asked[before:]


def with_runner(state: LeaseState = LeaseState.LISTENING) -> CellSeen:
    """A cell whose runner 41 is in a state."""
    return an_open_cell("a", leases=[replace(lease_seen(state), runner_id=41)])


async def test_a_pool_with_a_connected_runner_is_asked_about_once_a_day() -> None:
    it = Asked()
    assert await it.look(with_runner()) == [41, VERSION]
    assert await it.look(with_runner(), after=DAY_SECONDS - 1.0) == []
    assert await it.look(with_runner(), after=1.0) == [41, VERSION]
    assert it.told == [("linux", VERSION)] * 2


@pytest.mark.parametrize("state", [LeaseState.STARTING, LeaseState.COMPLETED, LeaseState.UNKNOWN])
async def test_only_a_connected_runner_has_a_version(state: LeaseState) -> None:
    assert await Asked().look(with_runner(state)) == []


@pytest.mark.parametrize("failure", [NotFound("it had its job"), None], ids=["gone", "no version yet"])
async def test_a_question_that_came_to_nothing_is_asked_again_a_little_later(
    failure: GitHubError | None,
) -> None:
    it = Asked()
    it.github.fails, it.github.version = failure, None
    assert await it.look(with_runner()) == [41]
    it.github.fails, it.github.version = None, VERSION
    assert await it.look(with_runner(), after=AGAIN_SECONDS - 1.0) == []
    assert await it.look(with_runner(), after=1.0) == [41, VERSION]


async def test_a_refused_runner_brings_the_question_forward_but_makes_no_stream_of_them() -> None:
    """Its version is known from before: a refused runner never connects."""
    it = Asked()
    await it.look(with_runner())
    refused = an_open_cell("a", obstacles=[an_obstacle(at=NOW + 3_600.0)])
    assert await it.look(refused, after=3_600.0) == [VERSION]
    assert await it.look(refused, after=AGAIN_SECONDS) == []
    never_seen = Asked()
    assert await never_seen.look(an_open_cell("a", obstacles=[an_obstacle(at=NOW)])) == []


@pytest.mark.parametrize(("ends_in_days", "warned"), [(None, False), (8.0, False), (6.9, True), (-1.0, True)])
def test_an_admin_is_warned_a_week_before(ends_in_days: float | None, warned: bool) -> None:
    end = None if ends_in_days is None else NOW + ends_in_days * DAY_SECONDS
    with capture_logs() as logged:
        Journal(clock=Clock()).runner_version(
            "linux", RunnerDeprecation(version=VERSION, registers_until=None, gets_jobs_until=end)
        )
    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("runner_version_ends", "warning")
    ] * warned


def test_status_says_the_day() -> None:
    journal = Journal(clock=Clock())
    with capture_logs():
        journal.ticked(a_tick())
        journal.runner_version(
            "linux",
            RunnerDeprecation(version=VERSION, registers_until=NOW, gets_jobs_until=NOW + 30 * DAY_SECONDS),
        )
    assert journal.status(demand_faults={})["runner_versions"] == [
        {
            "pool": "linux",
            "version": VERSION,
            "registers_until": "1970-01-12",
            "gets_jobs_until": "1970-02-11",
        }
    ]


async def test_our_client_reads_until_when_a_version_is_served() -> None:
    with github_world() as world:
        world.router.get(f"{API}/orgs/acme/actions/runners/deprecations/{VERSION}").respond(
            200,
            json={
                "runner_version": VERSION,
                "registration_deprecates_at": None,
                "runtime_deprecates_at": "2027-02-15T08:00:00Z",
            },
        )
        found = await world.github.runner_deprecation(VERSION)
    assert found == RunnerDeprecation(version=VERSION, registers_until=None, gets_jobs_until=1_802_678_400.0)
