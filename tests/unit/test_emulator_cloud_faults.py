"""The faults of the stand-in Cloud Run, each on and off, without clock, sockets and processes."""

import pytest

from emulator.cloud.delays import STOP_GRACE_SECONDS
from emulator.cloud.documents import operation_document
from emulator.cloud.errors import AbortedError, NotFoundError
from emulator.cloud.faults import CATALOGUE, Fault
from emulator.cloud.rate_faults import FOREIGN_CALLER
from emulator.cloud.wire import etag
from emulator.cloud.worker_pool import InstanceState, Kill, Launch, StopCause, Terminate
from emulator.faults import fault_argument
from tests.emulator_cloud_story import ACT, REPLACE, SETTLE, START, Story, pool_body


def story_with(*faults: str, count: int = 0, seed: int = 1) -> Story:
    """A world at rest with a worker pool of so many running instances, then with these faults on."""
    story = Story(seed=seed)
    story.create(count)
    story.advance(60)
    assert len(story.running()) == count
    story.world.faults.replace(dict(fault_argument(text, CATALOGUE) for text in faults), now=story.now)
    return story


def struck(story: Story, fault: Fault) -> int:
    return story.world.faults.struck.get(fault, 0)


def tag(story: Story) -> str:
    pool = story.world.worker_pool("cell")
    return etag(version=pool.version, name=pool.name)


def test_a_world_without_faults_counts_none() -> None:
    """A whole life: growth, loss, scale-in; also as a reference for the draws of chance, which stay the same."""
    stories = [story_with(count=2), story_with("stale-etag=0", "slow-start=seconds=9,share=0", count=2)]
    for story in stories:
        story.end(story.running()[0])
        story.advance(60)
        story.set_count(1, tag=tag(story))
        story.advance(60)
        assert story.world.faults.struck == {}
        assert len(story.running()) == 1
        assert story.document()["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


@pytest.mark.parametrize(("faults", "late"), [((), 0.0), (("slow-start=20",), 20.0)])
def test_a_slow_start_comes_so_much_later(faults: tuple[str, ...], late: float) -> None:
    story = story_with(*faults)
    story.set_count(1)
    story.advance(ACT + START + late - 0.001)
    assert story.running() == []
    story.advance(0.001)
    assert len(story.running()) == 1
    assert struck(story, Fault.SLOW_START) == len(faults)


def test_a_failed_start_never_runs_and_is_replaced() -> None:
    story = story_with("failed-start=share=1,most=1")
    story.set_count(1)
    story.advance(ACT + START)
    (failed,) = story.ids(InstanceState.GONE)
    instance = story.world.fleet.instances[failed]
    assert (instance.exit_code, instance.started_at, instance.launched) == (1, None, False)
    story.advance(REPLACE + START)
    assert len(story.running()) == 1
    assert struck(story, Fault.FAILED_START) == 1


def test_the_cpu_quota_refuses_growth_and_lets_the_rest_live() -> None:
    story = story_with("cpu-quota", count=1)
    operation = story.set_count(3)
    story.advance(60)
    assert operation_document(operation)["error"]["code"] == 9
    assert (
        "CpuAllocPerProjectRegion requested: 3000 allowed: 0"
        in operation_document(operation)["error"]["message"]
    )
    assert len(story.running()) == 1
    assert story.document()["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert story.set_count(0).error is None
    story.advance(60)
    assert story.running() == []
    assert story.document()["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    story.world.faults.replace({}, now=story.now)
    story.set_count(2)
    story.advance(60)
    assert len(story.running()) == 2
    assert struck(story, Fault.CPU_QUOTA) == 1


def test_a_stale_etag_is_refused_though_it_was_just_read_and_the_next_read_differs() -> None:
    story = story_with("stale-etag=share=1,most=1", count=1)
    before = tag(story)
    with pytest.raises(AbortedError, match="was specified but current version is"):
        story.set_count(2, tag=before)
    assert tag(story) != before
    assert story.document()["scaling"]["manualInstanceCount"] == 1
    story.set_count(2, tag=tag(story))
    assert struck(story, Fault.STALE_ETAG) == 1


def test_a_write_without_an_etag_cannot_be_stale() -> None:
    story = story_with("stale-etag=1")
    story.set_count(1)
    assert struck(story, Fault.STALE_ETAG) == 0


def test_a_stuck_operation_holds_the_later_ones_though_both_take_effect() -> None:
    story = story_with("operation-stuck=seconds=100,most=1")
    first = story.set_count(1)
    second = story.set_count(2)
    story.advance(ACT + SETTLE + START)
    assert (first.done, second.done) == (False, False)
    assert len(story.running()) == 2
    assert story.document()["reconciling"]
    story.advance(100)
    assert (first.done, second.done) == (True, True)
    assert struck(story, Fault.OPERATION_STUCK) == 1


def test_a_failed_operation_has_no_effect_and_the_next_write_mends_it() -> None:
    story = story_with("operation-failed=share=1,most=1", count=1)
    failed = story.set_count(0)
    story.advance(60)
    assert failed.error is not None
    assert failed.error.status == "INTERNAL"
    assert len(story.running()) == 1
    assert story.world.fleet.stops == []
    mended = story.set_count(0)
    story.advance(60)
    assert mended.response is not None
    assert story.running() == []


def test_a_count_settled_early_leaves_its_victims_alone_for_a_while() -> None:
    story = story_with("settled-early=5", count=2)
    operation = story.set_count(0)
    actions = story.advance(ACT)
    assert operation.done
    assert story.document()["observedGeneration"] == story.document()["generation"]
    assert actions == []
    assert len(story.ids(InstanceState.STOPPING)) == 2
    assert story.advance(4.999) == []
    assert [type(action) for action in story.advance(0.001)] == [Terminate, Terminate]
    assert story.ids(InstanceState.STOPPING) == []
    assert struck(story, Fault.SETTLED_EARLY) == 1


def test_sigkill_still_follows_ten_seconds_after_a_late_sigterm() -> None:
    story = story_with("settled-early=5", count=1)
    story.obeys_sigterm = False
    story.set_count(0)
    assert [type(action) for action in story.advance(ACT + 14.999)] == [Terminate]
    assert [type(action) for action in story.advance(0.001)] == [Kill]


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0)])
def test_a_late_effect_follows_the_settled_operation(before: int, after: int) -> None:
    story = story_with("late-effect=7", count=before)
    operation = story.set_count(after)
    story.advance(ACT + SETTLE)
    assert operation.done
    assert "reconciling" not in story.document()
    story.advance(6.999)
    assert len(story.running()) == before
    story.advance(0.001 + START)
    assert len(story.running()) == after
    assert struck(story, Fault.LATE_EFFECT) == 1


def test_no_count_overtakes_a_late_one() -> None:
    story = story_with("late-effect=seconds=30,most=1", count=2)
    story.set_count(0)
    story.set_count(1)
    story.advance(ACT + SETTLE + 29.999)
    assert len(story.running()) == 2
    story.advance(60)
    assert len(story.running()) == 1
    assert len(story.world.fleet.stops) == 2


def test_a_patch_is_applied_a_second_time_after_a_later_one() -> None:
    story = story_with("patch-twice=seconds=20,most=1")
    story.set_count(2)
    story.advance(10)
    story.set_count(1)
    story.advance(9.999)
    assert story.document()["scaling"]["manualInstanceCount"] == 1
    generation = int(story.document()["generation"])
    story.advance(0.001)
    assert story.document()["scaling"]["manualInstanceCount"] == 2
    assert int(story.document()["generation"]) == generation + 1
    story.advance(60)
    assert len(story.running()) == 2
    assert struck(story, Fault.PATCH_TWICE) == 1


def test_an_instance_that_dies_gets_no_sigterm_and_is_replaced() -> None:
    story = story_with("instance-dies=per_minute=60,most=1", count=2)
    story.busy = frozenset(story.running())
    actions = story.advance(120)
    assert [type(action) for action in actions if not hasattr(action, "revision")] == [Kill]
    (stop,) = story.world.fleet.stops
    assert (stop.cause, stop.was_busy, stop.killed) == (StopCause.DIED, True, True)
    assert len(story.running()) == 2
    assert struck(story, Fault.INSTANCE_DIES) == 1


def test_an_early_replacement_runs_before_the_old_one_is_dead() -> None:
    story = story_with("early-replacement=per_minute=60,seconds=20,most=1", count=1)
    (old,) = story.running()
    while not story.world.fleet.stops:
        story.advance(0.1)
    story.advance(START + 1)
    assert story.world.fleet.instances[old].state is InstanceState.STOPPING
    assert len(story.running()) == 1
    story.advance(20)
    assert story.world.fleet.instances[old].state is InstanceState.GONE
    assert len(story.running()) == 1
    assert story.world.fleet.stops[0].cause is StopCause.PREEMPTED
    assert struck(story, Fault.EARLY_REPLACEMENT) == 1


def test_another_hand_writes_a_count_under_its_own_name() -> None:
    story = story_with("foreign-write=per_minute=60,most_instances=3,most=5")
    assert story.document()["lastModifier"] == "me@example.com"
    story.advance(600)
    writes = story.world.writes
    assert len(writes) == struck(story, Fault.FOREIGN_WRITE) == 5
    assert story.document()["lastModifier"] == FOREIGN_CALLER
    assert {write.to_count for write in writes} <= {0, 1, 2, 3}
    assert len(story.running()) == writes[-1].to_count


def test_a_rate_without_victims_strikes_nothing() -> None:
    story = story_with("instance-dies=60", "early-replacement=60", count=0)
    story.advance(60)
    assert story.world.faults.struck == {}


def test_a_preempted_instance_gets_sigterm_then_sigkill_and_another_takes_its_place() -> None:
    story = story_with("instance-preempted=per_minute=60,most=1", count=1)
    story.obeys_sigterm = False
    (victim,) = story.running()
    while not story.world.fleet.stops:
        story.advance(0.1)
    assert story.world.fleet.instances[victim].state is InstanceState.STOPPING
    assert [type(action) for action in story.advance(STOP_GRACE_SECONDS)] == [Launch, Kill]
    assert [(stop.cause, stop.by, stop.killed) for stop in story.world.fleet.stops] == [
        (StopCause.PREEMPTED, None, True)
    ]
    assert len(story.running()) == 1
    assert struck(story, Fault.INSTANCE_PREEMPTED) == 1


def test_another_hand_deletes_a_worker_pool_with_what_runs_in_it() -> None:
    story = story_with("pool-deleted=per_minute=60,most=1", count=2)
    story.busy = frozenset(story.running())
    story.advance(120)
    assert story.running() == []
    assert [(stop.cause, stop.by, stop.was_busy) for stop in story.world.fleet.stops] == [
        (StopCause.DELETED, FOREIGN_CALLER, True)
    ] * 2
    with pytest.raises(NotFoundError):
        story.world.worker_pool("cell")
    assert [(write.method, write.from_count, write.to_count) for write in story.world.writes] == [
        ("DELETE", 2, 0)
    ]
    assert struck(story, Fault.POOL_DELETED) == 1


def stopped_by(story: Story) -> list[tuple[StopCause, str | None]]:
    return [(stop.cause, stop.by) for stop in story.world.fleet.stops]


def test_a_stop_names_whose_write_chose_the_victim() -> None:
    """Ours, another hand's, a revision's, and the platform's own, which is nobody's."""
    story = story_with(count=4)
    story.set_count(3)
    story.advance(60)
    story.world.write_count(story.world.worker_pool("cell"), 2, caller=FOREIGN_CALLER, now=story.now)
    story.advance(60)
    story.world.preempt(story.running()[0], now=story.now)
    story.advance(60)
    story.world.patch(
        "cell", pool_body(1, args=["new"]), mask=["template"], caller="them@example.com", now=story.now
    )
    story.advance(60)
    assert stopped_by(story) == [
        (StopCause.SCALE_IN, "me@example.com"),
        (StopCause.SCALE_IN, FOREIGN_CALLER),
        (StopCause.PREEMPTED, None),
        *[(StopCause.REVISION, "them@example.com")] * 2,
    ]


def test_a_write_of_ours_that_is_applied_twice_is_still_ours() -> None:
    """Although another hand has written in between, and although its effect comes late."""
    story = story_with("patch-twice=seconds=20,most=1", "late-effect=seconds=5,after=1", count=1)
    story.set_count(0)
    story.advance(10)
    story.world.write_count(story.world.worker_pool("cell"), 2, caller=FOREIGN_CALLER, now=story.now)
    story.advance(60)
    assert stopped_by(story) == [(StopCause.SCALE_IN, "me@example.com")] * 3
