"""Direct mode: what keeps a lease from a job stands in the record, since nobody else could tell `once`."""

import pytest

from cell_records.obstacles import Obstacle
from github_api.errors import GitHubError, PermissionDenied, Unavailable
from runner_agent.contract import EndWord, Outcome
from runner_agent.errors import UnreachableError
from runner_agent.lifecycle.actions import EndLease
from tests.unit.test_agent_direct import BOOT, World


def test_what_kept_a_lease_from_a_job_stands_in_the_record_for_once() -> None:
    """Nobody hears an `end` in direct mode."""
    world = World()
    lease = world.start()
    end = EndLease(
        lease=lease,
        seq=9,
        outcome=Outcome.UNUSED,
        cause="too old",
        job=None,
        result=None,
        word=EndWord.RUNNER_DEPRECATED,
    )
    world.registration.end(BOOT, end)
    (met,) = world.record.obstacles
    assert (met.lease, met.obstacle, met.at, met.words) == (
        lease,
        Obstacle.RUNNER_DEPRECATED,
        world.now,
        "too old",
    )


@pytest.mark.parametrize(
    ("fault", "noted"), [(PermissionDenied("not allowed"), True), (Unavailable("no answer"), False)]
)
def test_only_a_registration_that_github_refuses_is_an_obstacle(fault: GitHubError, noted: bool) -> None:
    """One that got no answer may well be made the next time."""
    world = World()
    world.fault = fault
    with pytest.raises(UnreachableError):
        world.start()
    assert [each.obstacle for each in world.record.obstacles] == [Obstacle.REGISTRATION_REFUSED] * noted
