"""The job in the listener's hands: lock renewal, the worker process, cancellation. Knows no messages.

Facts: src/Runner.Listener/JobDispatcher.cs of https://github.com/actions/runner.
"""

import calendar
import contextlib
import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from emulator.runner.broker import run_service_call
from emulator.runner.contract import CANCEL, NEW_JOB, TaskResult, result_of_exit_code, says_result
from emulator.runner.errors import BadFaultsError, JobGoneError, UnreachableError
from emulator.runner.exchange import Exchange
from emulator.runner.faults import (
    DEAF,
    DIES,
    OUT_OF_MEMORY,
    RELAUNCHES,
    Faults,
    become_deaf,
    die_with_all,
    faults_of,
)
from emulator.runner.launch import WORKER, command
from emulator.runner.process_tree import descendants, kill_tree
from emulator.runner.signals import signals_held, start_thread
from emulator.runner.terminal import say, stamped, trace

RENEWAL_SECONDS = 60.0
RENEWAL_VARIABLE = "system.emulator.renew_seconds"  # the same minute in a world that runs faster
FIRST_RENEWAL_TRIES = 5
RETRY_SECONDS = 5.0
COMPLETION_TRIES = 5
LOOK_SECONDS = 0.05


class _Renewed(NamedTuple):
    """The first renewal has succeeded: the worker may start."""


class _LockLost(NamedTuple):
    """The job is no longer ours, says the run service."""


class _WorkerEnded(NamedTuple):
    code: int


class _KillDue(NamedTuple):
    """The time that a cancelled job had to end is over."""


class _DeathDue(NamedTuple):
    """The fault runner-dies strikes."""


class _MemoryUsedUp(NamedTuple):
    """The fault runner-out-of-memory strikes."""


_OWN_EVENTS = (_Renewed, _LockLost, _WorkerEnded, _KillDue, _DeathDue, _MemoryUsedUp)


class Dispatch:
    """Runs one job. Its threads put events into the listener's queue, and `takes` acts on them."""

    def __init__(self, tell: Callable[[Any], None], *, home: str, time_factor: float) -> None:
        self._tell = tell
        self._home = home
        self._factor = time_factor
        self._job: dict[str, Any] | None = None
        self._worker: subprocess.Popen[str] | None = None
        self._result: TaskResult | None = None  # why the worker was told to stop, if it was
        self._ended = False
        self._faults = Faults()
        self._is_dying = False
        self._renewing = threading.Event()  # set to end the renewal

    def is_busy(self) -> bool:
        """Whether a job was given, ended or not: an ephemeral runner takes no second one."""
        return self._job is not None

    def has_ended(self) -> bool:
        """Whether the job has ended and was reported."""
        return self._ended

    def relaunches(self) -> bool:
        """Whether the job has ended, and its fault makes the front start another listener."""
        return self._ended and self._faults.has(RELAUNCHES)

    def run(self, job: dict[str, Any]) -> None:
        """Starts with the lock; the worker follows when the first renewal has succeeded."""
        self._job = job
        with contextlib.suppress(BadFaultsError):  # the worker says it in the job's log
            self._faults = faults_of(job)
        if self._faults.has(DEAF):
            become_deaf()
        say(stamped(f"Running job: {self._name()}"))
        start_thread(lambda: self._renew(job), name="lock renewal")

    def takes(self, event: object) -> bool:
        """Acts on an event of its own threads. False for any other event."""
        if not isinstance(event, _OWN_EVENTS):
            return False
        match event:
            case _Renewed():
                self._start_worker()
            case _LockLost():
                self._stop_worker(TaskResult.ABANDONED, CANCEL)
            case _WorkerEnded(code):
                self._finish(result_of_exit_code(code))
            case _KillDue():
                self._kill_worker()
            case _DeathDue():
                self._is_dying = True
                die_with_all(self._home)
            case _MemoryUsedUp():
                if self._worker is not None and self._worker.poll() is None:
                    kill_tree(self._worker.pid)
        return True

    def cancel(self, job_id: str, *, timeout: str) -> None:
        """The server cancels the job; after `timeout` ("00:05:00") the worker is killed."""
        if self._job is None or self._job.get("jobId") != job_id or self._ended:
            return
        self._stop_worker(TaskResult.CANCELED, CANCEL)
        hours, minutes, seconds = (float(part) for part in timeout.split(":"))
        self._later(hours * 3600 + minutes * 60 + seconds, _KillDue())

    def shut_down(self, events: "queue.SimpleQueue[Any]", how: str) -> None:
        """Cancels a job that runs, and waits for its worker without limit: the real runner does no better.

        `how` is SHUTDOWN (a signal: the job fails, no step runs any more) or CANCEL (steps with always() run).
        """
        if self._job is None or self._ended:
            return
        self._stop_worker(TaskResult.CANCELED, how)
        while not self._ended:
            self.takes(events.get())

    def _name(self) -> str:
        return str((self._job or {}).get("jobDisplayName"))

    def _start_worker(self) -> None:
        if self._ended or self._worker is not None:
            return
        argv = command(WORKER, self._home, self._home)
        with signals_held():  # the worker takes them when it is ready to
            worker = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, cwd=self._home)
        self._worker = worker
        start_thread(lambda: self._watch(worker), name="worker")
        self._send(NEW_JOB, self._job)
        for fault, event in ((DIES, _DeathDue()), (OUT_OF_MEMORY, _MemoryUsedUp())):
            delay = self._faults.delay(fault)
            if delay is not None:
                self._later(delay, event, begun=lambda: worker.poll() is not None or descendants(worker.pid))

    def _watch(self, worker: "subprocess.Popen[str]") -> None:
        code = worker.wait()
        if self._is_dying:
            return  # the dead say nothing, and report nothing
        job_id = (self._job or {}).get("jobId")
        trace("RUNNER", f"Worker finished for job {job_id}. Code: {code if code >= 0 else 128 - code}")
        if not says_result(code) and self._result is None:
            self._report_crash()
        self._tell(_WorkerEnded(code))

    def _report_crash(self) -> None:
        """A worker that ended without a result was not told to stop: the listener fails the job in its place."""
        assert self._job is not None
        url, token = service_of(self._job)
        body = {
            "planId": self._job["plan"]["planId"],
            "jobId": self._job["jobId"],
            "conclusion": TaskResult.FAILED.wire,
            "outputs": {},
            "stepResults": [],
            "annotations": [],
            "telemetry": [],
            "billingOwnerId": self._job.get("billingOwnerId") or "",
        }
        for attempt in range(COMPLETION_TRIES):
            if attempt:
                time.sleep(RETRY_SECONDS * self._factor)
            try:
                run_service_call(Exchange(), url, "completejob", body, token)
            except UnreachableError as error:
                trace("RUNNER", f"Fail to raise job completion back to service. {error}")
            except JobGoneError as error:
                trace("RUNNER", f"Fail to raise job completion back to service. {error}")
                return
            else:
                return

    def _stop_worker(self, result: TaskResult, how: str) -> None:
        self._result = self._result or result
        if self._worker is None:
            self._finish(result)  # the worker has not been started; no step has run
        else:
            self._send(how, None)

    def _kill_worker(self) -> None:
        if self._worker is not None and not self._ended:
            trace("RUNNER", "worker process has not exited within cancellation timeout, kill running worker.")
            self._worker.send_signal(signal.SIGKILL)

    def _send(self, kind: str, body: Any) -> None:
        assert self._worker is not None
        assert self._worker.stdin is not None
        with contextlib.suppress(OSError):  # the worker has ended; its end is an event of its own
            self._worker.stdin.write(json.dumps({"type": kind, "body": body}) + "\n")
            self._worker.stdin.flush()

    def _finish(self, result: TaskResult) -> None:
        if self._ended:
            return
        self._renewing.set()
        # A worker that was told to stop has reported its own conclusion; this line tells why it was stopped.
        say(stamped(f"Job {self._name()} completed with result: {(self._result or result).word}"))
        self._ended = True

    def _renew(self, job: dict[str, Any]) -> None:
        url, token = service_of(job)
        body = {"planId": job["plan"]["planId"], "jobId": job["jobId"]}
        given = ((job.get("variables") or {}).get(RENEWAL_VARIABLE) or {}).get("value")
        usual = RENEWAL_SECONDS * self._factor if given is None else float(given)
        failures = 0
        renewed = False
        while True:
            wait = RETRY_SECONDS * self._factor
            try:
                reply = run_service_call(Exchange(), url, "renewjob", body, token)
            except JobGoneError:
                break
            except UnreachableError:
                failures += 1
                if not renewed and failures == FIRST_RENEWAL_TRIES:
                    break
            else:
                if not renewed:
                    renewed = True
                    self._tell(_Renewed())
                wait = _renewal_wait(reply.get("lockedUntil"), usual)
            if self._renewing.wait(wait):
                return
        self._tell(_LockLost())

    def _later(self, seconds: float, event: Any, *, begun: Callable[[], object] = lambda: True) -> None:
        """Tells an event so long after something has begun; that is asked again and again."""

        def ring() -> None:
            while not begun():
                time.sleep(LOOK_SECONDS)
            time.sleep(seconds)
            self._tell(event)

        start_thread(ring, name="timer")


def service_of(job: dict[str, Any]) -> tuple[str, str]:
    """URL of the run service and the job's access token, out of a job message."""
    for endpoint in job["resources"]["endpoints"]:
        if endpoint["name"] == "SystemVssConnection":
            return str(endpoint["url"]), str(endpoint["authorization"]["parameters"]["AccessToken"])
    raise JobGoneError("The job message names no run service.")


def _renewal_wait(locked_until: Any, usual: float) -> float:
    """Seconds to the next renewal: the usual ones, or a tenth of the lock where a stand-in locks for less."""
    wait = usual
    with contextlib.suppress(ValueError, TypeError):
        end = calendar.timegm(time.strptime(str(locked_until)[:19], "%Y-%m-%dT%H:%M:%S"))
        wait = min(wait, max(0.2, (end - time.time()) / 10))
    return wait
