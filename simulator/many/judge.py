"""PURE: looks on at a simulated deployment and says which of the promises is broken, from what has really happened.

It asks nothing of the scaler: what a lease, a count or a runner is allowed to do is judged by the state of the instances, of
the worker pools and of the jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord, CellState, Lease, contradiction
from runner_agent.contract import Grant
from simulator.cells.agent import Agent
from simulator.cells.bystander import Bystander
from simulator.cells.cloud import Stopper
from simulator.cells.github import SimulatedJob
from simulator.many.story import Story

if TYPE_CHECKING:
    from simulator.cells.world import CellsWorld

# For so long a count that has gone may still be taken for the present one by a scaler that read it.
REMEMBERED_SECONDS = 120.0


class Judge(Bystander):
    """Of one world. `watch(world)` before it runs, `conclude()` after it has; `broken` are sentences."""

    def __init__(self, story: Story, *, pool_of: Mapping[str, str], most: Mapping[str, int]) -> None:
        """`pool_of`: the pool of each cell; `most`: instances of each pool."""
        self.story = story
        self.verdicts: list[str] = []
        self._pool_of, self._most = pool_of, most
        self._etag_since = dict.fromkeys(pool_of, 0.0)
        self._closing_until = dict.fromkeys(pool_of, -1.0)
        self._at_zero_until = dict.fromkeys(pool_of, 0.0)
        self._record_since = dict.fromkeys(pool_of, 0.0)
        self._counts: dict[str, dict[int, float]] = {cell: {0: 0.0} for cell in pool_of}
        self._agents: dict[str, Agent] = {}
        self._used: set[str | int] = set()
        self._writing: set[tuple[str, str]] = set()
        self._job_of_runner: dict[int, SimulatedJob] = {}

    def watch(self, world: CellsWorld) -> None:
        """From now on this is the world."""
        self._world = world
        self.story.clock = world.time

    # Counts.

    def counted(self, cell: str, before: int, after: int, hand: Stopper) -> None:
        """Lowered by us only to zero, and only if the gate was closed since the reading whose etag the write named."""
        now = self._world.time.now
        self.story.tell("count", cell, before, after, hand.name.lower())
        if hand is Stopper.OURS and after < before:
            if after:
                self.broken(f"{cell} was lowered from {before} to {after}")
            closing = self._world.store.cells[cell].state is CellState.CLOSING
            if not closing and self._closing_until[cell] < self._etag_since[cell]:
                self.broken(f"{cell} was lowered and had not been closing since the count was read")
        if not before:
            self._at_zero_until[cell] = now
        self._etag_since[cell] = now
        self._counts[cell][before] = now
        self._counts[cell][after] = float("inf")

    def write_sent(self, process: str, cell: str) -> None:
        """One write in flight for each cell and process."""
        self.story.tell("sends", process, cell)
        if (process, cell) in self._writing:
            self.broken(f"{process} has two writes of {cell} in flight")
        self._writing.add((process, cell))

    def write_over(self, process: str, cell: str) -> None:
        """See Bystander."""
        self._writing.discard((process, cell))

    def deployment_changed(self, before: DeploymentRecord, after: DeploymentRecord) -> None:
        """Nothing is asked for beyond max; a count that is there already, by whatever hand, may be taken over."""
        now = self._world.time.now
        totals = dict.fromkeys(self._most, 0)
        for cell, count in after.requested.items():
            totals[self._pool_of[cell]] += count
        for cell, count in after.requested.items():
            pool = self._pool_of[cell]
            more = count > before.requested.get(cell, 0)
            was_there = self._counts[cell].get(count, float("-inf")) > now - REMEMBERED_SECONDS
            if more and totals[pool] > self._most[pool] and not was_there:
                self.broken(
                    f"{totals[pool]} instances of {pool} are asked for, its max is {self._most[pool]}"
                )
        self.story.tell("asks for", dict(after.requested))

    # Records.

    def record_changed(self, cell: str, before: CellRecord, after: CellRecord) -> None:
        """The record is sound, a zero was noted at count 0, and each lease that left had a witness."""
        now = self._world.time.now
        if before.state is CellState.CLOSING:
            self._closing_until[cell] = now
        if before.state is not after.state:
            self.story.tell("record", cell, before.state.value, after.state.value)
        wrong = contradiction(after)
        if wrong is not None:
            self.broken(f"the record of {cell}: {wrong}")
        if after.state is CellState.ZERO and before.state is not CellState.ZERO:
            self._judge_zero(cell)
        self._record_since[cell] = now
        if before.leases is not after.leases:
            standing = {lease.id for lease in after.leases}
            for lease in before.leases:
                if lease.id not in standing:
                    self._judge_end(cell, lease, now)

    def _judge_zero(self, cell: str) -> None:
        """The count was 0 while the record stood as it was read. A raise of another hand, or one of ours that was sent while the
        gate was open, may come between the reading and the note; it is found at the next look, and the cell closes again.
        """
        count = self._world.cloud.pools[cell].count
        if count and self._at_zero_until[cell] < self._record_since[cell]:
            self.broken(f"the zero of {cell} was noted at count {count}")

    def _judge_end(self, cell: str, lease: Lease, now: float) -> None:
        agent = self._agents.get(lease.boot)
        how = self._witness(lease, agent, now)
        self.story.tell("lease ends", cell, lease.id, how or "without a witness")
        if how is None:
            self.broken(f"{lease.id} of {cell} left the record without a witness")
        if agent is not None and agent.runner_lives and agent.runner_id == lease.runner_id:
            self.broken(f"{lease.id} of {cell} left the record ({how}) while its runner lives")

    def _witness(self, lease: Lease, agent: Agent | None, now: float) -> str | None:
        if agent is not None and lease.id in agent.given_back:
            return "given back by its boot"
        if agent is not None and agent.asked > lease.ask:
            return "void, as its boot has asked again"
        if lease.dying_until is not None and now > lease.dying_until:
            return "its instance was dying"
        if now > lease.hard_end:
            return "its hard end is past"
        job = self._job_of_runner.get(lease.runner_id or 0)
        return "its job is completed" if job is not None and job.ended_at is not None else None

    # Instances and jobs.

    def moved_in(self, agent: Agent) -> None:
        """See Bystander."""
        self._agents[agent.boot] = agent
        self.story.tell("up", agent.instance.cell, agent.boot)

    def runner_started(self, agent: Agent, grant: Grant) -> None:
        """No lease, no registration and no boot starts a runner twice, and the lease stands by then."""
        cell = agent.instance.cell
        self.story.tell("runner starts", cell, agent.boot, grant.lease)
        for used in (grant.lease, grant.runner_id, agent.boot):
            if used in self._used:
                self.broken(f"{used} has started a runner twice")
            self._used.add(used)
        if self._world.store.cells[cell].lease(grant.lease) is None:
            self.broken(f"{agent.boot} of {cell} starts a runner without a lease in the record")

    def runner_stopped(self, agent: Agent, stopper: Stopper) -> None:
        """Never by a count of ours."""
        self.story.tell("runner stopped", agent.instance.cell, agent.boot, stopper.value)
        if stopper is Stopper.OURS:
            self.broken(
                f"a live runner of {agent.instance.cell} ({agent.boot}) was stopped by a count of ours"
            )

    def job_moved(self, job: SimulatedJob) -> None:
        """See Bystander."""
        if job.runner_id is not None:
            self._job_of_runner[job.runner_id] = job
        how = "queued" if job.started_at is None else "begins"
        if job.ended_at is not None:
            how = "done" if job.succeeded else f"lost to {job.stopped_by}"
        self.story.tell("job", job.id, how)

    def struck(self, fault: str) -> None:
        """See Bystander."""
        self.story.tell("fault", fault)

    def crashed(self, process: str, step: str) -> None:
        """See Bystander."""
        self._writing = {each for each in self._writing if each[0] != process}
        self.story.tell("crash", process, step)

    def broken(self, what: str) -> None:
        """See Bystander."""
        self.story.tell("BROKEN", what)
        self.verdicts.append(f"at {self.story.now():.1f} s: {what}")

    def conclude(self) -> None:
        """Once faults have stopped all comes to rest: jobs are done or lost with a cause, counts and leases are gone."""
        world = self._world
        for job in world.github.jobs:
            if job.ended_at is None:
                self.broken(f"job {job.id} is neither done nor lost")
            elif not job.succeeded and job.stopped_by is None:
                self.broken(f"job {job.id} is lost without a cause")
        if not world.at_rest:
            self.broken(f"no rest in the end: {self._left()}")

    def _left(self) -> str:
        pools = {name: pool.count for name, pool in self._world.cloud.pools.items() if pool.count}
        leases = {name: len(cell.leases) for name, cell in self._world.store.cells.items() if cell.leases}
        states = {
            name: cell.state.value
            for name, cell in self._world.store.cells.items()
            if cell.state is not CellState.ZERO
        }
        return f"counts {pools}, leases {leases}, records {states}"
