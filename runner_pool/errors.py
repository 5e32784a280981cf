"""The errors of the command itself: what happened, the probable cause, the remedy, and an exit code each.

    CommandError
    ├── UsageError        2   an argument cannot be honoured as given
    ├── WorldError        20  a program of the demo did not start, or ended before its time
    ├── WorkflowError     21  a workflow file cannot be shown, and so is not run
    ├── SourceError       22  the source folder cannot be copied
    ├── AccountError      23  no unprivileged account can run the steps
    ├── UnfinishedError   24  the demo's time was over before the last job ended
    └── HistoryError      25  GitHub's history could not be read, or holds no job for a pool

Exit code 1 is kept for a demo that ran to its end and did not keep its promise; 130 for Ctrl-C. The
codes of the scaler are in docs/reference/exit_codes.md. I know none of the other parts.
"""


class CommandError(Exception):
    """One fatal error of the command, in three parts for people.

    `what` happened, its probable `cause`, and the `remedy`. None of them may hold a secret.
    """

    exit_code = 1

    def __init__(self, what: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.remedy = remedy


class UsageError(CommandError):
    """An argument cannot be honoured as given."""

    exit_code = 2


class WorldError(CommandError):
    """A program of the demo did not start, or ended before its time."""

    exit_code = 20


class WorkflowError(CommandError):
    """A workflow file cannot be shown, and so is not run."""

    exit_code = 21


class SourceError(CommandError):
    """The source folder cannot be copied."""

    exit_code = 22


class AccountError(CommandError):
    """No unprivileged account can run the steps."""

    exit_code = 23


class UnfinishedError(CommandError):
    """The demo's time was over before the last job ended."""

    exit_code = 24


class HistoryError(CommandError):
    """GitHub's history could not be read, or holds no job for a pool."""

    exit_code = 25
