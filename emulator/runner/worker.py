"""Runner.Worker: takes one job from the listener's pipe, runs it, reports it, and exits with 100 + its result.

It swallows SIGINT: a signal for the process group reaches the steps too, but what it means is the listener's to
say (Runner.Worker/Program.cs of https://github.com/actions/runner).
"""

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

from emulator.runner.broker import run_service_call
from emulator.runner.contract import CANCEL, NEW_JOB, SHUTDOWN, TIME_FACTOR_VARIABLE, TaskResult
from emulator.runner.dispatch import service_of
from emulator.runner.environment import Folders
from emulator.runner.errors import BadFaultsError, JobGoneError, RunnerError, UnreachableError
from emulator.runner.exchange import Exchange
from emulator.runner.faults import (
    DAEMONIZING_STEP,
    DEAF,
    FORGED_LINES,
    Faults,
    become_deaf,
    faults_of,
    leave_daemon,
    say_forged_lines,
)
from emulator.runner.job_log import JobLog
from emulator.runner.job_run import JobRun
from emulator.runner.job_state import JobState
from emulator.runner.signals import start_thread
from emulator.runner.terminal import trace
from emulator.workflow.errors import WorkflowError
from emulator.workflow.message import LOG_URL_VARIABLE

COMPLETION_TRIES = 5
COMPLETION_RETRY_SECONDS = 5.0


class Worker:
    """One job's run and its report."""

    def __init__(self, message: dict[str, Any], *, home: str) -> None:
        with open(os.path.join(home, ".runner"), encoding="utf-8-sig") as file:
            settings = {key.lower(): value for key, value in json.load(file).items()}
        work = os.path.join(home, str(settings.get("workfolder") or "_work"))
        self._message = message
        self._log = JobLog()
        self._service_url, self._token = service_of(message)
        self._log.mask(self._token)
        repository = _repository(message)
        self._state = JobState(
            message,
            folders=Folders.made(work, repository),
            runner_name=str(settings["agentname"]),
            log=self._log,
        )
        self._faults = Faults()
        self.job = JobRun(
            self._state,
            inherited=dict(os.environ),
            step_starts=self._strike_in_step,
            step_ended=self._send_log,
        )

    def run(self) -> TaskResult:
        """Runs the job and reports it; the result the listener is told."""
        start_thread(self._watch_time, name="job timeout")
        result = self._ran()
        self._send_log()
        body = {
            "planId": self._message["plan"]["planId"],
            "jobId": self._message["jobId"],
            "conclusion": result.wire,
            "outputs": self.job.outputs,
            "stepResults": self.job.step_results,
            "annotations": self._log.annotations,
            "telemetry": [],
            "billingOwnerId": self._message.get("billingOwnerId") or "",
        }
        return result if self._reported(body) else TaskResult.FAILED

    def _ran(self) -> TaskResult:
        try:
            self._faults = faults_of(self._message)
        except BadFaultsError as error:
            self._log.report_error(str(error))
            return TaskResult.FAILED
        if self._faults.has(DEAF):
            become_deaf()
        return self.job.run()

    def _strike_in_step(self) -> None:
        """The faults of a step, in the first one that runs."""
        faults, self._faults = self._faults, Faults()
        if faults.has(FORGED_LINES):
            say_forged_lines(str(self._message.get("jobDisplayName")))
        if faults.has(DAEMONIZING_STEP):
            leave_daemon(self._state.folders.workspace)

    def _reported(self, body: dict[str, Any]) -> bool:
        factor = float(os.environ.get(TIME_FACTOR_VARIABLE) or 1)
        for attempt in range(COMPLETION_TRIES):
            if attempt:
                time.sleep(COMPLETION_RETRY_SECONDS * factor)
            try:
                run_service_call(Exchange(), self._service_url, "completejob", body, self._token)
            except JobGoneError as error:
                trace("WORKER", f"Catch exception while attempting to complete job: {error}")
                return False
            except UnreachableError as error:
                trace("WORKER", f"Catch exception while attempting to complete job: {error}")
            else:
                return True
        return False

    def _send_log(self) -> None:
        """Posts what is new in the log. The real runner uploads to the Results service, which has no stand-in."""
        url = ((self._message.get("variables") or {}).get(LOG_URL_VARIABLE) or {}).get("value")
        text = self._log.taken()
        if url and text:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "text/plain; charset=utf-8"}
            with contextlib.suppress(RunnerError):  # a job never fails because its log could not be sent
                Exchange().send("POST", str(url), headers=headers, body=text.encode())

    def _watch_time(self) -> None:
        """The job's timeout-minutes; at GitHub the server watches it and cancels the job."""
        seconds = self._state.timeout_seconds
        time.sleep(seconds)
        self.job.cancel(
            CANCEL, f"The job has exceeded the maximum execution time of {seconds / 60:g} minutes."
        )


def _repository(message: dict[str, Any]) -> str:
    github = (message.get("contextData") or {}).get("github") or {}
    return next((str(pair["v"]) for pair in github.get("d") or [] if pair["k"] == "repository"), "")


def _listen(worker: Worker) -> None:
    """Passes the listener's words on; a pipe that ends is a listener that has died."""
    for line in sys.stdin:
        how = json.loads(line)["type"]
        if how in {CANCEL, SHUTDOWN}:
            worker.job.cancel(how)
    worker.job.cancel(SHUTDOWN)


def main(arguments: list[str]) -> int:
    """`Runner.Worker <home>` with the job on standard input; exits with 100 + TaskResult."""
    signal.signal(
        signal.SIGINT, lambda *_: None
    )  # a handler, because an ignored signal would stay so in steps
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    first = json.loads(sys.stdin.readline() or "{}")
    if first.get("type") != NEW_JOB:
        return TaskResult.FAILED.exit_code
    worker = Worker(first["body"], home=arguments[0])
    start_thread(lambda: _listen(worker), name="listener's words")
    try:
        return worker.run().exit_code
    except WorkflowError as error:
        trace("WORKER", f"The job message cannot be read: {error}")
        return TaskResult.FAILED.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
