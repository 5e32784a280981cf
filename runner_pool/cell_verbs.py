"""The verbs that change cells while jobs run: their options, and what each asks of `scaler.rollout`. Decides nothing."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from runner_pool import errors

F = TypeVar("F", bound=Callable[..., Any])

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESIZED = re.compile(r"([a-z][a-z0-9-]*)=([0-9]{1,3})")


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
    """A duration as in the configuration, such as `30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        from scaler.config.durations import parsed_duration

        if isinstance(value, float):
            return value
        try:
            return parsed_duration(str(value)).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


_config = click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The configuration, one YAML file.",
)
_cells = click.option(
    "--cell", "cells", multiple=True, metavar="CELL", help="Only this cell; may be repeated."
)
_timeout = click.option(
    "--timeout", default=28_800.0, type=Seconds(), help="The longest to wait for jobs and for Cloud Run (8h)."
)
_at_once = click.option(
    "--at-once", default=0, type=click.IntRange(min=0), help="Most cells held at a time (a fifth of them)."
)

_take_over = click.option(
    "--take-over",
    is_flag=True,
    help="Take cells that an older command with another wish holds; it ends then.",
)


@click.command()
@_config
@click.option("--pool", required=True, help="The pool whose cells are changed.")
@_cells
@click.option("--image", help="The new image.")
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable; may be repeated."
)
@click.option(
    "--unset-env", "unset", multiple=True, metavar="NAME", help="Remove a variable; may be repeated."
)
@click.option("--cpu", help="CPU of an instance, such as 4.")
@click.option("--memory", help="Memory of an instance, such as 8Gi.")
@click.option("--rotate-secrets", is_flag=True, help="Give each cell a new secret.")
@click.option("--no-canary", is_flag=True, help="Do not try the change in one cell first.")
@click.option(
    "--canary-timeout", default=1_800.0, type=Seconds(), help="How long a job is waited for there (30m)."
)
@_take_over
@_at_once
@_timeout
def rollout(
    *,
    config_path: Path,
    pool: str,
    cells: tuple[str, ...],
    image: str | None,
    variables: tuple[str, ...],
    unset: tuple[str, ...],
    cpu: str | None,
    memory: str | None,
    rotate_secrets: bool,
    no_canary: bool,
    canary_timeout: float,
    take_over: bool,
    at_once: int,
    timeout: float,
) -> int:
    """Change the template of a pool's cells, one cell first, each at its zero; no job is stopped."""
    from scaler.rollout.cells import ROLLOUT, Goal
    from scaler.rollout.template import TemplateWish
    from scaler.rollout.verbs import Wanted, run

    env = _environment(variables, unset)
    if not (image or env or unset or cpu or memory or rotate_secrets):
        raise errors.UsageError(
            "nothing is to be changed",
            remedy="say --image, --env, --unset-env, --cpu, --memory or --rotate-secrets",
        )
    _check_quantities(cpu, memory)
    wish = TemplateWish(
        image=image,
        env=env,
        unset_env=frozenset(unset),
        cpu=cpu,
        memory=memory,
        rotate=(lambda: secrets.token_urlsafe(32)) if rotate_secrets else None,
    )
    back = "--image OLD" if image else "the old values"
    return run(
        config_path,
        os.environ,
        Wanted(
            hold=ROLLOUT,
            goal=Goal.CHANGE,
            pool=pool,
            cells=cells,
            wish=wish,
            take_over=take_over,
            at_once=at_once,
            canary=not no_canary,
            canary_seconds=canary_timeout,
            timeout_seconds=timeout,
            how_back=f"runner-pool rollout --config {config_path} --pool {pool} {back}",
        ),
    )


@click.command()
@_config
@click.option("--pool", help="Only the cells of this pool.")
@_cells
@_timeout
def drain(*, config_path: Path, pool: str | None, cells: tuple[str, ...], timeout: float) -> int:
    """Keep cells from new jobs and wait until they are at zero; they stay so until `resume`."""
    from scaler.rollout.cells import Goal
    from scaler.rollout.verbs import Wanted, run

    wanted = Wanted(hold="drain", goal=Goal.STAY, pool=pool, cells=cells, timeout_seconds=timeout)
    return run(config_path, os.environ, wanted)


@click.command()
@_config
@click.option("--pool", help="Only the cells of this pool.")
@_cells
@click.option(
    "--hold",
    default="drain",
    type=click.Choice(["drain", "rollout", "resize", "destroy"]),
    help="Which verb's hold to end; others than drain only when that verb was given up.",
)
def resume(*, config_path: Path, pool: str | None, cells: tuple[str, ...], hold: str) -> int:
    """Let drained cells serve again."""
    from scaler.rollout.cells import Goal
    from scaler.rollout.verbs import Wanted, run

    wanted = Wanted(hold=hold, goal=Goal.RELEASE, pool=pool, cells=cells, timeout_seconds=60.0)
    return run(config_path, os.environ, wanted)


@click.command()
@_config
@click.option(
    "--cell", "sizes", multiple=True, required=True, metavar="CELL=N", help="A cell and its new size."
)
@_take_over
@_at_once
@_timeout
def resize(
    *, config_path: Path, sizes: tuple[str, ...], take_over: bool, at_once: int, timeout: float
) -> int:
    """Change the most instances of cells, each at its zero."""
    from scaler.cell_directory import SIZE_MAX
    from scaler.rollout.cells import Goal
    from scaler.rollout.template import SizeWish
    from scaler.rollout.verbs import Wanted, run

    wished = {}
    for each in sizes:
        found = _RESIZED.fullmatch(each)
        if found is None or not 1 <= int(found[2]) <= SIZE_MAX:
            raise errors.UsageError(
                f"--cell {each} names no cell and size", remedy=f"write CELL=N, with N from 1 to {SIZE_MAX}"
            )
        wished[found[1]] = int(found[2])
    wanted = Wanted(
        hold="resize",
        goal=Goal.CHANGE,
        cells=tuple(wished),
        wish=SizeWish(sizes=wished),
        take_over=take_over,
        at_once=at_once,
        timeout_seconds=timeout,
    )
    return run(config_path, os.environ, wanted)


@click.command()
@_config
@click.option("--pool", help="The cells of this pool.")
@_cells
@click.option("--all", "everything", is_flag=True, help="All cells of the deployment.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_timeout
def destroy(
    *,
    config_path: Path,
    pool: str | None,
    cells: tuple[str, ...],
    everything: bool,
    yes: bool,
    timeout: float,
) -> int:
    """Drain cells, delete their worker pools, then their records."""
    from scaler.rollout.cells import Goal
    from scaler.rollout.verbs import Wanted, run

    if not (pool or cells or everything) or (everything and (pool or cells)):
        raise errors.UsageError("which cells?", remedy="say --pool, --cell or --all")
    if not yes:
        what = (
            f"the cells {', '.join(cells)}"
            if cells
            else f"every cell of pool {pool}"
            if pool
            else "EVERY cell"
        )
        raise errors.UsageError(f"this deletes {what}", remedy="say --yes if that is what you want")
    wanted = Wanted(hold="destroy", goal=Goal.DELETE, pool=pool, cells=cells, timeout_seconds=timeout)
    return run(config_path, os.environ, wanted)


def _check_quantities(cpu: str | None, memory: str | None) -> None:
    """Cloud Run would say so too, but not before a cell was emptied for it."""
    from scaler.rollout.quantities import is_cpu, is_memory

    if cpu is not None and not is_cpu(cpu):
        raise errors.UsageError(f"--cpu {cpu} is no number of CPUs", remedy="write --cpu 4, or --cpu 500m")
    if memory is not None and not is_memory(memory):
        raise errors.UsageError(
            f"--memory {memory} is no amount of memory", remedy="write --memory 8Gi, or --memory 512Mi"
        )


def _environment(variables: tuple[str, ...], unset: tuple[str, ...]) -> dict[str, str]:
    env = {}
    for each in variables:
        name, separator, value = each.partition("=")
        if not separator or not _VARIABLE.fullmatch(name):
            raise errors.UsageError("--env names no variable with its value", remedy="write --env NAME=VALUE")
        env[name] = value
    wrong = [name for name in unset if name in env or not _VARIABLE.fullmatch(name)]
    if wrong:
        raise errors.UsageError(
            f"--unset-env {wrong[0]} cannot be honoured", remedy="name a variable that is not set by --env"
        )
    secret = next((name for name in (*env, *unset) if name.startswith("RUNNER_POOL_CELL_SECRET")), None)
    if secret is not None:
        raise errors.UsageError(
            f"{secret} is not changed by hand", remedy="say --rotate-secrets: each cell has its own"
        )
    return env


VERBS = (rollout, drain, resume, resize, destroy)
