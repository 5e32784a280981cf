"""What the world may rely on: versions, exit codes, words. Pure names; nothing here acts.

Facts: src/Runner.Common/Constants.cs and src/Runner.Common/Util/TaskResultUtil.cs of
https://github.com/actions/runner, measured on the scripts of version 2.336.
"""

import enum

RUNNER_VERSION = "2.337.0"
JIT_VARIABLE = "ACTIONS_RUNNER_INPUT_JITCONFIG"
INPUT_PREFIX = "ACTIONS_RUNNER_INPUT_"  # the listener takes all of these out of its environment
TRAP_VARIABLE = "RUNNER_MANUALLY_TRAP_SIG"
ROOT_VARIABLE = "RUNNER_ALLOW_RUNASROOT"
DEPRECATED_EXIT_VARIABLE = "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE"
PRINT_LOG_VARIABLE = "ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT"

# The stand-in's own:
INSTANCE_VARIABLE = (
    "EMULATOR_INSTANCE"  # which stand-in cloud instance this is; sent when a session is opened
)
INSTANCE_HEADER = "X-Emulator-Instance"
TIME_FACTOR_VARIABLE = "EMULATOR_TIME_FACTOR"  # scales waits between retries; never a step or a kill


class ReturnCode(enum.IntEnum):
    """How a listener ends."""

    SUCCESS = 0
    TERMINATED_ERROR = 1
    RETRYABLE_ERROR = 2
    RUNNER_UPDATING = 3
    RUN_ONCE_RUNNER_UPDATING = 4
    SESSION_CONFLICT = 5
    VERSION_DEPRECATED = 7


class TaskResult(enum.IntEnum):
    """How a job or step ends; a worker exits with 100 more than the number."""

    SUCCEEDED = 0
    FAILED = 2
    CANCELED = 3
    SKIPPED = 4
    ABANDONED = 5

    @property
    def word(self) -> str:
        """As printed: `Succeeded`."""
        return self.name.capitalize()

    @property
    def wire(self) -> str:
        """As sent: `succeeded`."""
        return self.name.lower()

    @property
    def status(self) -> str:
        """As expressions see it: `success`."""
        return _STATUS[self]

    @property
    def exit_code(self) -> int:
        """The worker's exit code."""
        return 100 + self


_STATUS = {
    TaskResult.SUCCEEDED: "success",
    TaskResult.FAILED: "failure",
    TaskResult.CANCELED: "cancelled",
    TaskResult.SKIPPED: "skipped",
    TaskResult.ABANDONED: "failure",
}


def says_result(code: int) -> bool:
    """Whether a worker's exit code says how the job ended (TaskResultUtil.IsValidReturnCode)."""
    return code - 100 in set(TaskResult)


def result_of_exit_code(code: int) -> TaskResult:
    """What a worker's exit code says; anything unknown (a crash, a kill) is a failure."""
    try:
        return TaskResult(code - 100)
    except ValueError:
        return TaskResult.FAILED


def is_yes(value: str | None) -> bool:
    """How the runner reads a switch in an environment variable."""
    return (value or "").strip().lower() in {"1", "true", "$true"}


# From the listener to the worker, one JSON object a line: {"type": …, "body": …}.
NEW_JOB = "NewJobRequest"
CANCEL = "CancelRequest"
SHUTDOWN = "RunnerShutdown"
