"""PURE: a history and the advice drawn from it, as JSON for programs. docs/reference/simulate.md names the keys."""

from __future__ import annotations

from collections.abc import Mapping

from runner_pool.capacity.history import History
from simulator.advice import Advice, Row
from simulator.report import Document, price_document, usd


def history_document(history: History) -> Document:
    """What was found and left out; moments are seconds since the epoch."""
    return {
        "since": round(history.since, 3),
        "until": round(history.until, 3),
        "jobs": {pool: len(trace) for pool, trace in history.traces.items()},
        "left_out": {reason.value: number for reason, number in history.left_out.items()},
        "unread": list(history.unread),
    }


def advice_documents(found: Mapping[str, Advice]) -> list[Document]:
    """One for each pool, with every choice that was tried, the best first."""
    return [
        {
            "pool": pool,
            "why": each.why,
            "rows": [_row(row) for row in each.rows],
            "waiting_usd_per_hour": float(each.waiting_usd_per_hour),
            **price_document(each.machine, each.price),
        }
        for pool, each in found.items()
    ]


def _row(row: Row) -> Document:
    return {
        "cells": row.choice.cells,
        "mix": row.choice.mix.name,
        "pattern": list(row.choice.mix.pattern),
        "warm": row.choice.warm,
        "wait_p50_s": round(row.wait_p50, 3),
        "wait_p95_s": round(row.wait_p95, 3),
        "waited_s": round(row.waited_seconds, 3),
        "paid_instance_s": round(row.instance_seconds, 3),
        "unfinished": row.unfinished,
        "instances_usd": usd(row.instances_usd),
        "waiting_usd": usd(row.waiting_usd),
        "total_usd": usd(row.total_usd),
    }
