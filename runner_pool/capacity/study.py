"""`runner-pool simulate --history DAYS`: reads the past, saves it, and advises on it. Prints; the simulation is an argument."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from github_api.client import GitHub
from github_api.errors import BadCredentials, GitHubError, InstallationMissing, PermissionDenied
from runner_pool.capacity.advising import Question, Work, advise
from runner_pool.capacity.documents import advice_documents, history_document
from runner_pool.capacity.history import History, history_of
from runner_pool.capacity.reading import Reading
from runner_pool.capacity.report import history_lines
from runner_pool.capacity.saving import save_trace
from runner_pool.errors import HistoryError
from scaler.assembly import github_of, policy_of, repositories_of
from scaler.config import Config, load_config
from scaler.config.model import PoolSection
from scaler.errors import GitHubRefused
from simulator.assumptions import Assumptions

_DAY = 86_400.0


def study(
    config_path: Path,
    env: Mapping[str, str],
    *,
    days: float,
    question: Question | None,
    save: Path | None = None,
    adjusted: Callable[[Assumptions], Assumptions] = lambda assumptions: assumptions,
    as_json: bool = False,
    clock: Callable[[], float] = time.time,
) -> int:
    """Read the finished jobs of the last days, write them to `save`, and print what they advise for each pool.

    `question` None: no advice. `adjusted` gets what the configuration says of a pool and may know better. With `as_json`
    one object is printed at the end, and nothing else. Gives the exit code. Raises ScalerError for the configuration and an
    App that GitHub refuses, HistoryError when there is nothing to learn from, UsageError when `save` cannot be written.
    """
    config = load_config(config_path, env)
    history = read_history(config, env, days=days, clock=clock)
    say = _tell if as_json else click.echo
    if not as_json or history.jobs == 0:
        say("\n".join(history_lines(history)))
    if history.jobs == 0:
        raise HistoryError(
            f"no finished job of the last {days:g} days fits a pool",
            cause="the lines above say which jobs were left out, and why",
            remedy="ask for more days, or compare the labels of jobs and pools",
        )
    if save is not None:
        save_trace(history.trace, save)
        say(f"{history.jobs} jobs are written to {save}")
    work = {
        pool.name: Work(trace=history.traces[pool.name], assumptions=adjusted(assumptions_of(config, pool)))
        for pool in config.pools
    }
    found = {} if question is None else advise(work, question, silent=as_json)
    if as_json:
        click.echo(json.dumps({"history": history_document(history), "advice": advice_documents(found)}))
    return 0


def read_history(
    config: Config,
    env: Mapping[str, str],
    *,
    days: float,
    clock: Callable[[], float] = time.time,
    told: Callable[[str], None] | None = None,
) -> History:
    """The finished jobs of the runs that were made in the last days, as the App of this configuration sees them.

    `told` hears of every wait for GitHub's limits; without it the lines go to standard error. Raises ScalerError,
    HistoryError.
    """
    return asyncio.run(_read(config, github_of(config, env), days=days, clock=clock, told=told or _tell))


def assumptions_of(config: Config, pool: PoolSection) -> Assumptions:
    """What the configuration says of a pool in the words of the simulator; the delays keep their defaults."""
    return Assumptions(
        max_runners=min(pool.max, config.max_instances),
        writes_per_minute=config.cloud_run.writes_per_minute,
        registrations_per_minute=config.github.registrations_per_minute,
        warm=pool.warm,
    )


async def _read(
    config: Config,
    github: GitHub,
    *,
    days: float,
    clock: Callable[[], float],
    told: Callable[[str], None],
) -> History:
    until = clock()
    since = until - days * _DAY
    async with github:
        reading = Reading(github, clock=clock, sleep=asyncio.sleep, told=told)
        try:
            finished = [
                job
                async for job in reading.finished_jobs(only=repositories_of(config), since=since, until=until)
            ]
        except (BadCredentials, InstallationMissing, PermissionDenied) as error:
            raise GitHubRefused(str(error)) from error
        except GitHubError as error:
            raise HistoryError("GitHub's history could not be read", cause=str(error)) from error
    return history_of(finished, policy_of(config).pools, since=since, until=until, unread=reading.unread)


def _tell(line: str) -> None:
    click.echo(line, err=True)
