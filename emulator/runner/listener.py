"""Runner.Listener: opens a session, polls for messages, runs one job through a worker, and ends.

One queue of events, one thread that acts on them; helper threads only put events in.
Facts: src/Runner.Listener/Runner.cs, BrokerMessageListener.cs and Program.cs of
https://github.com/actions/runner.
"""

import json
import os
import queue
import random
import signal
import socket
import sys
import threading
from typing import Any

from emulator.runner.broker import Broker, Tokens
from emulator.runner.contract import (
    CANCEL,
    DEPRECATED_EXIT_VARIABLE,
    INPUT_PREFIX,
    INSTANCE_VARIABLE,
    JIT_VARIABLE,
    RUNNER_VERSION,
    SHUTDOWN,
    TIME_FACTOR_VARIABLE,
    ReturnCode,
    is_yes,
)
from emulator.runner.dispatch import Dispatch
from emulator.runner.errors import (
    AbortedError,
    BadConfigurationError,
    JobGoneError,
    RegistrationGoneError,
    RunnerError,
    RunnerNotFoundError,
    SessionConflictError,
    SessionInvalidError,
    UnreachableError,
    VersionDeprecatedError,
)
from emulator.runner.exchange import Exchange
from emulator.runner.jit_configuration import JitConfiguration
from emulator.runner.launch import remove_home
from emulator.runner.polling import Poller
from emulator.runner.signals import hear_signals
from emulator.runner.terminal import complain, say, stamped, succeed, trace

SESSION_RETRY_SECONDS = 30.0
SESSION_CONFLICT_RETRIES = 8  # four minutes
UNLOAD_SECONDS = 30.0  # how long a listener that got SIGTERM itself may take (ExitOnUnloadTimeout)
JOB_MESSAGE, CANCEL_MESSAGE = "RunnerJobRequest", "JobCancellation"
_DELETED = (
    "Failed to create a session. The runner registration has been deleted from the server, please "
    "re-configure. Runner registrations are automatically deleted for runners that have not connected to the "
    "service recently."
)


class _Shutdown(Exception):
    """A signal asks the listener to end."""


class Listener:
    """One runner from its configuration to its end."""

    def __init__(self, configuration: JitConfiguration, *, home: str, time_factor: float) -> None:
        self._configuration = configuration
        self._factor = time_factor
        self._tokens = Tokens(configuration)
        self._broker = Broker(configuration, self._tokens)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._exchange = Exchange()
        self._poller = Poller(self._broker, self._events.put, time_factor=time_factor)
        self._dispatch = Dispatch(self._events.put, home=home, time_factor=time_factor)
        self._is_told_to_end = False
        self._closes_session = False
        self._forgets_registration = False

    def take_signals(self) -> None:
        """From here on SIGINT and SIGTERM end the listener in good order."""
        hear_signals(self._told)

    def _told(self, number: int) -> None:
        if number == signal.SIGINT:
            say("Exiting...")
        else:
            unload = threading.Timer(UNLOAD_SECONDS, lambda: os._exit(128 + signal.SIGTERM))
            unload.daemon = True
            unload.start()
        self._is_told_to_end = True
        self._events.put(_Shutdown())
        self._exchange.abort()

    def run(self) -> int:
        """The listener's exit code."""
        try:
            return self._listened()
        except (_Shutdown, AbortedError):
            return ReturnCode.SUCCESS
        except VersionDeprecatedError as error:
            complain(f"An error occurred: {error}")
            asked = is_yes(os.environ.get(DEPRECATED_EXIT_VARIABLE))
            return ReturnCode.VERSION_DEPRECATED if asked else ReturnCode.TERMINATED_ERROR
        except RunnerNotFoundError:
            complain("An error occurred: Runner not found")
            return ReturnCode.TERMINATED_ERROR
        except RunnerError as error:
            complain(f"An error occurred: {error}")
            return ReturnCode.RETRYABLE_ERROR

    def _listened(self) -> int:
        code = self._session_opened()
        if code is not None:
            return code
        say(f"Current runner version: '{RUNNER_VERSION}'")
        say(stamped("Listening for Jobs"))
        self._closes_session = True
        self._poller.start()
        try:
            self._until_the_end()
            if self._dispatch.relaunches():
                # What an exception after the job comes to: the front starts another listener, for nothing
                # (https://github.com/actions/runner/issues/3822).
                self._forgets_registration = False
                raise RunnerError("A task was canceled.")
        finally:
            self._dispatch.shut_down(self._events, SHUTDOWN if self._is_told_to_end else CANCEL)
            self._poller.stop()
            if self._closes_session:
                self._session_closed()
            if self._forgets_registration:
                succeed("Removed .credentials")
                succeed("Removed .runner")
        return ReturnCode.SUCCESS

    def _session_opened(self) -> int | None:
        """Opens a session, retrying what may pass. An exit code when it cannot be had."""
        owner = f"{socket.gethostname()} (PID: {os.getpid()})"
        instance = os.environ.get(INSTANCE_VARIABLE)
        conflicts = 0
        failing = False
        while True:
            try:
                self._tokens.current(self._exchange)
                say("")
                succeed("Connected to GitHub")
                say("")
                self._broker.open_session(self._exchange, owner=owner, instance=instance)
            except RegistrationGoneError:
                complain(_DELETED)
                return ReturnCode.TERMINATED_ERROR
            except SessionConflictError as error:
                if conflicts == 0:
                    complain(str(error))
                if conflicts == SESSION_CONFLICT_RETRIES:
                    complain(f"Failed to create session. {error}")
                    return ReturnCode.SESSION_CONFLICT
                conflicts += 1
            except (UnreachableError, SessionInvalidError) as error:
                if not failing:
                    complain(stamped(f"Runner connect error: {error}. Retrying until reconnected."))
                failing = True
            else:
                if failing:
                    say(stamped("Runner reconnected."))
                return None
            self._pause(SESSION_RETRY_SECONDS * self._factor)

    def _pause(self, seconds: float) -> None:
        """Waits; a shutdown ends the wait."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return
        if isinstance(event, _Shutdown):
            raise event

    def _until_the_end(self) -> None:
        misses = 0
        self._poller.ask()
        while True:
            event = self._events.get()
            if isinstance(event, _Shutdown):
                raise event
            if self._dispatch.takes(event):
                if self._dispatch.has_ended():
                    self._forgets_registration = True
                    return
                continue
            if isinstance(event, RunnerNotFoundError):
                complain("The runner no longer exists on the server. Cleaning up local configuration.")
                self._closes_session = False
                self._forgets_registration = True
                return
            if isinstance(event, SessionInvalidError):
                if self._session_opened() is not None:
                    raise UnreachableError("The session could not be opened again")
            elif isinstance(event, Exception):
                raise event
            elif not self._answered(event):
                misses += 1
                self._pause(_pause_after(misses) * self._factor)
            self._poller.ask()

    def _answered(self, message: dict[str, Any]) -> bool:
        """Acts on a message. False for a job that was gone before it could be picked up."""
        body = json.loads(message.get("body") or "{}")
        match message.get("messageType"):
            case kind if kind == JOB_MESSAGE:
                return self._dispatch.is_busy() or self._picked_up(body)
            case kind if kind == CANCEL_MESSAGE:
                self._dispatch.cancel(str(body.get("jobId")), timeout=str(body.get("timeout") or "00:05:00"))
            case kind:
                trace("RUNNER", f"Received message with unsupported message type {kind}.")
        return True

    def _picked_up(self, request: dict[str, Any]) -> bool:
        if request.get("should_acknowledge"):
            try:
                self._broker.acknowledge(self._exchange, str(request["runner_request_id"]), status="Online")
            except RunnerError as error:
                trace("RUNNER", f"Best-effort acknowledge failed: {error}")
        try:
            job = self._broker.acquire(self._exchange, request)
        except (JobGoneError, UnreachableError) as error:
            # The real runner, too, goes back to listening: the registration may be used up, and then it listens
            # for ever (https://github.com/actions/runner/issues/4617).
            trace("RUNNER", f"Skipping message Job. {error}")
            return False
        self._poller.set_status("Busy")
        self._dispatch.run(job)
        return True

    def _session_closed(self) -> None:
        try:
            self._broker.close_session(Exchange())
        except RunnerError as error:
            trace("RUNNER", f"Ignore any exception during DeleteSession for an ephemeral runner. {error}")


def _pause_after(misses: int) -> float:
    """Seconds to wait after a job could not be picked up: none the first time."""
    return 0.0 if misses == 1 else random.uniform(1.0, min(60.0, 2.0**misses))  # noqa: S311 - a wait, no secret


def save_files(configuration: JitConfiguration, home: str) -> None:
    """Writes `.runner` and the credentials into the runner's folder, where the real one keeps them too."""
    for name, content in configuration.files.items():
        if name != os.path.basename(name):
            raise BadConfigurationError("The JIT configuration names a file outside of the runner's folder.")
        with open(
            os.path.join(home, name), "xb", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as file:
            file.write(content)


def main(arguments: list[str]) -> int:
    """`Runner.Listener <home> run [--jitconfig CONFIGURATION]`; the exit code is a ReturnCode."""
    home, *rest = arguments
    encoded = os.environ.get(JIT_VARIABLE, "")
    if "--jitconfig" in rest[:-1]:
        encoded = rest[rest.index("--jitconfig") + 1]
    for name in [name for name in os.environ if name.upper().startswith(INPUT_PREFIX)]:
        del os.environ[name]  # so that neither worker nor steps inherit it
    held_back = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    try:
        if not encoded:
            raise BadConfigurationError("Runner is not configured.")
        configuration = JitConfiguration.decoded(encoded)
        factor = float(os.environ.get(TIME_FACTOR_VARIABLE) or 1)
        save_files(configuration, home)
        listener = Listener(configuration, home=home, time_factor=factor)
        listener.take_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held_back)
        return listener.run()
    except BadConfigurationError as error:
        complain(str(error))
        return ReturnCode.TERMINATED_ERROR
    finally:
        remove_home(home)  # here too: without the trap a signal can end the front process alone


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
