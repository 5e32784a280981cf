"""The stand-in Cloud Run's decisions, without clock, sockets and processes."""

from random import Random

import pytest

from emulator.cloud.delays import STOP_GRACE_SECONDS, Delays, Span
from emulator.cloud.documents import operation_document
from emulator.cloud.errors import AbortedError, FailedPreconditionError, NotFoundError
from emulator.cloud.wire import etag
from emulator.cloud.worker_pool import InstanceState, Kill, StopCause, Terminate
from tests.emulator_cloud_story import ACT, REPLACE, SETTLE, START, Story, pool_body


def test_a_write_is_accepted_acted_on_and_settled_at_three_times() -> None:
    story = Story()
    operation = story.create(2)
    assert story.document()["reconciling"]
    assert "observedGeneration" not in story.document()
    story.advance(ACT)
    assert len(story.ids(InstanceState.STARTING)) == 2
    assert "done" not in operation_document(operation)
    story.advance(SETTLE)
    assert operation_document(operation)["done"]
    assert story.running() == []
    assert "reconciling" not in story.document()
    assert story.document()["observedGeneration"] == story.document()["generation"] == "1"
    story.advance(START)
    assert len(story.running()) == 2


def test_a_settled_zero_says_nothing_about_instances_that_still_stop() -> None:
    story = Story()
    story.create(2)
    story.advance(60)
    story.obeys_sigterm = False
    operation = story.set_count(0)
    story.advance(ACT + SETTLE)
    assert operation.done
    assert len(story.ids(InstanceState.STOPPING)) == 2
    actions = story.advance(STOP_GRACE_SECONDS)
    assert [type(action) for action in actions] == [Kill, Kill]
    assert all(stop.killed for stop in story.world.fleet.stops)
    assert story.ids(InstanceState.STOPPING) == []


def test_sigkill_follows_exactly_ten_seconds_after_sigterm() -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    story.obeys_sigterm = False
    story.set_count(0)
    story.advance(ACT + STOP_GRACE_SECONDS - 0.001)
    assert len(story.ids(InstanceState.STOPPING)) == 1
    story.advance(0.001)
    assert story.ids(InstanceState.STOPPING) == []


def test_the_grace_is_never_scaled() -> None:
    story = Story(delays=Delays().scaled(0))
    story.create(1)
    story.advance(0)
    story.obeys_sigterm = False
    story.set_count(0)
    story.advance(STOP_GRACE_SECONDS - 0.001)
    assert len(story.ids(InstanceState.STOPPING)) == 1


def test_a_pending_zero_kills_although_a_raise_follows_it() -> None:
    story = Story()
    story.create(2)
    story.advance(60)
    first = story.running()
    story.set_count(0)
    story.set_count(2)
    story.advance(60)
    assert sorted(stop.instance for stop in story.world.fleet.stops) == sorted(first)
    assert len(story.running()) == 2
    assert not set(story.running()) & set(first)


def test_victims_are_arbitrary() -> None:
    """Over some seeds each of three instances is hit, and being busy protects nobody."""
    hit = set()
    for seed in range(30):
        story = Story(seed=seed)
        story.create(3)
        story.advance(60)
        busy, *_ = running = story.running()
        story.busy = frozenset({busy})
        story.set_count(2)
        story.advance(60)
        (stop,) = story.world.fleet.stops
        assert stop.was_busy == (stop.instance == busy)
        assert stop.cause is StopCause.SCALE_IN
        hit.add(running.index(stop.instance))
    assert hit == {0, 1, 2}


def test_an_instance_that_got_a_job_before_its_end_counts_as_busy() -> None:
    """A parked victim that is given a job within its ten seconds loses it all the same."""
    story = Story()
    story.create(1)
    story.advance(60)
    story.obeys_sigterm = False
    story.set_count(0)
    story.advance(ACT)
    (stop,) = story.world.fleet.stops
    assert not stop.was_busy
    story.busy = frozenset({stop.instance})
    story.advance(STOP_GRACE_SECONDS)
    assert stop.was_busy


@pytest.mark.parametrize("code", [0, 1, 137])
def test_an_exit_is_replaced_after_a_delay_whatever_the_code(code: int) -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    (first,) = story.running()
    story.end(first, code)
    story.advance(REPLACE + START - 0.001)
    assert story.running() == []
    story.advance(0.001)
    assert len(story.running()) == 1
    assert story.world.fleet.stops == []


def test_an_exit_during_scale_in_is_not_replaced() -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    story.set_count(0)
    story.advance(60)
    assert story.ids(InstanceState.STARTING, InstanceState.RUNNING) == []


def test_an_instance_that_has_not_started_is_stopped_without_a_signal() -> None:
    story = Story()
    story.create(1)
    story.advance(ACT)
    story.set_count(0)
    assert story.advance(60) == []
    (stop,) = story.world.fleet.stops
    assert (stop.cause, stop.was_busy, stop.killed) == (StopCause.SCALE_IN, False, False)


def test_a_count_makes_no_revision_and_a_template_replaces_all() -> None:
    story = Story()
    story.create(3)
    story.advance(60)
    revision = story.document()["latestReadyRevision"]
    story.set_count(4)
    story.advance(60)
    assert story.document()["latestReadyRevision"] == revision
    old = story.running()
    changed = pool_body(4, args=["--new"])
    story.world.patch("cell", changed, mask=["template"], caller="me@example.com", now=story.now)
    story.advance(60)
    assert story.document()["latestReadyRevision"] != revision
    assert {stop.cause for stop in story.world.fleet.stops} == {StopCause.REVISION}
    assert sorted(stop.instance for stop in story.world.fleet.stops) == sorted(old)
    assert len(story.running()) == 4


def test_a_label_is_a_new_revision_too() -> None:
    """Google says "any configuration change"; the severe reading kills all."""
    story = Story()
    story.create(1)
    story.advance(60)
    story.world.patch("cell", {"labels": {"a": "b"}}, mask=["labels"], caller="me@example.com", now=story.now)
    story.advance(60)
    assert [stop.cause for stop in story.world.fleet.stops] == [StopCause.REVISION]


def test_a_template_that_cannot_start_leaves_the_old_revision_at_work() -> None:
    story = Story()
    story.create(2)
    story.advance(60)
    before = story.running()
    operation = story.world.patch(
        "cell", pool_body(2, command=[]), mask=["template"], caller="me@example.com", now=story.now
    )
    story.advance(60)
    assert operation_document(operation)["error"]["code"] == FailedPreconditionError.rpc_code
    assert story.document()["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert "no command" in story.document()["terminalCondition"]["message"]
    assert story.running() == before


def test_a_missing_secret_is_named() -> None:
    story = Story()
    reference = {"secretKeyRef": {"secret": "lost", "version": "latest"}}
    operation = story.create(1, env=[{"name": "KEY", "valueSource": reference}])
    story.advance(60)
    assert operation.error is not None
    assert "projects/p/secrets/lost" in operation.error.message
    assert story.running() == []


def test_a_stale_etag_is_refused_under_a_mask_and_each_version_has_its_own() -> None:
    story = Story()
    story.create(1)
    accepted = story.document()["etag"]
    story.advance(60)
    settled = story.document()["etag"]
    assert accepted != settled
    with pytest.raises(AbortedError, match=r"Conflict for resource 'cell': version '\d+' was specified but"):
        story.set_count(0, tag=accepted)
    with pytest.raises(AbortedError):
        story.set_count(0, tag="nonsense")
    with pytest.raises(AbortedError):
        story.set_count(0, tag=etag(version=1, name="cell"))
    assert story.document()["generation"] == "1"
    story.set_count(0, tag=settled)
    assert story.document()["generation"] == "2"


def test_the_same_count_again_makes_no_generation() -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    operation = story.set_count(1)
    assert story.document()["generation"] == "1"
    story.advance(60)
    assert operation.done


def test_generations_are_observed_in_order() -> None:
    """Two writes on their way: each operation tells the state of its own end."""
    story = Story(delays=Delays(act=Span(low_seconds=0, high_seconds=9)))
    story.create(0)
    story.advance(60)
    operations = [story.set_count(count) for count in (3, 1, 2)]
    observed: list[int] = []
    while (due := story.world.next_due()) is not None and len(observed) < 100:
        story.advance(max(0.0, due - story.now))
        observed.append(int(story.document()["observedGeneration"]))
    assert observed == sorted(observed)
    assert observed[-1] == 4
    assert [op.response and op.response["observedGeneration"] for op in operations] == ["2", "3", "4"]
    assert len(story.running()) == 2


def test_a_deletion_stops_all_and_forbids_further_writes() -> None:
    story = Story()
    story.create(2)
    story.advance(60)
    uid = story.document()["uid"]
    story.world.delete("cell", tag=None, caller="me@example.com", now=story.now)
    assert "deleteTime" in story.document()
    with pytest.raises(FailedPreconditionError):
        story.set_count(1)
    story.advance(60)
    assert [stop.cause for stop in story.world.fleet.stops] == [StopCause.DELETED] * 2
    with pytest.raises(NotFoundError):
        story.world.worker_pool("cell")
    assert [pool.uid for pool in story.world.worker_pools(show_deleted=True)] == [uid]
    story.create(1)
    story.advance(60)
    assert story.document()["uid"] != uid
    assert len(story.running()) == 1


def test_a_late_end_of_a_deleted_pools_instance_does_not_touch_its_namesake() -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    story.obeys_sigterm = False
    (old,) = story.running()
    story.world.delete("cell", tag=None, caller="me@example.com", now=story.now)
    story.advance(ACT + SETTLE)
    story.create(0)
    story.advance(ACT + SETTLE)
    story.end(old)
    story.advance(60)
    assert story.running() == []


def test_a_preempted_instance_is_stopped_and_replaced() -> None:
    story = Story()
    story.create(1)
    story.advance(60)
    (first,) = story.running()
    assert story.world.preempt(first, now=story.now, busy={first}) == [Terminate(instance=first)]
    (stop,) = story.world.fleet.stops
    assert (stop.cause, stop.was_busy) == (StopCause.PREEMPTED, True)
    with pytest.raises(NotFoundError):
        story.world.preempt(first, now=story.now)
    story.advance(START)
    assert len(story.running()) == 1
    assert first in story.ids(InstanceState.STOPPING)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_world_comes_to_rest_at_the_asked_count(seed: int) -> None:
    """Random writes, exits and preemptions; then silence."""
    story = Story(seed=seed, delays=Delays())
    chance = Random(seed)
    story.create(3)
    for _ in range(60):
        story.advance(chance.uniform(0, 4))
        match chance.randrange(4):
            case 0:
                story.set_count(chance.randrange(6))
            case 1 if story.running():
                story.end(chance.choice(story.running()), code=chance.randrange(3))
            case 2 if story.running():
                story.world.preempt(chance.choice(story.running()), now=story.now)
            case _:
                story.obeys_sigterm = chance.random() < 0.5
    story.set_count(4)
    story.advance(120)
    assert len(story.running()) == 4
    assert story.ids(InstanceState.STARTING, InstanceState.STOPPING) == []
    assert story.world.next_due() is None
    assert all(operation.done for operation in story.world.operations.values())
    stopped = [stop.instance for stop in story.world.fleet.stops]
    assert len(stopped) == len(set(stopped))
