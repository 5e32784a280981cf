"""Everything that can go wrong in the scaler, and the exit code of each fatal kind.

    ScalerError                     exit code
    ├── ConfigError                 2   the configuration file cannot be used
    ├── SecretUnreadable            3   a secret reference leads nowhere
    ├── GitHubRefused               4   GitHub refuses the App: key, installation or permission
    ├── RecordsUnusable             5   the store of records cannot be opened or written
    ├── AddressUnusable             6   the service cannot listen where it should
    ├── PromiseBroken               7   a decision would break an invariant (`plan --check`, or our fault)
    ├── LoopBroken                  8   the reconciling loop itself failed, not one thing in it
    ├── CellsLeft                   13  cells are held for something else or at fault; all others are as wished
    ├── CanaryFailed                14  a new template has failed in its first cell; that cell is held
    ├── CanaryUntried               15  no job has come to the canary in time
    ├── ChangeUnfinished            16  the time was over before all cells were as wished
    └── CloudRunError               9   Cloud Run could not be used at all
        ├── Conflict                    409: the worker pool has changed since it was read. Read again
        ├── Throttled                   429: too many calls. Later
        ├── CapacityRefused             the CPU or memory quota refuses more instances. Later
        ├── NotFound               10   404: project, region or worker pool
        ├── PermissionDenied       11   401, 403: the scaler's account may not do this
        ├── Rejected               12   400: the request does not fit
        └── Unavailable                 no answer or 5xx: whether it had an effect is unknown

70 is everything unexpected. GitHub's own errors stand in `github_api.errors`, those of records in
`cell_records.errors`; at the start the program turns them into GitHubRefused and RecordsUnusable.
docs/reference/exit_codes.md is held against this file by a test.
"""

from typing import ClassVar


class ScalerError(Exception):
    """What happened; the remedy follows on its own line. `exit_code` is the program's when this ends it."""

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, remedy: str = "") -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class ConfigError(ScalerError):
    """The configuration file is missing, unreadable or wrong; lists every problem found."""

    exit_code = 2


class SecretUnreadable(ScalerError):
    """A secret reference cannot be resolved. Names the reference, never a value."""

    exit_code = 3


class GitHubRefused(ScalerError):
    """GitHub does not accept the App."""

    exit_code = 4


class RecordsUnusable(ScalerError):
    """The records cannot be read or written at all."""

    exit_code = 5


class AddressUnusable(ScalerError):
    """The address or port to listen on is taken or forbidden."""

    exit_code = 6


class PromiseBroken(ScalerError):
    """A decision breaks what must always hold; nothing of it was carried out."""

    exit_code = 7


class LoopBroken(ScalerError):
    """The loop cannot go on; a restart is the remedy, since all that matters is in the records."""

    exit_code = 8


class CellsLeft(ScalerError):
    """Some cells could not be taken: each is named with what is in the way."""

    exit_code = 13


class CanaryFailed(ScalerError):
    """A new template has failed; its cell is held, and no other cell was changed after it."""

    exit_code = 14


class CanaryUntried(ScalerError):
    """No job has shown whether the new template works; the canary goes on being served first."""

    exit_code = 15


class ChangeUnfinished(ScalerError):
    """The time was over; what was done stays, and the same command goes on where it was."""

    exit_code = 16


class CloudRunError(ScalerError):
    """A call to Cloud Run failed. `status` is the HTTP status, None when no answer came."""

    exit_code = 9
    may_retry: ClassVar[bool] = False

    def __init__(self, what: str, *, status: int | None = None, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.status = status


class Conflict(CloudRunError):
    """The etag was stale: somebody wrote in between. Read again, then decide again."""

    may_retry = True


class Throttled(CloudRunError):
    """The write or read quota is used up."""

    may_retry = True


class CapacityRefused(CloudRunError):
    """The region's quota or capacity does not allow that many instances."""

    may_retry = True


class NotFound(CloudRunError):
    """No such project, region, worker pool or operation."""

    exit_code = 10


class PermissionDenied(CloudRunError):
    """The account lacks run.workerpools.get, .list or .update, or has no credentials."""

    exit_code = 11


class Rejected(CloudRunError):
    """Cloud Run finds the request wrong."""

    exit_code = 12


class Unavailable(CloudRunError):
    """No usable answer; a write may have been done, may be done later, or never."""

    may_retry = True
