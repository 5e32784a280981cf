"""Prints a decision with its reasons, for people as tables and for programs as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from scaler.core.model import Decision, Seen
from scaler.core.sentences import sentences
from scaler.observability import cell_numbers


def plan_document(seen: Seen, decision: Decision, faults: Mapping[str, str]) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "at": seen.at,
        "demand_complete": seen.demand.complete,
        "pools": [asdict(picture) for picture in decision.pools],
        "cells": [cell_numbers(cell) for cell in seen.cells],
        "actions": [
            {
                "do": told.verb,
                "where": told.where,
                "how_many": told.how_many,
                "why": told.why,
                "sentence": told.sentence,
            }
            for told in sentences(seen, decision)
        ],
        "faults": dict(faults),
        "look_again_at": decision.look_again_at,
    }


def print_plan(seen: Seen, decision: Decision, faults: Mapping[str, str]) -> None:
    """The plan as tables on standard output."""
    # Texts of vendors stand in the cells: what looks like markup in them is not ours.
    console = Console(markup=False, emoji=False, highlight=False)
    pools = Table(
        "pool",
        "queued",
        "uncovered",
        "leased",
        "wanted",
        "requested",
        "observed",
        "min-max",
        "warm",
        "in force",
        title="Pools",
    )
    for picture in decision.pools:
        numbers = (
            picture.queued,
            picture.uncovered,
            picture.leased,
            picture.wanted,
            picture.requested,
            picture.observed,
            f"{picture.min}-{picture.max}",
            picture.warm,
            "paused" if picture.paused else f"schedule {picture.schedule}" if picture.schedule else "",
        )
        pools.add_row(picture.pool, *map(str, numbers))
    console.print(pools)
    cells = Table(
        "cell", "pool", "size", "state", "requested", "observed", "leased", "held for", "fault", title="Cells"
    )
    for cell in seen.cells:
        observed = "unknown" if cell.observed is None else str(cell.observed)
        cells.add_row(
            cell.name,
            cell.pool,
            str(cell.size),
            cell.state.value,
            str(cell.requested),
            observed,
            str(len(cell.leases)),
            cell.hold,
            cell.fault or "",
        )
    console.print(cells)
    told = sentences(seen, decision)
    if told:
        console.print("The next tick would:")
        for each in told:
            console.print(f"* {each.sentence}")
    else:
        console.print("The next tick would do nothing: every pool has what it wants.")
    for where, fault in faults.items():
        console.print(f"{where}: {fault}", style="yellow")
