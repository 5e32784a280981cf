"""Answers to one caller of the service that refuse something. None of them ends the program.

Refusal (a ScalerError)
├── BadIdentity          401 bad_identity
├── BadSecret            403 bad_secret
├── CallerForbidden      403 caller_forbidden
├── UnknownCell          404 unknown_cell
├── LeaseRefused         409 gate_closed, no_room, stale_ask, …
├── BootRetired          410 boot_retired
├── UnknownLease         410 unknown_lease
├── BodyTooSlow          408 too_slow
├── BodyTooLarge         413 too_large
├── BadRequest           422 bad_request
├── RecordMissing        503 unavailable
├── CellFaulty           503 unavailable
├── RegistrationsPaused  503 unavailable
└── NotReady             503 unavailable
"""

from typing import ClassVar

from cell_records import record
from scaler.errors import ScalerError


class Refusal(ScalerError):
    """`status` and `code` go over the wire; a 503 says after how many seconds to ask again."""

    status: ClassVar[int] = 500
    code: str = "refused"
    retry_after_seconds: ClassVar[int | None] = None


class BadIdentity(Refusal):
    """The identity token does not show that the caller is an instance of the cell."""

    status = 401
    code = "bad_identity"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The identity token was not accepted: {cause}.",
            remedy="Ask the metadata server for a new token whose audience is this scaler's URL (service.url), "
            "with the service account of the cell.",
        )


class BadSecret(Refusal):
    """The caller does not know the cell's secret."""

    status = 403
    code = "bad_secret"

    def __init__(self, cell: str) -> None:
        super().__init__(
            f"The header X-Cell-Secret does not hold the secret of cell {cell!r}.",
            remedy="The secret is RUNNER_POOL_CELL_SECRET in the template of the worker pool; a workflow step cannot read it.",
        )


class CallerForbidden(Refusal):
    """The caller is known, but not among those who may do this."""

    status = 403
    code = "caller_forbidden"

    def __init__(self, email: str) -> None:
        super().__init__(
            f"{email!r} may not call this.", remedy="Add the account to service.callers in the configuration."
        )


class UnknownCell(Refusal):
    """No cell of this deployment has that name."""

    status = 404
    code = "unknown_cell"

    def __init__(self, cell: str) -> None:
        super().__init__(
            f"This deployment has no cell {cell[:64]!r}.",
            remedy="A worker pool is a cell when its labels runner-pool-deployment, runner-pool-pool and runner-pool-size "
            "say so; a new one is seen within seconds.",
        )


class LeaseRefused(Refusal):
    """No lease now; the instance parks again."""

    status = 409

    def __init__(self, *, cell: str, reason: record.Refusal) -> None:
        self.code = reason.value
        super().__init__(
            f"Cell {cell!r} gives no lease now: {reason.value.replace('_', ' ')}.",
            remedy="Drop this ask and park again.",
        )


class BootRetired(Refusal):
    """This boot has had its lease, or was born before the cell's last zero."""

    status = 410
    code = "boot_retired"

    def __init__(self, *, cell: str) -> None:
        super().__init__(
            f"This boot will never get a lease in cell {cell!r}: it has had one, or it is older than the cell's last zero.",
            remedy="Leave; a fresh container takes the place if the cell is open.",
        )


class UnknownLease(Refusal):
    """The lease does not stand in the record, or belongs to another boot."""

    status = 410
    code = "unknown_lease"

    def __init__(self, *, lease: str) -> None:
        super().__init__(
            f"No lease {lease[:32]!r} of this boot stands in the record.",
            remedy="Carry on with a live runner; leave once it has ended.",
        )


class BodyTooLarge(Refusal):
    """The request's body is larger than anything honest."""

    status = 413
    code = "too_large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"The request body is larger than {most_bytes} bytes.",
            remedy="Nothing was read; send the documented body.",
        )


class BodyTooSlow(Refusal):
    """The request's body did not come in time."""

    status = 408
    code = "too_slow"

    def __init__(self, within_seconds: float) -> None:
        super().__init__(
            f"The request body was not complete within {within_seconds:g} seconds.",
            remedy="Nothing was done; send it again, in one piece.",
        )


class BadRequest(Refusal):
    """The request does not fit its description."""

    status = 422
    code = "bad_request"

    def __init__(self, what: str) -> None:
        super().__init__(what, remedy="See docs/reference/lease_protocol.md for the documented body.")


class _Unavailable(Refusal):
    status = 503
    code = "unavailable"
    retry_after_seconds = 5


class RecordMissing(_Unavailable):
    """The cell's record is missing, foreign or unreadable: unknown is not empty."""

    def __init__(self, *, cell: str) -> None:
        super().__init__(
            f"The record of cell {cell!r} is missing or not this deployment's, so nothing is started in it.",
            remedy="`runner-pool plan` says which; a cell without a record gets one once its count is 0 and settled.",
        )


class CellFaulty(_Unavailable):
    """Something about the worker pool itself forbids to start anything in it."""

    def __init__(self, *, cell: str, fault: str) -> None:
        super().__init__(
            f"Nothing is started in cell {cell!r}: {fault}.",
            remedy="Correct the worker pool while its count is 0; `runner-pool plan` lists every cell at fault.",
        )


class RegistrationsPaused(_Unavailable):
    """GitHub's registration budget of this minute is used up."""

    def __init__(self, *, per_minute: int) -> None:
        super().__init__(
            f"{per_minute} registrations were made within the last minute, which is the configured limit.",
            remedy="It goes on by itself; github.registrations_per_minute sets the limit.",
        )


class NotReady(_Unavailable):
    """Something this answer needs has not been reached yet."""

    def __init__(self, what: str) -> None:
        super().__init__(what, remedy="It is tried again by itself; /status says more.")
