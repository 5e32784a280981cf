"""Deliveries: only a right signature opens them, and nothing in them is taken on trust."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from github_api.errors import PayloadUnreadable, SignatureMissing, SignatureWrong, WebhookRefused
from github_api.secret import Secret
from github_api.values import JobStatus
from github_api.webhook import WebhookEvent, verified_event

SECRET = Secret("It's a Secret to Everybody")


def signed(body: bytes, secret: Secret = SECRET) -> str:
    return "sha256=" + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "action": "queued",
        "workflow_job": {"id": 9, "run_id": 7, "status": "queued", "labels": ["Linux"], "runner_id": None},
        "repository": {"full_name": "acme/widgets", "private": True},
        **changes,
    }


def opened(document: object, *, event: str | None = "workflow_job") -> WebhookEvent:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return verified_event(body=body, signature=signed(body), secret=SECRET, event=event, delivery="d-1")


def test_the_signature_is_githubs() -> None:
    """The example of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    with pytest.raises(PayloadUnreadable):  # rightly signed, but "Hello, World!" is no JSON
        verified_event(body=b"Hello, World!", signature=signature, secret=SECRET, event="ping", delivery=None)


def test_a_workflow_job_event_is_read() -> None:
    event = opened(payload())
    assert (event.event, event.delivery, event.action) == ("workflow_job", "d-1", "queued")
    assert (event.repository, event.private) == ("acme/widgets", True)
    assert event.job is not None
    assert (event.job.id, event.job.run_id, event.job.status) == (9, 7, JobStatus.QUEUED)
    assert event.job.labels == {"linux"}
    assert event.job.runner_id is None


@pytest.mark.parametrize(("runner_id", "read"), [(0, None), (12, 12)])
def test_nobody_yet_may_be_written_as_zero(runner_id: int, read: int | None) -> None:
    job = {**payload()["workflow_job"], "runner_id": runner_id}
    found = opened(payload(workflow_job=job)).job
    assert found is not None
    assert found.runner_id == read


def test_a_status_of_tomorrow_is_not_demand_and_no_error() -> None:
    job = {**payload()["workflow_job"], "status": "levitating"}
    found = opened(payload(workflow_job=job)).job
    assert found is not None
    assert found.status is JobStatus.OTHER


def test_another_event_has_no_job() -> None:
    event = opened({"zen": "Keep it logically awesome."}, event="ping")
    assert (event.job, event.repository, event.action) == (None, None, None)


@pytest.mark.parametrize("signature", [None, ""])
def test_a_delivery_without_signature_is_refused(signature: str | None) -> None:
    with pytest.raises(SignatureMissing):
        verified_event(body=b"{}", signature=signature, secret=SECRET, event="ping", delivery=None)


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + "0" * 64,
        "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        signed(b"{}", Secret("another")),
        signed(b"{ }"),
        signed(b"{}").removeprefix("sha256="),
        "sha256=ü\udcff",
    ],
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureWrong, match="Compare the webhook's secret"):
        verified_event(body=b"{}", signature=signature, secret=SECRET, event="ping", delivery=None)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\xfe",
        b"[" * 300_000,
        b'{"action": ' + b"9" * 5000 + b"}",
        [],
        None,
        {},
        payload(action=None),
        payload(workflow_job=None),
        payload(workflow_job=[]),
        payload(workflow_job={}),
        payload(workflow_job={**payload()["workflow_job"], "id": True}),
        payload(workflow_job={**payload()["workflow_job"], "labels": "linux"}),
        payload(workflow_job={**payload()["workflow_job"], "labels": [1]}),
        payload(repository=None),
        payload(repository={"full_name": "acme/widgets", "private": "yes"}),
    ],
)
def test_a_payload_of_another_shape_is_refused_without_a_crash(document: object) -> None:
    with pytest.raises(PayloadUnreadable):
        opened(document)


def test_an_event_without_a_name_is_refused() -> None:
    with pytest.raises(WebhookRefused, match="X-GitHub-Event"):
        opened(payload(), event=None)
