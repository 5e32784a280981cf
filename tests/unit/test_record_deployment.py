"""The deployment's record: one leader at a time, and counts that only the leader may note."""

from __future__ import annotations

from cell_records.deployment import DeploymentRecord, asked_for, given_up, led_by
from tests.factories import NOW, OWNER

EMPTY = DeploymentRecord(owner=OWNER)


def led(who: str = "p1") -> DeploymentRecord:
    """A record that `who` leads for another 15 s."""
    record = led_by(EMPTY, who=who, now=NOW, ttl_seconds=15.0)
    assert record is not None
    return record


def test_a_second_process_waits_until_the_first_has_let_go_or_run_out() -> None:
    """The moment of running out itself still belongs to the first."""
    assert led_by(led(), who="p2", now=NOW + 15.0, ttl_seconds=15.0) is None
    assert led_by(led(), who="p2", now=NOW + 15.1, ttl_seconds=15.0) == led_by(
        EMPTY, who="p2", now=NOW + 15.1, ttl_seconds=15.0
    )
    assert led_by(given_up(led(), who="p1"), who="p2", now=NOW, ttl_seconds=15.0) is not None


def test_the_leader_renews() -> None:
    """Also late, as long as nobody else took over."""
    renewed = led_by(led(), who="p1", now=NOW + 60.0, ttl_seconds=15.0)
    assert renewed is not None
    assert renewed.until == NOW + 75.0


def test_only_the_leader_gives_up_the_lead() -> None:
    """A straggler's farewell changes nothing."""
    assert given_up(led(), who="p2") == led()


def test_only_the_leader_notes_counts_and_zero_removes_one() -> None:
    """Other cells keep theirs."""
    noted = asked_for(led(), who="p1", counts={"b": 2, "a": 1})
    assert noted is not None
    assert noted.requested == {"a": 1, "b": 2}
    assert asked_for(noted, who="p2", counts={"a": 5}) is None
    after = asked_for(noted, who="p1", counts={"a": 0, "b": 3})
    assert after is not None
    assert after.requested == {"b": 3}
