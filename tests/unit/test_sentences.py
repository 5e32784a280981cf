"""What `plan` says of a decision, word for word: one case for each kind of sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cell_records.obstacles import Obstacle
from scaler.core.decide import decide
from scaler.core.model import (
    Capacity,
    Decision,
    LeaseState,
    Limit,
    Memory,
    Policy,
    PoolPolicy,
    Reason,
    RepositoryReading,
    Seen,
)
from scaler.core.sentences import sentences
from tests.factories import (
    NOW,
    a_cell,
    a_job,
    a_policy,
    a_pool,
    an_obstacle,
    an_open_cell,
    demand,
    jobs,
    lease_seen,
    seen,
)
from tests.unit.test_schedule import NIGHT

SURPLUS = Memory(surplus={"a": NOW - 60.0, "b": NOW - 60.0})


def told(policy: Policy | PoolPolicy, facts: Seen, memory: Memory | None = None) -> list[str]:
    """All sentences of the decision on these facts."""
    policy = policy if isinstance(policy, Policy) else a_policy(policy)
    decision, _ = decide(policy, facts, memory or Memory())
    return [each.sentence for each in sentences(facts, decision)]


def test_a_grant_says_who_waits_for_it() -> None:
    facts = seen(an_open_cell("a", count=3, parked=3), demand=demand(*jobs(2)))
    assert told(a_pool(), facts) == [
        "offer 2 leases in cell a: 3 instances are parked there, and 2 jobs are queued, the oldest for 30 s"
    ]


def test_a_raise_says_what_is_queued_and_what_is_covered() -> None:
    listening = lease_seen(LeaseState.LISTENING, since=NOW - 5.0)
    facts = seen(
        an_open_cell("a", count=3, parked=1, leases=[listening]), a_cell("b", size=8), demand=demand(*jobs(9))
    )
    assert told(a_pool(maximum=20), facts) == [
        "offer 1 lease in cell a: 1 instance is parked there, and 9 jobs are queued, the oldest for 30 s",
        (
            "raise cell b from 0 to 6: 9 jobs are queued, the oldest for 30 s; covered so far: 1 by runners that are "
            "starting or listening and 2 by parked and starting instances"
        ),
    ]


def test_a_raise_of_more_than_would_be_best_says_that_writes_are_short() -> None:
    facts = seen(
        a_cell("a"),
        a_cell("b"),
        a_cell("c", size=2),
        demand=demand(*jobs(2)),
        writes_left=1,
        shrink_writes_left=1,
    )
    assert told(a_pool(), facts) == [
        (
            "raise cell c from 0 to 2: 2 jobs are queued, the oldest for 30 s; 1 write is left this minute, so fewer cells "
            "get more each"
        )
    ]


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        (a_pool(minimum=2), "raise cell a from 0 to 2: the pool keeps a min of 2, and 0 stand"),
        (
            a_pool(warm=1),
            "raise cell a from 0 to 1: the pool keeps 1 warm instance on top of the busy ones: 0 busy, 0 stand",
        ),
        (
            replace(
                a_pool(), schedule=(replace(NIGHT, max=3, warm=2, words="mon-fri 08:00-19:00 Europe/Berlin"),)
            ),
            (
                "raise cell a from 0 to 2: the pool keeps 2 warm instances on top of the busy ones: 0 busy, 0 stand "
                "(schedule mon-fri 08:00-19:00 Europe/Berlin)"
            ),
        ),
    ],
)
def test_a_raise_without_a_job_says_what_the_admin_keeps(pool: PoolPolicy, sentence: str) -> None:
    assert told(pool, seen(a_cell("a", size=4))) == [sentence]


def test_a_close_says_what_is_needed_and_what_stands() -> None:
    facts = seen(an_open_cell("a", count=2, parked=2))
    assert told(a_pool(), facts, SURPLUS) == [
        "close cell a: none of its 2 instances runs a job, the pool needs 0 and has 2; two readings agree, and its linger is over"
    ]


def test_a_close_of_a_cell_that_could_not_start_gives_cloud_runs_words() -> None:
    facts = seen(replace(an_open_cell("a", count=2), failed="allowed: 0"))
    assert told(a_pool(), facts) == [
        (
            "close cell a: Cloud Run did not start its 2 instances (allowed: 0), and no job runs in it; it can be tried again "
            "once it is at zero"
        )
    ]


def test_a_cell_that_is_kept_for_its_jobs_says_how_many_run() -> None:
    facts = seen(an_open_cell("a", count=4, parked=3, leases=[lease_seen()]))
    assert told(a_pool(), facts) == ["keep cell a open: 1 of its 4 instances still runs a job"]


def unread(facts: Seen) -> Seen:
    """The same, with a repository that was not read since the surplus began."""
    old = RepositoryReading(at=NOW - 100.0)
    return replace(facts, demand=replace(facts.demand, repositories={"acme/old": old}))


IDLE = seen(an_open_cell("a", count=2, parked=2))
MORE = "keep cell a open: the pool needs 0 and has 2, but"


@pytest.mark.parametrize(
    ("facts", "memory", "sentence"),
    [
        (IDLE, Memory(surplus={"a": NOW - 4.0}), f"{MORE} its linger has 6 s to go"),
        (unread(IDLE), SURPLUS, f"{MORE} a second reading of GitHub's queue has to agree first"),
        (
            replace(IDLE, shrink_writes_left=0),
            SURPLUS,
            f"{MORE} 0 writes are left this minute, and growth and cells that save more go first",
        ),
        (
            replace(IDLE, demand=demand(complete=False)),
            SURPLUS,
            f"{MORE} GitHub's queue has not been read completely",
        ),
    ],
)
def test_a_surplus_cell_that_is_kept_says_why(facts: Seen, memory: Memory, sentence: str) -> None:
    assert told(a_pool(), facts, memory)[0] == sentence


FULL = seen(an_open_cell("a", count=3, leases=[lease_seen(lease_id=f"{n}", job_id=90 + n) for n in range(3)]))
QUEUE = replace(FULL, demand=demand(*jobs(3)))


@pytest.mark.parametrize(
    ("policy", "facts", "memory", "sentence"),
    [
        (
            a_pool(maximum=3),
            QUEUE,
            Memory(),
            "pool linux stays 3 instances short: it is at its max 3",
        ),
        (
            replace(a_pool(), schedule=(replace(NIGHT, max=3, words="mon-fri 08:00-19:00 UTC"),)),
            QUEUE,
            Memory(),
            "pool linux stays 3 instances short: it is at its max 3 (schedule mon-fri 08:00-19:00 UTC)",
        ),
        (
            replace(a_pool(), schedule=(NIGHT,)),
            QUEUE,
            Memory(),
            "pool linux stays 3 instances short: its max is 0 now (schedule night); what runs goes on to its end",
        ),
        (
            replace(a_pool(), paused=Reason.POOL_PAUSED),
            QUEUE,
            Memory(),
            "pool linux stays 3 instances short: it is paused in the configuration; what runs goes on to its end",
        ),
        (
            replace(a_pool(), paused=Reason.DEPLOYMENT_PAUSED),
            QUEUE,
            Memory(),
            (
                "pool linux stays 3 instances short: the whole deployment is paused in the configuration; what runs goes on "
                "to its end"
            ),
        ),
        (
            a_policy(max_instances=4),
            replace(QUEUE, cells=(*QUEUE.cells, a_cell("b"))),
            Memory(),
            (
                "pool linux stays 2 instances short: all pools together are at max_instances; pools of higher priority go first, "
                "then the oldest job"
            ),
        ),
        (
            a_pool(),
            replace(QUEUE, cells=(*QUEUE.cells, a_cell("b", size=9))),
            Memory(capacity=Capacity(limit=3, refused_at=NOW - 5.0, tries=2, pools=frozenset({"linux"}))),
            "pool linux stays 3 instances short: Cloud Run refused more than 3 instances at 13:46 UTC; one try every 4 minutes",
        ),
        (
            a_pool(),
            QUEUE,
            Memory(),
            (
                "pool linux stays 3 instances short: each of its cells is full, closing, cooling or at fault; more or larger "
                "cells would help"
            ),
        ),
        (
            a_pool(),
            replace(QUEUE, cells=(*QUEUE.cells, a_cell("b", size=9)), writes_left=0),
            Memory(),
            "pool linux stays 3 instances short: the Cloud Run writes of this minute are used up; it goes on by itself",
        ),
        (
            a_pool(),
            seen(an_open_cell("a", parked=1), demand=demand(*jobs(1)), registrations_left=0),
            Memory(),
            "leave 1 job of pool linux waiting: GitHub's registrations of this minute are used up; it goes on by itself",
        ),
        (
            a_pool(),
            seen(
                replace(an_open_cell("a", count=2), failed="allowed: 0", fault="it rests"),
                demand=demand(*jobs(1)),
            ),
            Memory(),
            (
                "pool linux stays 2 instances short: Cloud Run does not start what it was asked for (allowed: 0); see the quotas "
                "of the region"
            ),
        ),
        (
            a_pool(),
            seen(
                an_open_cell(
                    "a",
                    obstacles=[
                        an_obstacle(f"l{n}", Obstacle.RUNNER_FAILED, at=NOW - 9.0 + n, words="boom")
                        for n in (1, 2)
                    ],
                ),
                demand=demand(*jobs(2)),
            ),
            Memory(),
            (
                "leave 2 jobs of pool linux waiting: runners end before they listen, so the pool stops growing: mend the image "
                "or RUNNER_POOL_RUNNER_COMMAND (one lease is tried every 10 minutes; the last said: boom)"
            ),
        ),
    ],
)
def test_what_is_left_says_what_stopped_it(
    policy: Policy | PoolPolicy, facts: Seen, memory: Memory, sentence: str
) -> None:
    assert sentence in told(policy, facts, memory)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_that_stands_in_a_limit_is_a_sentence_that_names_its_pool(reason: Reason) -> None:
    """Also one that names no numbers of its own, and words with braces in them."""
    limit = Limit(pool="gpu", reason=reason, short=2, detail="{words}")
    (only,) = sentences(seen(), Decision(limits=(limit,)))
    assert "pool gpu" in only.sentence
    assert only.sentence.count("{") == only.sentence.count("{words}")


AGES: list[tuple[float, str]] = [(5.0, "5 s"), (99.0, "99 s"), (600.0, "10 min"), (7200.0, "2.0 h")]


@pytest.mark.parametrize(("age", "written"), AGES)
def test_ages_are_written_in_the_unit_that_fits(age: float, written: str) -> None:
    facts = seen(a_cell("a"), demand=demand(a_job(queued_at=NOW - age)))
    assert told(a_pool(), facts) == [f"raise cell a from 0 to 1: 1 job is queued, for {written} now"]
