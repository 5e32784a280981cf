"""PURE: other scalers at work: one worker pool whose runners register themselves, over the jobs of a trace.

`crema`: ephemeral runners, a poll each 30 seconds. `google-sample`: runners that stay after a job, as the sample's do, and a
webhook for each job. `quiescent`: ephemeral runners, webhooks and a look each minute. The whole trace is one repository, and
every job can run in the pool, whatever its labels.

What is given in their favour: all have the `max_runners` of the assumptions, though the sample's own is 5 and CREMA's 100;
reads take no time and are never refused; a runner always registers, and GitHub takes none away.

The assumptions' `max_cells` and `warm` mean nothing here. Of the faults these are honoured: `preemptions_per_hour` (of the
whole pool; the replacement is up after `restart` and keeps its place in the CPU quota), `writes_refused`, `writes_unanswered`,
`refusing`, `webhooks_lost` (CREMA has none) and `list_lag`. The others are ignored: `writes_late`, `writes_doubled` and
`settles_early`, as these scalers promise nothing that such a write would break; `idle_removed_after`, `crashes_per_hour`,
`replies_lost` and `pauses`, as they have no records and no leases.
"""

from __future__ import annotations

from functools import partial
from random import Random

from simulator.assumptions import Assumptions
from simulator.baselines import crema
from simulator.baselines.google_sample import Action, Webhook
from simulator.faults import NO_FAULTS, Faults
from simulator.outcome import Outcome
from simulator.plain.cloud import WorkerPool
from simulator.plain.instances import Instances
from simulator.plain.jobs import Ending, Jobs
from simulator.plain.sampling import Sampling
from simulator.plain.scalers import CremaLoop, QuiescentLoop, SampleFunction, Scaler
from simulator.plain.webhooks import Webhooks
from simulator.trace import Trace, TraceJob
from simulator.virtual_time import VirtualTime

POLICIES = ("crema", "google-sample", "quiescent")
GIVEN_UP_AFTER = 3 * 3600.0
"""Seconds without a job that begins or ends and without another count, after which the rest of a run is not waited for."""


def simulate_plain(
    policy: str,
    trace: Trace,
    assumptions: Assumptions,
    faults: Faults = NO_FAULTS,
    *,
    crema_settings: crema.Settings | None = None,
) -> Outcome:
    """One policy over one trace; the same arguments give the same outcome.

    A run ends when every job is over and the count is zero, or when for three hours no job began or ended, none ran and the
    count stood still. Jobs that never ran are in `jobs` and in none of `completed`, `killed` and `lost`; `waits` holds those
    that began. `crema_settings` are for CREMA alone, but for `most`. ValueError for an unknown policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"{policy!r} is none of {', '.join(POLICIES)}")
    world = _World(policy, trace, assumptions, faults, crema_settings or crema.Settings())
    world.run()
    return world.outcome(policy)


class _World:
    def __init__(
        self, policy: str, trace: Trace, assumptions: Assumptions, faults: Faults, settings: crema.Settings
    ) -> None:
        self._time = VirtualTime()
        self._trace = trace
        self._given = assumptions
        self._faults = faults
        self._arrived = 0
        self._moved_at = 0.0
        self._jobs = Jobs(listed_for=faults.list_lag)
        self._instances = Instances(
            time=self._time,
            jobs=self._jobs,
            assumptions=assumptions,
            chance=_chance(assumptions, "instances"),
            ephemeral=policy != "google-sample",
            job_over=self._job_over,
        )
        self._pool = WorkerPool(
            time=self._time,
            instances=self._instances,
            assumptions=assumptions,
            faults=faults,
            chance=_chance(assumptions, "writes"),
        )
        self._scaler = self._scaler_of(policy, settings)
        self._webhooks = Webhooks(
            time=self._time,
            seconds=assumptions.webhook,
            lost=faults.webhooks_lost,
            chance=_chance(assumptions, "webhooks"),
            heard=self._scaler.hear,
        )
        self._sampling = Sampling(self._time, self._instances, self._jobs)
        self._preemptions = _chance(assumptions, "pre-emptions")

    def run(self) -> None:
        """Let time pass until the end."""
        self._scaler.begin()
        self._sampling.begin()
        self._wait_for_a_job()
        self._wait_for_a_preemption()
        self._time.run(over=self._over)

    def outcome(self, policy: str) -> Outcome:
        """What the run has found."""
        ended = self._jobs.ended
        return Outcome(
            policy=policy,
            jobs=len(self._trace),
            completed=ended[Ending.COMPLETED],
            killed=ended[Ending.KILLED],
            lost=ended[Ending.LOST],
            waits=self._jobs.waits,
            paid=self._instances.paid(),
            ideal=sum(job.duration + self._given.start + self._given.registration for job in self._trace),
            writes=self._pool.writes,
            lowering_writes=self._pool.lowering_writes,
            registrations=self._instances.registrations,
            cells=1 if self._instances.peak else 0,
            peak_instances=self._instances.peak,
            samples=self._sampling.samples,
        )

    def _scaler_of(self, policy: str, settings: crema.Settings) -> Scaler:
        if policy == "crema":
            return CremaLoop(
                time=self._time,
                pool=self._pool,
                jobs=self._jobs,
                assumptions=self._given,
                settings=settings,
            )
        by_webhook = SampleFunction if policy == "google-sample" else QuiescentLoop
        return by_webhook(time=self._time, pool=self._pool, jobs=self._jobs, assumptions=self._given)

    def _wait_for_a_job(self) -> None:
        if self._arrived < len(self._trace):
            job = self._trace[self._arrived]
            self._time.at(job.queued_at, partial(self._queue, job))

    def _queue(self, job: TraceJob) -> None:
        self._arrived += 1
        self._moved_at = self._time.now
        self._jobs.queue(job)
        self._webhooks.send(Webhook(action=Action.QUEUED, labels=job.labels))
        self._instances.serve()
        self._wait_for_a_job()

    def _job_over(self) -> None:
        self._moved_at = self._time.now
        self._webhooks.send(Webhook(action=Action.COMPLETED))

    def _wait_for_a_preemption(self) -> None:
        if self._faults.preemptions_per_hour > 0:
            seconds = self._preemptions.expovariate(self._faults.preemptions_per_hour / 3600.0)
            self._time.after(seconds, self._preempt)

    def _preempt(self) -> None:
        self._instances.preempt_one()
        self._wait_for_a_preemption()

    def _over(self) -> bool:
        if (
            self._arrived < len(self._trace)
            or self._jobs.running
            or self._pool.under_way
            or self._webhooks.under_way
        ):
            return False
        now = self._time.now
        if self._pool.count == 0 and self._jobs.listed(now) == 0:
            return True
        return now - max(self._moved_at, self._pool.changed_at) > GIVEN_UP_AFTER


def _chance(assumptions: Assumptions, of_what: str) -> Random:
    """Chance of its own for each part of the world, so that one more draw in one changes nothing in another."""
    return Random(f"{assumptions.seed} {of_what}")  # noqa: S311 - a world that can be repeated, no secret
