"""Makes registrations at GitHub for leases, and clears those that no instance will use.

A name is used once. Only a registration whose lease has left the record is ever removed, matched by id.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from cell_records.record import CellRecord, Ghost, ghost_cleared
from github_api.errors import GitHubError, NotFound, RunnerBusy
from github_api.secret import Secret
from github_api.values import JitConfiguration, Job, Runner
from scaler.budget import MinuteBudget
from scaler.records import Records
from scaler.refusals import RegistrationsPaused

# GitHub refuses longer names: https://github.com/actions/runner/pull/1710
RUNNER_NAME_MAX = 64

# A registration whose reply was lost may show up in the list late; after this the name is known never to have
# been taken. The call itself is cut off after 15 s, and lists have been seen to lag by up to 60 s.
NAME_SETTLES_SECONDS = 120.0


class Registrations(Protocol):
    """What this module needs of GitHub."""

    async def generate_jit_configuration(
        self, *, name: str, labels: Collection[str], runner_group_id: int, timeout_seconds: float
    ) -> JitConfiguration:
        """Register an ephemeral runner."""

    async def runners(self, *, name: str | None = None) -> tuple[Runner, ...]:
        """Registrations of that name."""

    async def delete_runner(self, runner_id: int) -> None:
        """Remove a registration."""

    async def job(self, repository: str, job_id: int) -> Job:
        """One job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedJob:
    """A job that GitHub calls completed; `conclusion` is GitHub's word."""

    runner_id: int | None
    conclusion: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerShape:
    """What every runner of a pool is registered with."""

    labels: tuple[str, ...]
    runner_group_id: int


def new_runner_name(pool: str, cell: str) -> str:
    """A name no runner had before: `<pool>-<cell>-<random>`, cut in front so that the random part stays
    whole.
    """
    drawn = secrets.token_hex(6)
    return f"{pool}-{cell}"[: RUNNER_NAME_MAX - len(drawn) - 1] + f"-{drawn}"


class Registrar:
    """Registers runners within GitHub's budget."""

    def __init__(
        self,
        github: Registrations,
        records: Records,
        *,
        budget: MinuteBudget,
        jit_call_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        """`budget`: registrations a minute; `jit_call_seconds`: how long one call may take."""
        self._github = github
        self._records = records
        self._budget = budget
        self._jit_call_seconds = jit_call_seconds
        self._clock = clock

    def left(self) -> int:
        """How many registrations this minute still allows."""
        return self._budget.left(self._clock())

    def require_budget(self) -> None:
        """Raises RegistrationsPaused when the minute's budget is used up."""
        if self.left() <= 0:
            raise RegistrationsPaused(per_minute=self._budget.per_minute)

    async def register(self, shape: RunnerShape, *, name: str) -> tuple[int, Secret]:
        """The id and the single-use configuration of a new runner.

        Raises RegistrationsPaused when the minute's budget is used up, and GitHubError; after Unavailable it
        may have been made.
        """
        self.require_budget()
        self._budget.use(self._clock())
        made = await self._github.generate_jit_configuration(
            name=name,
            labels=shape.labels,
            runner_group_id=shape.runner_group_id,
            timeout_seconds=self._jit_call_seconds,
        )
        return made.runner_id, made.encoded

    async def completed_by(self, repository: str, job_id: int, *, runner_name: str) -> CompletedJob | None:
        """The job, if GitHub says that the runner of that name has completed it; else None.

        The name is asked for because it was drawn for one lease; ids may mean another runner in another scope.
        """
        job = await self._github.job(repository, job_id)
        if job.completed_at is None or job.runner_name != runner_name:
            return None
        return CompletedJob(runner_id=job.runner_id, conclusion=job.conclusion)

    async def clear_ghosts(self, cell: str, record: CellRecord) -> list[str]:
        """Remove what is left at GitHub of leases that are gone; gives what went wrong, one sentence each."""
        faults: list[str] = []
        for ghost in record.ghosts:
            try:
                cleared = await self._cleared(ghost)
            except GitHubError as error:
                faults.append(str(error))
                if error.may_retry:
                    # GitHub does not answer now; asking about the others would only wait for the same.
                    break
                continue
            if cleared:
                await self._records.change(
                    cell, partial(ghost_cleared, runner_name=ghost.runner_name), uid=record.uid
                )
        return faults

    async def _cleared(self, ghost: Ghost) -> bool:
        ids = [ghost.runner_id] if ghost.runner_id is not None else await self._ids_of(ghost.runner_name)
        for runner_id in ids:
            try:
                await self._github.delete_runner(runner_id)
            except NotFound:
                continue
            except RunnerBusy:
                # GitHub still counts its lost job; it ends by itself, and this is asked again.
                return False
        return bool(ids) or self._clock() > ghost.since + NAME_SETTLES_SECONDS

    async def _ids_of(self, name: str) -> list[int]:
        return [runner.id for runner in await self._github.runners(name=name)]
