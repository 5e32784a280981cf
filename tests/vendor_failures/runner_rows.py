"""Runners and their registrations: credentials, names, herds, exit codes that lie, idle ones that are not."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cell_records import record as guards
from cell_records.record import CellRecord, Outcome
from emulator.runner import actions
from runner_agent import runner_environment as environment
from runner_agent.account import Account
from runner_agent.contract import Outcome as AgentOutcome
from runner_agent.lifecycle import parking, serving
from runner_agent.lifecycle.actions import EndLease, Park, Signal
from runner_agent.lifecycle.events import (
    AskFailed,
    JobStarted,
    OutputEnded,
    RunnerExited,
    RunnerListening,
    TreeSeen,
)
from runner_agent.lifecycle.states import Leased, Parked, Phase, Verdict
from runner_agent.lifecycle.verdict import verdict_of
from scaler import lease_desk, registrar
from scaler.lease_ends import LeaseOutcome
from scaler.refusals import BootRetired, RegistrationsPaused
from scaler.registrar import RUNNER_NAME_MAX, Registrar
from tests.agent_life import NO_TREE, Agent, only
from tests.desk_world import HERE, DeskWorld, an_ask
from tests.factories import a_lease, a_record
from tests.unit.test_cell_keeper import KeeperWorld
from tests.vendor_failures.row import Row, patched

SECRETS = {"RUNNER_POOL_CELL_SECRET": "s3cret", "RUNNER_POOL_GITHUB_APP_KEY": "env:APP_KEY"}
HERD = 250


def the_environment_of_a_job() -> None:
    account = Account(uid=1001, gid=1001, groups=(), name="runner", home="/home/runner", switch=True)
    env = {**SECRETS, "APP_KEY": "-----BEGIN", "PATH": "/usr/bin"}
    seen = environment.runner_environment(
        env, account=account, encoded_jit_config="jit", secret_names=["APP_KEY"]
    )
    assert not set(seen) & {*SECRETS, "APP_KEY"}
    assert seen["PATH"] == "/usr/bin"


async def a_second_job_on_one_instance() -> None:
    """A boot has one lease, ever; so what one job has left behind meets no other."""
    world = DeskWorld(a_record(leases=[a_lease()]))
    await world.desk.end(HERE, "lease-1", boot="boot-1", outcome=LeaseOutcome.FINISHED, cause="", job="build")
    refused = False
    try:
        await world.desk.start(HERE, an_ask(9))
    except BootRetired:
        refused = True
    assert refused, "the boot got a second lease"


def boots_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An instance may come back for more."""

    def ended(record: CellRecord, **said: Any) -> Outcome:
        after = guards.ended(record, **said)
        return replace(after, ended_boots=()) if isinstance(after, CellRecord) else after

    patch.setattr(lease_desk, "ended", ended)


async def a_herd() -> None:
    world = DeskWorld(registrations=10)
    crowd = replace(HERE, room=HERD)
    for number in range(HERD):
        try:
            await world.desk.start(crowd, an_ask(boot=f"boot-{number}"))
        except RegistrationsPaused:
            continue
    assert len(world.github.made) == 10


def a_herd_that_fails() -> None:
    """Those that could not register do not all come back at the same moment, nor sooner and sooner."""
    again_after: list[list[float]] = []
    for chance in (0.1, 0.9):
        agent, waits = Agent().parked(), []
        for _ in range(6):
            assert isinstance(agent.state, Parked)
            at_once = agent.after(0, AskFailed(ask=agent.state.ask, chance=chance))
            assert not only(at_once, Park), "it asks again at once"
            failed_at = agent.now
            agent.sleep_until_woken()
            waits.append(agent.now - failed_at)
        again_after.append(waits)
    assert all(first < second for first, second in zip(*again_after, strict=True)), "no jitter"
    assert again_after[1][-1] > 20.0


async def a_registration_that_nobody_uses() -> None:
    desk = DeskWorld(a_record(leases=[a_lease(runner_id=7)]))
    await desk.desk.end(HERE, "lease-1", boot="boot-1", outcome=LeaseOutcome.UNUSED, cause="", job=None)
    world = KeeperWorld(desk.record)
    world.github.registered = {7: "runner-of-lease-1"}
    await world.keep()
    assert world.github.deleted == [7]


def all_registrations_are_used_up(patch: pytest.MonkeyPatch) -> None:
    """GitHub will remove it some day."""

    def ended(record: CellRecord, **said: Any) -> Outcome:
        return guards.ended(record, **{**said, "job_served": True})

    patch.setattr(lease_desk, "ended", ended)


def names_of_many_runners() -> None:
    names = {registrar.new_runner_name("linux", "c" * 80) for _ in range(HERD)}
    assert len(names) == HERD
    assert max(map(len, names)) <= RUNNER_NAME_MAX


def exit_zero_without_a_job() -> None:
    """The registration is cleared and the job, which may be bound to it, stays in sight; it was not served."""
    assert outcomes(RunnerListening(), RunnerExited(code=0, workers=0)) == [AgentOutcome.UNUSED]
    assert outcomes(RunnerListening(), JobStarted(job="b"), RunnerExited(code=0, workers=0)) == [
        AgentOutcome.LOST
    ]


def outcomes(*events: Any) -> Sequence[AgentOutcome]:
    """How a lease ends whose runner ends by itself after these events."""
    agent = Agent().starting()
    agent.after(1, *events, NO_TREE, OutputEnded())
    return [end.outcome for end in only(agent.actions, EndLease)]


def believe_the_exit_code(state: Leased) -> Verdict:
    """0 is a job well done."""
    found = verdict_of(state)
    return replace(found, outcome=AgentOutcome.FINISHED) if state.evidence.exit_code == 0 else found


def a_job_that_comes_as_the_idle_time_is_over() -> None:
    agent = Agent().listening()
    agent.sleep(650)
    agent.after(0, TreeSeen(processes=3, workers=1))
    agent.after(0, TreeSeen(processes=3, workers=1))
    assert agent.state.phase is Phase.RUNNING
    assert only(agent.actions, Signal) == []


def stop_without_a_look(patch: pytest.MonkeyPatch) -> None:
    """No Runner.Worker is looked for."""
    seen = serving._tree_seen
    patch.setattr(
        serving, "_tree_seen", lambda state, tree, *rest: seen(state, replace(tree, workers=0), *rest)
    )


def an_action_that_needs_docker() -> None:
    log: list[str] = []
    refusal = ""
    try:
        actions.run_action("docker://alpine", {}, source=None, workspace="/nowhere", say=log.append)
    except actions.ActionError as error:
        refusal = str(error)
    assert "docker" in refusal, f"the step turned green: {log}"


def every_action_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """What cannot run does nothing."""
    import re

    patch.setattr(actions, "_NO_OPERATION", re.compile(".*"))


ROWS = (
    Row(
        name="credentials-in-the-job",
        holds=the_environment_of_a_job,
        without=patched(environment, "OWN_PREFIX", "NOTHING_BEGINS_SO_"),
    ),
    Row(name="not-ephemeral", holds=a_second_job_on_one_instance, without=boots_are_forgotten),
    Row(
        name="thundering-herd",
        holds=a_herd,
        without=patched(Registrar, "require_budget", lambda _: None),
    ),
    Row(
        name="exit-fast-loop",
        holds=a_herd_that_fails,
        without=patched(parking, "backoff", lambda *_: 0.0),
    ),
    Row(
        name="stale-offline-registrations",
        holds=a_registration_that_nobody_uses,
        without=all_registrations_are_used_up,
    ),
    Row(
        name="runner-name-clashes",
        holds=names_of_many_runners,
        without=patched(secrets, "token_hex", lambda size: "0" * 2 * size),
    ),
    Row(
        name="exit-zero-with-a-bound-job",
        holds=exit_zero_without_a_job,
        without=patched(serving, "verdict_of", believe_the_exit_code),
    ),
    Row(
        name="idle-stop-races-with-a-job",
        holds=a_job_that_comes_as_the_idle_time_is_over,
        without=stop_without_a_look,
    ),
    Row(name="docker-actions", holds=an_action_that_needs_docker, without=every_action_is_passed_over),
)
