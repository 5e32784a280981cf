"""PURE: a day of people who push: a small team, and a company in three time zones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from random import Random

from simulator.shapes.durations import around, rounded
from simulator.trace import TraceJob

HOUR = 3600.0
# How many pushes an hour of the local day sees beside the others, from midnight on.
_WORKING_HOURS = (0, 0, 0, 0, 0, 0, 1, 4, 9, 13, 14, 11, 6, 10, 14, 14, 12, 8, 4, 2, 2, 1, 1, 0)
_NEEDS_SECONDS = 3.0  # from the end of a job to the queueing of one that needs it


@dataclass(frozen=True, slots=True)
class _Kind:
    """A job's name, the median of its duration in seconds, and the deviation of the duration's logarithm."""

    name: str
    median: float
    spread: float


_LINT = _Kind("lint", 40.0, 0.25)
_UNIT = _Kind("unit", 180.0, 0.30)
_BUILD = _Kind("build", 360.0, 0.25)
_E2E = _Kind("e2e", 720.0, 0.30)
_RELEASE = _Kind("release", 1500.0, 0.40)


def team(chance: Random) -> Iterator[TraceJob]:
    """300 jobs of about fifteen people in one repository.

    A push brings lint, unit tests and build at once; of every second one the e2e tests follow the build.
    """
    return islice(_pushes_of_a_team(chance), 300)


def _pushes_of_a_team(chance: Random) -> Iterator[TraceJob]:
    while True:
        at = _moment(chance, _WORKING_HOURS)
        build = _job(chance, _BUILD, at, "acme/app", 1.0)
        yield _job(chance, _LINT, at, "acme/app", 1.0)
        yield _job(chance, _UNIT, at, "acme/app", 1.0)
        yield build
        if chance.random() < 0.5:
            yield _job(chance, _E2E, at + build.duration + _NEEDS_SECONDS, "acme/app", 1.0)


_COMPANY_JOBS = 20_000
_REPOSITORIES = 40
_ZONES = ((1, 0.45), (-6, 0.35), (5, 0.20))  # hours from UTC, and the share of the pushes
_ROBOTS = 0.08  # pushes of robots, at any hour
_EVEN = (1,) * 24


def company(chance: Random) -> Iterator[TraceJob]:
    """20,000 jobs of forty repositories, a few of them large, with pushes from three time zones and from robots.

    Most pushes bring two to six jobs, one in forty a matrix of 15 to 30; the mean of all jobs is about five minutes.
    """
    return islice(_pushes_of_a_company(chance), _COMPANY_JOBS)


def _pushes_of_a_company(chance: Random) -> Iterator[TraceJob]:
    shares = list(accumulate(1.0 / (rank + 3) for rank in range(_REPOSITORIES)))
    slowness = [around(chance, 118.0, 0.2) / 100.0 for _ in range(_REPOSITORIES)]
    while True:
        at = _moment_in_a_company(chance)
        (number,) = chance.choices(range(_REPOSITORIES), cum_weights=shares)
        for kind in _kinds_of_a_push(chance):
            yield _job(chance, kind, at, f"acme/service-{number + 1:02}", slowness[number])


def _kinds_of_a_push(chance: Random) -> Sequence[_Kind]:
    if chance.random() < 1 / 40:
        return [_UNIT] * chance.randint(15, 30)
    also = [(_UNIT, 0.6), (_BUILD, 0.7), (_BUILD, 0.25), (_E2E, 0.25), (_RELEASE, 0.04)]
    return [_LINT, _UNIT, *(kind for kind, share in also if chance.random() < share)]


def _moment_in_a_company(chance: Random) -> float:
    if chance.random() < _ROBOTS:
        return _moment(chance, _EVEN)
    (ahead,) = chance.choices([zone for zone, _ in _ZONES], [share for _, share in _ZONES])
    return (_moment(chance, _WORKING_HOURS) - ahead * HOUR) % (24 * HOUR)


def _moment(chance: Random, hours: Sequence[int]) -> float:
    """A moment of the day, in seconds since midnight, where `hours` says how much each hour gets."""
    (hour,) = chance.choices(range(24), hours)
    return rounded((hour + chance.random()) * HOUR)


def _job(chance: Random, kind: _Kind, at: float, repository: str, slowness: float) -> TraceJob:
    return TraceJob(
        queued_at=rounded(at),
        duration=around(chance, kind.median * slowness, kind.spread),
        repository=repository,
        job=kind.name,
    )
