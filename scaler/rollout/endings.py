"""PURE: the error that a verb ends with when its last round was not a good one: what happened, the likely cause, the way out."""

from __future__ import annotations

from scaler.errors import CanaryFailed, CellsLeft, Rejected, ScalerError
from scaler.rollout.rounds import End, Round


def error_of(last: Round, *, hold: str, how_back: str) -> ScalerError | None:
    """None when every cell is as wished. `hold`: the verb's word; `how_back`: the command that undoes it."""
    left = "; ".join(f"{cell}: {why}" for cell, why in sorted(last.left.items()))
    as_wished = f"{len(last.as_wished)} of {last.total} cells are as wished"
    match last.end:
        case End.FAILED:
            return CanaryFailed(
                f"The new template has failed: {last.words}. That cell is held for {hold}; no other was changed after it.",
                remedy=f"To go back: {how_back}",
            )
        case End.RIVAL:
            return CellsLeft(
                f"Another hand changes the same cells to something else: {left}. {as_wished}, and nothing more is changed.",
                remedy="Let the other command end, then run this again. One that was killed leaves such a hold too: "
                "say --take-over, and an older command that still runs ends instead.",
            )
        case End.UNKEPT:
            return Rejected(
                f"Cloud Run took the change and shows something else: cell {last.words}. It was not written again, and cells "
                "that were held serve again.",
                remedy="Cloud Run keeps that value in another form, or another hand has written the worker pool since: look with "
                "`gcloud beta run worker-pools describe`, and ask for the value in the form that stands there.",
            )
        case End.LEFT:
            return CellsLeft(
                f"{as_wished}. Left as they are: {left}",
                remedy="End the other hold (`runner-pool resume --hold …`, or the verb itself once more), then run this again.",
            )
        case _:
            return None
