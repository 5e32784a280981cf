"""The JSON that the stand-in GitHub writes, against GitHub's description, where no route leads to it easily."""

import hashlib
import hmac

import pytest

from emulator.github.accounts import Webhook
from emulator.github.jobs import JobEvent
from emulator.github.links import Links
from emulator.github.webhooks import webhook_headers
from emulator.github.wire_actions import workflow_job, workflow_job_event
from tests.emulator_github_world import FakeJob, PureWorld
from tests.github_schema import SchemaMismatchError, check_event, check_exchange

LINKS = Links("http://github.test")


def checked_events(github: PureWorld) -> list[JobEvent]:
    """All events so far; each fits the description of its webhook, and its job that of the REST API."""
    events = github.world.ledger.take_events()
    for event in events:
        payload = workflow_job_event(event, github.organization, LINKS)
        check_event(event.action, payload)
        job = workflow_job(event.job, event.run, LINKS)
        check_exchange("GET", "/repos/acme/widgets/actions/jobs/1", None, 200, job)
    return events


@pytest.mark.parametrize("conclusion", ["skipped", "cancelled", "failure"])
def test_a_job_that_ended_before_it_began_is_told_as_github_tells_it(conclusion: str) -> None:
    github = PureWorld(FakeJob(key="docs", labels=(), conclusion=conclusion, message="why"))
    github.push()
    [event] = checked_events(github)
    told = workflow_job(event.job, event.run, LINKS)
    assert (told["conclusion"], told["runner_id"], told["labels"]) == (conclusion, None, [])
    assert told["started_at"] == told["completed_at"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize("conclusion", ["success", "failure", "cancelled"])
def test_a_job_that_ran_is_told_as_github_tells_it(conclusion: str) -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    registration = github.listening()
    github.assign()
    github.now += 5
    job = github.acquire(registration)
    github.now += 7
    github.complete(job, conclusion)
    queued, begun, ended = (workflow_job(event.job, event.run, LINKS) for event in checked_events(github))
    assert queued["started_at"] == queued["created_at"]
    assert (begun["started_at"], begun["completed_at"]) == ("2027-01-15T08:00:05Z", None)
    assert (begun["runner_name"], begun["runner_group_name"]) == ("runner-1", "Default")
    assert (ended["completed_at"], ended["conclusion"]) == ("2027-01-15T08:00:12Z", conclusion)


def test_a_runner_is_not_shown_before_it_has_picked_its_job_up() -> None:
    github = PureWorld(FakeJob(key="build"))
    run = github.push()
    github.listening()
    github.assign()
    [job] = github.jobs(run)
    told = workflow_job(job, run, LINKS)
    assert (told["status"], told["runner_id"], told["runner_group_name"]) == ("queued", None, None)


def test_the_check_of_events_can_fail() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    [event] = github.world.ledger.take_events()
    payload = workflow_job_event(event, github.organization, LINKS)
    with pytest.raises(SchemaMismatchError, match="workflow_job"):
        check_event("queued", payload | {"workflow_job": payload["workflow_job"] | {"labels": None}})
    with pytest.raises(SchemaMismatchError, match="no webhook"):
        check_event("requested", payload)


def test_a_webhook_is_signed_over_its_very_bytes_or_not_at_all() -> None:
    signed = webhook_headers(Webhook(id=1, url="http://h/", secret="hush"), b"body", app_id=3, delivery="d")
    digest = hmac.new(b"hush", b"body", hashlib.sha256).hexdigest()
    assert signed["x-hub-signature-256"] == f"sha256={digest}"
    plain = webhook_headers(Webhook(id=1, url="http://h/", secret=None), b"body", app_id=3, delivery="d")
    assert "x-hub-signature-256" not in plain
