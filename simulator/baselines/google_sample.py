"""PURE: the rule of Google's sample autoscaler for runners in a worker pool, a function behind a webhook.

As of 2026-04-20: https://github.com/GoogleCloudPlatform/cloud-run-samples/tree/main/github-runner (`autoscaler/main.py`). It
reads the count, decides, and writes a number without an etag: two calls that overlap lose an increment. It does not look at
labels, so a job for `ubuntu-latest` adds a runner, too. It never lowers the count but to zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What happened to a job (https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_job)."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`max_runners` is MAX_RUNNERS, five unless the deployment says otherwise."""

    max_runners: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A `workflow_job` event, as far as it is about scaling."""

    action: Action
    labels: frozenset[str] = field(default=frozenset())


def next_count(settings: Settings, webhook: Webhook, *, count: int, open_runs: int) -> int | None:
    """The count to write after a webhook, or None to write nothing.

    `count`: what the worker pool was configured with when the function asked. `open_runs`: how many runs of the repository are
    listed as queued or in progress; only asked for after a job's end, and only whether it is zero matters.
    """
    match webhook.action:
        case Action.QUEUED:
            return count + 1 if count < settings.max_runners else None
        case Action.COMPLETED:
            return 0 if open_runs == 0 else None
        case Action.IN_PROGRESS:
            return None
