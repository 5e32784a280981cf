"""PURE: who may look on at a simulated deployment. A bystander changes nothing; the one here sees nothing either."""

from __future__ import annotations

from cell_records.deployment import DeploymentRecord
from cell_records.record import CellRecord
from runner_agent.contract import Grant
from simulator.cells.agent import Agent
from simulator.cells.cloud import Stopper
from simulator.cells.github import SimulatedJob


class Bystander:
    """Each method is called at the moment of what it is named after."""

    def record_changed(self, cell: str, before: CellRecord, after: CellRecord) -> None:
        """A compare-and-set of a cell's record has succeeded."""

    def deployment_changed(self, before: DeploymentRecord, after: DeploymentRecord) -> None:
        """A compare-and-set of the deployment's record has succeeded."""

    def counted(self, cell: str, before: int, after: int, hand: Stopper) -> None:
        """A write of a count was taken. `hand`: whose it was; `before` and `after` may be equal."""

    def write_sent(self, process: str, cell: str) -> None:
        """A process begins to send a count."""

    def write_over(self, process: str, cell: str) -> None:
        """A process knows how its write ended, or has given it up."""

    def moved_in(self, agent: Agent) -> None:
        """A container has come up."""

    def runner_started(self, agent: Agent, grant: Grant) -> None:
        """An agent starts the runner that it was granted."""

    def runner_stopped(self, agent: Agent, stopper: Stopper) -> None:
        """An instance gets SIGTERM while a runner of it lives."""

    def job_moved(self, job: SimulatedJob) -> None:
        """A job was queued, has begun or has ended."""

    def struck(self, fault: str) -> None:
        """A fault strikes."""

    def crashed(self, process: str, step: str) -> None:
        """A process is killed at a step."""

    def broken(self, what: str) -> None:
        """Something has happened that must never happen."""
