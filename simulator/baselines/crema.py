"""PURE: how CREMA, Google's external-metrics autoscaler for Cloud Run, changes the count of one worker pool.

Its loop and its stabilizer as the source of 2026-06-09 (commit b95cf54) has them, with KEDA's `github-runner` trigger at the
default target of one job an instance: https://github.com/GoogleCloudPlatform/cloud-run-external-metrics-autoscaling
(`server.go`, `provider.go`, `Scaler.java`, `ScalingStabilizer.java`).

What the trigger counts is the caller's: jobs queued and in progress. KEDA's faults of counting (only the first 100 runs of a
status and the first 100 jobs of a run, a run counted twice when it moves between the two lists, the seconds that a poll
takes) are left out, in CREMA's favour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The defaults of CREMA (`poll`, which it has none for, is KEDA's); times are seconds.

    `window_up`, `window_down`: for how long the least or greatest recommendation counts. `period`: in which at most
    `up_percent` or `up_instances`, whichever is more, are added, and `down_percent` taken away.
    """

    poll: float = 30.0
    least: int = 0
    most: int = 100
    window_up: float = 0.0
    window_down: float = 300.0
    period: float = 15.0
    up_percent: int = 100
    up_instances: int = 4
    down_percent: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A number and when it was seen or asked for."""

    at: float
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What CREMA keeps in memory, and forgets with its process: recommendations, and by how much it changed the count."""

    recommendations: tuple[Point, ...] = ()
    added: tuple[Point, ...] = ()
    removed: tuple[Point, ...] = ()


def started(*, current: int, now: float) -> State:
    """The memory of a process that begins with a count of `current`."""
    return State(recommendations=(Point(at=now, value=current),))


def step(settings: Settings, state: State, *, count: int, current: int, now: float) -> tuple[State, int]:
    """One cycle: `count` jobs at a configured count of `current`; returns the memory and the count to ask for.

    From zero the answer is one, whatever the demand; neither windows nor limits are asked and the recommendation is not
    remembered. A count that was in fact changed is told with `changed`.
    """
    if current == 0 and count > 0:
        return state, _clamped(settings, 1)
    if count > current:
        wanted = _bounded_up(settings, state, count=count, current=current, now=now)
    elif count < current:
        wanted = _bounded_down(settings, state, count=count, current=current, now=now)
    else:
        wanted = current
    kept = _since(state.recommendations, now - max(settings.window_up, settings.window_down))
    return replace(state, recommendations=(*kept, Point(at=now, value=count))), _clamped(settings, wanted)


def changed(settings: Settings, state: State, *, before: int, after: int, now: float) -> State:
    """Remember a change that Cloud Run made; `now` is when its cycle began. One that failed is not remembered."""
    added, removed = (_since(points, now - settings.period) for points in (state.added, state.removed))
    point = Point(at=now, value=abs(after - before))
    if after > before:
        return replace(state, added=(*added, point), removed=removed)
    return replace(state, added=added, removed=(*removed, point))


def next_poll(settings: Settings, *, tick: int, ended: float) -> tuple[int, float]:
    """The number of the next poll's tick and when it begins, after the poll of `tick` has `ended`.

    Ticks come at every multiple of `poll`, the first after one interval. A poll waits for its operation; of the ticks that
    come meanwhile one waits and the others are dropped (https://pkg.go.dev/time#NewTicker), so that a long poll is followed by
    another at once.
    """
    missed = math.floor(ended / settings.poll)
    if missed > tick:
        return missed, ended
    return tick + 1, (tick + 1) * settings.poll


def _bounded_up(settings: Settings, state: State, *, count: int, current: int, now: float) -> int:
    steady = min([count, *_values(state.recommendations, now - settings.window_up)])
    began = _began_with(settings, state, current=current, now=now)
    by_percent = math.ceil(began * (100 + settings.up_percent) / 100)
    return min(count, max(current, steady), max(by_percent, began + settings.up_instances))


def _bounded_down(settings: Settings, state: State, *, count: int, current: int, now: float) -> int:
    steady = max([count, *_values(state.recommendations, now - settings.window_down)])
    began = _began_with(settings, state, current=current, now=now)
    by_percent = math.trunc(began * (100 - settings.down_percent) / 100)
    return max(count, min(current, steady), by_percent)


def _began_with(settings: Settings, state: State, *, current: int, now: float) -> int:
    """The count at the beginning of the period that ends now."""
    since = now - settings.period
    return current - sum(_values(state.added, since)) + sum(_values(state.removed, since))


def _clamped(settings: Settings, wanted: int) -> int:
    return max(settings.least, min(settings.most, wanted))


def _since(points: tuple[Point, ...], moment: float) -> tuple[Point, ...]:
    """The points after a moment; one at the very moment is out, as it is in CREMA."""
    return tuple(point for point in points if point.at > moment)


def _values(points: tuple[Point, ...], since: float) -> list[int]:
    return [point.value for point in _since(points, since)]
