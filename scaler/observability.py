"""Tells what happens: one line per tick and per event, and the numbers of `/status`. The only module that logs.

Everything here is made from values that others hand over; nothing is asked for.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from math import ceil
from typing import Any

import structlog

from github_api.values import RunnerDeprecation
from scaler.core.model import CellSeen, Decision, PoolPicture
from scaler.core.sentences import sentences
from scaler.demand_watch import StartedJob
from scaler.lease_ends import LeaseEnded, LeaseOutcome
from scaler.reconciler import TickRecord

# How many of a pool's last waits the percentiles are made of.
WAITS_KEPT = 500

# How long before the end of a runner's version an admin hears of it.
VERSION_WARNED_SECONDS = 7 * 86_400.0

# Ticks that find nothing new are told of this often.
QUIETEST_SECONDS = 60.0


def set_up_logging(*, terminal: bool) -> None:
    """Lines for people on a terminal, JSON that Cloud Logging understands elsewhere; both on standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _with_severity,
    ]
    rendering: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(event_key="message", timestamp_key="time")
        if terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.processors.EventRenamer("message"), rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _with_severity(_: Any, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # https://cloud.google.com/logging/docs/structured-logging
    event["severity"] = level.upper()
    return event


class Waits:
    """How long jobs waited in the queue before a runner of a pool took them."""

    def __init__(self) -> None:
        self._seen: deque[int] = deque(maxlen=4 * WAITS_KEPT)
        self._seconds: dict[str, deque[float]] = {}

    def take(self, pool: str, job: StartedJob) -> None:
        """Note one job; the same job again changes nothing."""
        if job.job_id not in self._seen:
            self._seen.append(job.job_id)
            waits = self._seconds.setdefault(pool, deque(maxlen=WAITS_KEPT))
            waits.append(max(0.0, job.started_at - job.created_at))

    def percentile(self, pool: str, share: float) -> float | None:
        """The wait in seconds that `share` (0 to 1) of the pool's last jobs did not exceed; None without jobs."""
        waits = sorted(self._seconds.get(pool, ()))
        return round(waits[max(0, ceil(share * len(waits)) - 1)], 1) if waits else None


class Journal:
    """What this process tells the world, and what `/status` answers."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since the epoch."""
        self._clock = clock
        self._log = structlog.get_logger("scaler")
        self._versions: dict[str, RunnerDeprecation] = {}
        self._outcomes: dict[str, Counter[str]] = {}
        self._stopped: dict[str, Counter[str]] = {}
        self._last: TickRecord | None = None
        self._said: tuple[object, ...] = ()
        self._said_at = float("-inf")
        self._ticks = 0
        self._pool_of_runner: dict[int, str] = {}
        self.waits = Waits()
        self.on_ended: Callable[[LeaseEnded], None] = lambda _: None

    def ticked(self, record: TickRecord) -> None:
        """Take one tick. A line is written for each tick that differs from the one before, and at least once a minute: an age
        that grows and grows is news too.
        """
        self._last = record
        self._ticks += 1
        for cell in record.seen.cells:
            for lease in cell.leases:
                if lease.runner_id is not None:
                    self._pool_of_runner[lease.runner_id] = cell.pool
        while len(self._pool_of_runner) > 4 * WAITS_KEPT:
            del self._pool_of_runner[next(iter(self._pool_of_runner))]
        pools = [self.pool_numbers(picture) for picture in record.decision.pools]
        actions = _actions(record.decision) if record.leads else []
        said = (_without_age(pools), tuple(actions), tuple(record.faults.items()), record.leads)
        if said != self._said or record.at >= self._said_at + QUIETEST_SECONDS:
            self._said, self._said_at = said, record.at
            self._log.info(
                "tick",
                leads=record.leads,
                **_totals(record.decision.pools),
                pools=pools,
                actions=actions,
                faults=dict(record.faults) or None,
            )

    def ended(self, event: LeaseEnded) -> None:
        """Take the end of a lease."""
        self._left("lease_ended", event)

    def removed(self, event: LeaseEnded) -> None:
        """Take a lease that a witness other than its own instance has removed."""
        self._left("lease_removed", event)

    def concluded(self, event: LeaseEnded) -> None:
        """Take what GitHub calls a stopped job in the end."""
        self._log.info("job_concluded", **_facts(event))

    def _left(self, what: str, event: LeaseEnded) -> None:
        self._outcomes.setdefault(event.pool, Counter())[event.outcome.value] += 1
        self.on_ended(event)
        if event.cause is not None:
            self._stopped.setdefault(event.pool, Counter())[event.cause.value] += 1
        calm = event.outcome in (LeaseOutcome.FINISHED, LeaseOutcome.UNUSED)
        (self._log.info if calm else self._log.warning)(what, **_facts(event))

    def runner_version(self, pool: str, until: RunnerDeprecation) -> None:
        """Take until when GitHub serves the runners of a pool; a warning when that is near."""
        self._versions[pool] = until
        end = until.gets_jobs_until
        if end is not None and end < self._clock() + VERSION_WARNED_SECONDS:
            self._log.warning(
                "runner_version_ends",
                pool=pool,
                version=until.version,
                gets_jobs_until=_day(end),
                remedy="GitHub gives such runners no jobs after that day: build a new image with a newer runner.",
            )

    def started(self, job: StartedJob) -> None:
        """Take a job that a reading showed in progress; only our own runners count."""
        pool = self._pool_of_runner.get(job.runner_id)
        if pool is not None:
            self.waits.take(pool, job)

    def said(self, event: str, *, warning: bool = False, **facts: Any) -> None:
        """Write one line about anything else."""
        (self._log.warning if warning else self._log.info)(event, **facts)

    @property
    def last(self) -> TickRecord | None:
        """The last tick; None before the first."""
        return self._last

    def pool_numbers(self, picture: PoolPicture) -> dict[str, Any]:
        """One pool's numbers; the same keys in the tick's line and in `/status`."""
        outcomes = self._outcomes.get(picture.pool, Counter())
        oldest = picture.oldest_queued_seconds
        return {
            "pool": picture.pool,
            "oldest_queued_seconds": None if oldest is None else round(oldest, 1),
            "wait_p50_seconds": self.waits.percentile(picture.pool, 0.5),
            "wait_p95_seconds": self.waits.percentile(picture.pool, 0.95),
            "queued": picture.queued,
            "parked": picture.parked,
            "booting": picture.booting,
            "leased": picture.leased,
            "wanted": picture.wanted,
            "requested": picture.requested,
            "observed": picture.observed,
            "min": picture.min,
            "max": picture.max,
            "warm": picture.warm,
            "schedule": picture.schedule,
            "paused": picture.paused,
            "lost": outcomes[LeaseOutcome.LOST.value],
            "ended": dict(outcomes),
            "stopped": dict(self._stopped.get(picture.pool, Counter())),
        }

    def status(self, *, demand_faults: Mapping[str, str]) -> dict[str, Any]:
        """The document of `/status`."""
        last = self._last
        if last is None:
            return {"ready": False, "pools": [], "cells": [], "faults": dict(demand_faults), "ticks": 0}
        return {
            "ready": True,
            "at": last.at,
            "leads": last.leads,
            "ticks": self._ticks,
            "demand_complete": last.seen.demand.complete,
            "pools": [self.pool_numbers(picture) for picture in last.decision.pools],
            "cells": [cell_numbers(cell) for cell in last.seen.cells],
            "decided": [told.sentence for told in sentences(last.seen, last.decision)],
            "limits": [
                {
                    "pool": limit.pool,
                    "short": limit.short,
                    "reason": limit.reason.value,
                    "detail": limit.detail,
                }
                for limit in last.decision.limits
            ],
            "runner_versions": [
                {
                    "pool": pool,
                    "version": until.version,
                    "registers_until": _day(until.registers_until),
                    "gets_jobs_until": _day(until.gets_jobs_until),
                }
                for pool, until in sorted(self._versions.items())
            ],
            "faults": {**dict(last.faults), **dict(demand_faults)},
        }


def cell_numbers(cell: CellSeen) -> dict[str, Any]:
    """One cell's numbers; the same keys in `/status` and in `plan --json`."""
    return {
        "cell": cell.name,
        "pool": cell.pool,
        "size": cell.size,
        "state": cell.state.value,
        "requested": cell.requested,
        "observed": cell.observed,
        "leased": len(cell.leases),
        "parked": cell.parked,
        "hold": cell.hold,
        "canary": cell.canary,
        "fault": cell.fault,
    }


def _actions(decision: Decision) -> list[str]:
    return [
        *(f"grant {grant.leases} in {grant.cell}: {grant.reason.value}" for grant in decision.grants),
        *(f"raise {rise.cell} to {rise.to}: {rise.reason.value}" for rise in decision.raises),
        *(f"close {close.cell}: {close.reason.value}" for close in decision.closes),
        *(f"{limit.pool} is {limit.short} short: {limit.sentence}" for limit in decision.limits),
    ]


def _totals(pictures: Iterable[PoolPicture]) -> dict[str, float]:
    """Two numbers for alerts: a log-based metric takes one field of a line, and cannot look into the list of pools.

    A pool that may start nothing now (paused, or `max` 0 by its schedule) is left out: its queue is meant to wait.
    https://cloud.google.com/logging/docs/logs-based-metrics/distribution-metrics
    """
    serving = [each for each in pictures if not each.paused and each.max > 0]
    return {
        "oldest_queued_seconds": round(
            max((each.oldest_queued_seconds or 0.0 for each in serving), default=0.0), 1
        ),
        "missing_instances": sum(max(0, each.wanted - each.observed) for each in serving),
    }


def _facts(event: LeaseEnded) -> dict[str, Any]:
    cause = None if event.cause is None else event.cause.value
    return {**asdict(event), "outcome": event.outcome.value, "cause": cause}


def _day(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _without_age(pools: Iterable[Mapping[str, Any]]) -> tuple[tuple[object, ...], ...]:
    """The numbers that make a tick worth a line: all but the age of the oldest job, which always moves."""
    return tuple(
        tuple(str(value) for key, value in pool.items() if key != "oldest_queued_seconds") for pool in pools
    )
