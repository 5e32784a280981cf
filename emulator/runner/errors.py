"""The one tree of errors of the stand-in runner; each answers what the listener does about it.

RunnerError
├── BadConfigurationError    the JIT configuration cannot be read: code 1
├── BadFaultsError           the job asks for a fault that nobody knows: the worker says so, and the job fails
├── UnreachableError         no reply, or not one to act on: try again later
├── AbortedError             we gave up a request ourselves
├── RegistrationGoneError    the token endpoint knows no such client: code 1
├── RunnerNotFoundError      the broker knows no such runner: clean up, code 0 (1 before listening)
├── VersionDeprecatedError   the broker refuses this version: code 7 or 1
├── SessionConflictError     another session of this runner lives: retry, then code 5
├── SessionInvalidError      our session has ended: open another
└── JobGoneError             the job cannot be had, or is no longer ours
"""


class RunnerError(Exception):
    """Anything the runner has words for. Never holds a token, key or configuration."""


class BadConfigurationError(RunnerError):
    """The JIT configuration is missing a part or is not in the format of generate-jitconfig."""


class BadFaultsError(RunnerError):
    """The job's faults are unknown, or not in the form that `faults` reads."""


class UnreachableError(RunnerError):
    """No reply, or a status that says nothing about us."""


class AbortedError(RunnerError):
    """The request was given up from this side."""


class RegistrationGoneError(RunnerError):
    """OAuth `invalid_client`."""


class RunnerNotFoundError(RunnerError):
    """The broker's `RunnerNotFound`."""


class VersionDeprecatedError(RunnerError):
    """The broker's `RunnerVersionTooOld`."""


class SessionConflictError(RunnerError):
    """409 when a session is opened."""


class SessionInvalidError(RunnerError):
    """The broker's `RunnerSessionInvalid`."""


class JobGoneError(RunnerError):
    """404, 409 or 422 of the run service."""
