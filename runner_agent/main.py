"""Puts the agent together from its environment, runs it, and turns whatever happens into one exit code and clear lines."""

import os
import queue
import random
import time
from collections.abc import Callable, Mapping

from runner_agent.account import check_separation, runner_account
from runner_agent.child import Child, adopt_orphans, forbid_new_privileges, hide_own_environment
from runner_agent.contract import ExitReason
from runner_agent.errors import AgentError, SettingsError
from runner_agent.lifecycle.states import Timing
from runner_agent.log import Journal, write_to_standard_output
from runner_agent.registration import Boot, Registration
from runner_agent.requester import Requester
from runner_agent.settings import (
    RUNNER_HOME,
    WORKER_POOL,
    DirectSettings,
    LeasedSettings,
    Settings,
    load_settings,
)
from runner_agent.signals import listen_to_signals
from runner_agent.supervisor import Inbox, Supervisor
from runner_agent.used_mark import UsedMark
from runner_agent.work_folder import prepare_work_folder

_LIKELY_AGAIN = frozenset(
    {ExitReason.BAD_SETTINGS, ExitReason.SAME_USER, ExitReason.USED_CONTAINER, ExitReason.INTERNAL}
)
"""Cloud Run replaces a container that exits; for these the next one will say the same."""
_PAUSE_LEAST_SECONDS, _PAUSE_MOST_SECONDS = 5.0, 15.0


def main() -> int:
    """Run the agent of this process; returns its exit code (docs/reference/agent.md)."""
    hide_own_environment()
    nothing_gives_privileges = forbid_new_privileges()
    inbox: Inbox = queue.SimpleQueue()
    asked = listen_to_signals(inbox)
    env = dict(os.environ)
    journal = Journal(write=write_to_standard_output, wall_clock=time.time)
    if not nothing_gives_privileges:
        journal.warning(
            "this kernel does not let us forbid new privileges (no_new_privs): a program with a setuid bit could make a workflow "
            "step root, who can read this agent's secrets; take every such bit out of the image (find / -perm /6000)"
        )
    try:
        reason = run(env, inbox=inbox, asked_to_leave=asked.wait, journal=journal)
    except SettingsError as error:
        for problem in error.problems:
            journal.error(problem)
        reason = error.reason
    except AgentError as error:
        journal.error(str(error))
        reason = error.reason
    except Exception as error:  # noqa: BLE001 - people get one line and a documented code, never a bare traceback
        journal.error(f"a fault of the agent itself: {type(error).__name__}: {error}")
        reason = ExitReason.INTERNAL
    journal.info(f"leaving: {reason.word}", reason=reason.word)
    if reason in _LIKELY_AGAIN and WORKER_POOL in env:
        asked.wait(random.uniform(_PAUSE_LEAST_SECONDS, _PAUSE_MOST_SECONDS))  # noqa: S311 - jitter
    return reason.value


def run(
    env: Mapping[str, str], *, inbox: Inbox, asked_to_leave: Callable[[float], bool], journal: Journal
) -> ExitReason:
    """Run one boot to its end. Raises AgentError before anything has started, if it may not start.

    `asked_to_leave(seconds)` waits at most that long for SIGTERM and says whether it came.
    """
    clock = clock_that_counts_suspension
    born = clock()
    settings = load_settings(env)
    boot = Boot(cell=settings.cell, instance="", boot=os.urandom(16).hex())
    journal.label(cell=settings.cell, boot=boot.boot)
    account = runner_account(settings.runner_user, runner_home=settings.runner_home)
    if not os.path.isdir(settings.runner_home):
        raise SettingsError(
            [
                f"{RUNNER_HOME}: {settings.runner_home!r} is not a folder; install the runner there or name its folder"
            ]
        )
    check_separation(account, allow_same_user=settings.allow_same_user)
    mark = UsedMark(
        settings.used_mark, boot=boot.boot, allow_used=settings.allow_used_container, journal=journal
    )
    mark.check()
    if settings.work_folder and not prepare_work_folder(
        settings.work_folder, account, asked_to_leave=asked_to_leave, clock=clock, journal=journal
    ):
        return ExitReason.STOPPED_PARKED
    if not adopt_orphans():
        journal.warning(
            "this kernel does not let us adopt orphans; what a job leaves behind may outlive its lease"
        )
    chance = random.Random().random  # noqa: S311 - jitter
    registration, secret_names = _registration(settings, env, journal)
    requester = Requester(
        registration=registration,
        boot=boot,
        uptime=lambda: clock() - born,
        chance=chance,
        sleep=time.sleep,
        new_name=lambda: f"unnamed-{os.urandom(8).hex()}",
        put=inbox.put,
        journal=journal,
    )
    supervisor = Supervisor(
        inbox=inbox,
        requester=requester,
        child=Child(command=settings.runner_command, home=settings.runner_home, account=account),
        mark_used=mark.make,
        account=account,
        env=env,
        secret_names=secret_names,
        timing=Timing(max_lifetime=settings.max_lifetime_seconds),
        clock=clock,
        journal=journal,
    )
    journal.info(f"booting in cell {settings.cell}; the runner will be uid {account.uid}")
    return supervisor.run()


def clock_that_counts_suspension() -> float:
    """Seconds on the clock by which every deadline is judged: a frozen machine must not lengthen a lease."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _registration(
    settings: Settings, env: Mapping[str, str], journal: Journal
) -> tuple[Registration, tuple[str, ...]]:
    """The registration, and the variables whose values the runner must not see."""
    from runner_agent.registration.exchange import HttpExchange
    from runner_agent.registration.metadata import IdentityTokens, MetadataServer

    exchange = HttpExchange()
    metadata = MetadataServer(settings.metadata_host, exchange=exchange)
    match settings.registration:
        case LeasedSettings() as leased:
            from runner_agent.registration.leased import LeasedRegistration

            journal.hide(leased.cell_secret)
            tokens = IdentityTokens(lambda: metadata.identity_token(leased.audience), wall_clock=time.time)
            registration = LeasedRegistration(
                scaler_url=leased.scaler_url,
                cell_secret=leased.cell_secret,
                metadata=metadata,
                tokens=tokens,
                exchange=exchange,
            )
            return registration, ()
        case DirectSettings() as direct:
            from runner_agent.registration.direct import direct_registration

            scheme, _, name = direct.app_key.partition(":")
            key_variables = (name,) if scheme == "env" else ()
            return direct_registration(direct, env=env, metadata=metadata, exchange=exchange), key_variables
