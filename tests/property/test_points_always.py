"""Whatever is asked in whatever order, no sixty seconds see more points than GitHub allows, and nobody waits for ever."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from github_api.points import POINTS_A_MINUTE, WINDOW_SECONDS, Points, Urgency
from tests.points_in_time import both_loads

_SLACK = 1e-6

# Crowds of calls of one urgency, each after a pause: (seconds since the last, urgency, how many, points of each).
_CROWDS = st.lists(
    st.tuples(
        st.floats(0.0, 90.0),
        st.sampled_from(Urgency),
        st.integers(1, 400),
        st.sampled_from([1, 5]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(_CROWDS, st.floats(0.0, 200.0))
def test_no_minute_sees_more_than_the_limit(
    crowds: list[tuple[float, Urgency, int, int]], evenly_until: float
) -> None:
    points, now, gone = Points(), 0.0, list[tuple[float, int]]()
    points.go_evenly(until=evenly_until)
    for pause, urgency, calls, cost in crowds:
        now += pause
        for _ in range(calls):
            if points.take(urgency, cost, now=now) > 0.0:
                break
            gone.append((now, cost))
    window, within = deque[tuple[float, int]](), 0
    for at, cost in gone:
        window.append((at, cost))
        within += cost
        while window[0][0] <= at - 60.0:
            within -= window.popleft()[1]
        assert within <= POINTS_A_MINUTE


@settings(deadline=None)
@given(_CROWDS, st.sampled_from(Urgency))
def test_who_asks_again_after_the_wait_it_was_told_goes_within_a_few_minutes(
    crowds: list[tuple[float, Urgency, int, int]], urgency: Urgency
) -> None:
    points, now = Points(), 0.0
    for pause, each, calls, cost in crowds:
        now += pause
        for _ in range(calls):
            points.take(each, cost, now=now)
    begun = now
    while (wait := points.take(urgency, 1, now=now)) > 0.0:
        now += max(wait, _SLACK)
        assert now <= begun + 2 * WINDOW_SECONDS


@settings(deadline=None, max_examples=25)
@given(
    st.dictionaries(
        st.sampled_from([Urgency.AGAIN, Urgency.CONFIRM, Urgency.SWEEP]),
        st.sampled_from([0.02, 0.05, 0.3]),
        min_size=1,
    ),
    st.floats(0.4, 3.0),
    st.floats(0.0, 200.0),
)
def test_registrations_that_were_promised_go_whatever_looks_want_from_the_second_minute_on(
    looks: dict[Urgency, float], register_every: float, wanted_from: float
) -> None:
    gone = both_loads(looks, register_every=register_every, wanted_from=wanted_from, minutes=3)
    promised = 60.0 / register_every
    assert min(gone.registrations(minute) for minute in (2, 3)) >= 0.95 * promised - 1
