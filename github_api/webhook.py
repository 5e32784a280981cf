"""A webhook delivery: is it GitHub's, and what does it say? PURE: bytes and headers in, a value or
WebhookRefused out.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. Deliveries get lost,
repeated and reordered: an event is a reason to look, never a count. Who receives them over HTTP bounds the
size (GitHub sends 25 MB at most).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from github_api.errors import PayloadUnreadable, SignatureMissing, SignatureWrong
from github_api.secret import Secret
from github_api.shape import (
    WrongShape,
    an_object,
    flag,
    id_or_none,
    inner_object,
    parsed,
    text,
    text_or_none,
    texts,
    whole,
)
from github_api.values import JobStatus

_PREFIX = "sha256="

# `owner/name`; both are ASCII and short: https://docs.github.com/en/rest/repos/repos#create-an-organization-repository
# The name stands in paths of the API, where `.` and `..` would lead elsewhere.
_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.-]{1,100}"
_FULL_NAME = re.compile(f"{_NAME}/{_NAME}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookJob:
    """The job of a `workflow_job` event, as it was when the event was made. `labels` are lower-case."""

    id: int
    run_id: int
    status: JobStatus
    labels: frozenset[str]
    runner_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A trusted delivery. `job` is None for every event but `workflow_job`; `repository` is `owner/name`.

    `delivery` is the same for a redelivery, so it is good for telling repeats apart in a log.
    """

    event: str
    delivery: str | None
    action: str | None
    repository: str | None
    private: bool | None
    job: WebhookJob | None


def verified_event(
    *, body: bytes, signature: str | None, secret: Secret, event: str | None, delivery: str | None
) -> WebhookEvent:
    """The event in `body`, once `signature` (X-Hub-Signature-256) fits it.

    `event` and `delivery` are the headers X-GitHub-Event and X-GitHub-Delivery. Raises SignatureMissing,
    SignatureWrong or PayloadUnreadable; nothing in the body is looked at before the signature was found
    right.
    """
    if not signature:
        raise SignatureMissing("The delivery has no X-Hub-Signature-256")
    expected = _PREFIX + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
    # As bytes: compare_digest refuses texts with other than ASCII characters, which an attacker may send.
    if not hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "surrogateescape")):
        raise SignatureWrong("The delivery's signature does not fit its body and the webhook's secret")
    if not event:
        raise PayloadUnreadable("The delivery has no X-GitHub-Event")
    try:
        return _event(an_object(parsed(body), "the payload"), event=event, delivery=delivery)
    except WrongShape as error:
        raise PayloadUnreadable(f"The {event[:40]} delivery was not understood: {error}") from error


def _event(payload: Mapping[str, Any], *, event: str, delivery: str | None) -> WebhookEvent:
    about_a_job = event == "workflow_job"
    repository = inner_object(payload, "repository") if about_a_job or payload.get("repository") else None
    return WebhookEvent(
        event=event,
        delivery=delivery,
        action=text(payload, "action") if about_a_job else text_or_none(payload, "action"),
        repository=_full_name(repository) if repository else None,
        private=flag(repository, "private") if repository else None,
        job=_job(inner_object(payload, "workflow_job")) if about_a_job else None,
    )


def _full_name(repository: Mapping[str, Any]) -> str:
    """Whoever receives this puts it into an answer and a path, so it must be the name of a repository and no other text."""
    name = text(repository, "full_name")
    if not _FULL_NAME.fullmatch(name):
        raise WrongShape("full_name should be owner/name")
    return name


def _job(data: Mapping[str, Any]) -> WebhookJob:
    return WebhookJob(
        id=whole(data, "id"),
        run_id=whole(data, "run_id"),
        status=JobStatus(text(data, "status")),
        labels=frozenset(label.lower() for label in texts(data, "labels")),
        runner_id=id_or_none(data, "runner_id"),
    )
