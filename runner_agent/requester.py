"""Performs the requests that the lifecycle asks for, away from the supervisor's thread; answers come back as events.

One thread does them in order, and only the newest counts: a heartbeat that waits behind a slow one says nothing
that the next one does not say better. What must go out at once has a thread and a connection of its own.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner_agent.contract import LONG_POLL_TIMEOUT_SECONDS, REPLY_WITHIN_SECONDS, RefusalCode
from runner_agent.errors import RefusedError, RegistrationError
from runner_agent.lifecycle.actions import EndLease, LearnInstance, Park, Report, TakeLease, Void
from runner_agent.lifecycle.events import (
    AskFailed,
    EndAnswered,
    EndFailed,
    Event,
    Granted,
    InstanceKnown,
    NothingOffered,
    Offered,
    ReportAnswered,
    ReportFailed,
)
from runner_agent.log import Journal
from runner_agent.registration import Boot, Registration

RegistrationAction = LearnInstance | Park | TakeLease | Void | Report | EndLease

_INSTANCE_TRIES = 3
_INSTANCE_PAUSE_SECONDS = 0.5
_VOID_TIMEOUT_SECONDS = 0.5
_URGENT_TIMEOUT_SECONDS = 2.0
_URGENT_TRIES = 4
_URGENT_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a thread of ours went wrong that no part of us expected."""

    error: Exception


class Requester:
    """Talks to a registration for one boot."""

    def __init__(
        self,
        *,
        registration: Registration,
        boot: Boot,
        uptime: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], None],
        new_name: Callable[[], str],
        put: Callable[[Event | Fault], None],
        journal: Journal,
    ) -> None:
        self._registration = registration
        self._boot = boot
        self._uptime = uptime
        self._chance = chance
        self._sleep = sleep
        self._new_name = new_name
        self._put = put
        self._journal = journal
        self._waiting: queue.SimpleQueue[RegistrationAction] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to serve `request`."""
        threading.Thread(target=self._serve, name="requester", daemon=True).start()

    def request(self, action: RegistrationAction) -> None:
        """Perform this soon; its answer comes as an event, unless a newer request makes it needless."""
        if isinstance(action, Void) or (isinstance(action, Report | EndLease) and action.urgent):
            thread = threading.Thread(target=self._guarded, args=(action,), name="urgent", daemon=True)
            thread.start()
        else:
            self._waiting.put(action)

    def _serve(self) -> None:
        while True:
            action = self._waiting.get()
            while not self._waiting.empty():
                action = self._waiting.get()
            self._guarded(action)

    def _guarded(self, action: RegistrationAction) -> None:
        try:
            self._perform(action)
        except Exception as error:  # noqa: BLE001 - a thread must not die silently: the supervisor decides what follows
            self._put(Fault(error))

    def _perform(self, action: RegistrationAction) -> None:
        match action:
            case LearnInstance():
                self._learn_instance()
            case Park() | TakeLease():
                self._ask(action)
            case Void(ask=ask):
                self._void(ask)
            case Report():
                self._report(action)
            case EndLease():
                self._end(action)

    def _learn_instance(self) -> None:
        instance = ""
        for _ in range(_INSTANCE_TRIES):
            try:
                instance = self._registration.instance_id()
                break
            except RegistrationError as error:
                self._journal.warning(f"the instance's id is not known yet: {error}")
                self._sleep(_INSTANCE_PAUSE_SECONDS)
        if not instance:
            instance = self._new_name()
            self._journal.warning(f"no metadata server answers; this instance calls itself {instance}")
        self._boot = replace(self._boot, instance=instance)
        self._journal.label(instance=instance)
        self._put(InstanceKnown())

    def _ask(self, action: Park | TakeLease) -> None:
        uptime = self._uptime()
        try:
            if isinstance(action, Park):
                offered = self._registration.park(
                    self._boot,
                    ask=action.ask,
                    uptime_seconds=uptime,
                    timeout_seconds=LONG_POLL_TIMEOUT_SECONDS,
                )
                self._put(Offered(ask=action.ask) if offered else NothingOffered(ask=action.ask))
            else:
                grant = self._registration.start(
                    self._boot, ask=action.ask, uptime_seconds=uptime, timeout_seconds=REPLY_WITHIN_SECONDS
                )
                self._put(Granted(ask=action.ask, grant=grant))
        except RefusedError as refusal:
            self._journal.warning(f"no lease: {refusal}")
            self._put(
                AskFailed(
                    ask=action.ask,
                    chance=self._chance(),
                    retired=refusal.status == 410,
                    retry_after_seconds=refusal.retry_after_seconds,
                )
            )
        except RegistrationError as error:
            self._journal.warning(f"no answer about a lease: {error}")
            self._put(AskFailed(ask=action.ask, chance=self._chance()))

    def _void(self, ask: int) -> None:
        try:
            self._registration.park(
                self._boot, ask=ask, uptime_seconds=self._uptime(), timeout_seconds=_VOID_TIMEOUT_SECONDS
            )
        except RegistrationError:
            return  # it is a long poll: what counts is that it was sent

    def _report(self, report: Report) -> None:
        tries = _URGENT_TRIES if report.urgent else 1
        if report.urgent:
            report = replace(report, timeout_seconds=min(report.timeout_seconds, _URGENT_TIMEOUT_SECONDS))
        for left in reversed(range(tries)):
            try:
                self._put(ReportAnswered(queued=self._registration.report(self._boot, report)))
                return
            except RefusedError as refusal:
                if refusal.code == RefusalCode.UNKNOWN_LEASE or refusal.status == 410:
                    # The runner goes on whatever the scaler thinks of the lease.
                    self._put(ReportAnswered(queued=None))
                    return
                self._journal.warning(f"report {report.state} was refused: {refusal}")
            except RegistrationError as error:
                self._journal.warning(f"report {report.state} was not answered: {error}")
            if left:
                self._sleep(_URGENT_PAUSE_SECONDS)
        self._put(ReportFailed(chance=self._chance()))

    def _end(self, end: EndLease) -> None:
        try:
            reply = self._registration.end(self._boot, end)
        except RegistrationError as error:
            self._journal.warning(f"`end` had no success: {error}")
            self._put(EndFailed(chance=self._chance()))
        else:
            self._put(EndAnswered(reply=reply, chance=self._chance()))
