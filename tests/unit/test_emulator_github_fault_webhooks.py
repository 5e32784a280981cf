"""The faults of the stand-in GitHub's webhooks: which are sent when, without a socket."""

from random import Random

import pytest

from emulator.github.accounts import Webhook
from emulator.github.faults import Fault
from emulator.github.foreign_events import LOGIN, foreign_event
from emulator.github.links import Links
from emulator.github.outbox import OVERTAKEN_SECONDS, Delivery, Kind, Outbox
from emulator.github.wire_actions import workflow_job_event
from tests.emulator_github_world import FakeJob, PureWorld
from tests.github_schema import check_event

HOOK = Webhook(id=1, url="http://127.0.0.1:9/hook", secret="hush")
USUAL_SECONDS = 2.0


class Told:
    """A world whose events go into an outbox."""

    def __init__(self, *faults: str) -> None:
        self.github = PureWorld(FakeJob(key="build"))
        self.github.switch_on(*faults)
        world = self.github.world
        self.outbox = Outbox(delays=world.delays, chance=Random(3), faults=world.faults)

    def event(self) -> None:
        """One event happens now."""
        self.github.push()
        [event] = self.github.world.ledger.take_events()
        self.outbox.put(event, HOOK, now=self.github.now)

    def due(self, seconds: float) -> list[Delivery]:
        """What is sent within so many seconds."""
        return self.outbox.take_due(now=self.github.now + seconds)


def test_without_faults_an_event_is_told_once_and_soon() -> None:
    told = Told()
    told.event()
    due = told.outbox.next_due()
    assert due is not None
    assert due <= told.github.now + USUAL_SECONDS
    [sent] = told.due(USUAL_SECONDS)
    assert (sent.kind, sent.webhook) == (Kind.OWN, HOOK)
    assert told.due(1e6) == []
    assert told.outbox.next_due() is None


def test_a_lost_webhook_is_never_sent_and_the_next_one_is() -> None:
    told = Told("webhook-lost=share=1,most=1")
    told.event()
    assert told.outbox.next_due() is None
    told.event()
    assert len(told.due(1e6)) == 1
    assert told.github.struck(Fault.WEBHOOK_LOST) == 1


def test_a_doubled_webhook_has_the_same_delivery_id_twice() -> None:
    told = Told("webhook-doubled=seconds=5,most=1")
    told.event()
    [first] = told.due(USUAL_SECONDS)
    [second] = told.due(USUAL_SECONDS + 5)
    assert second.at == first.at + 5
    assert (second.id, second.event) == (first.id, first.event)


def test_a_late_webhook_comes_so_much_later() -> None:
    told = Told("webhook-late=60")
    told.event()
    assert told.due(59.9) == []
    assert len(told.due(60 + USUAL_SECONDS)) == 1


def test_a_reordered_webhook_comes_after_the_next_one() -> None:
    told = Told("webhook-reordered=seconds=500,most=1")
    told.event()
    told.event()
    first, second = told.due(USUAL_SECONDS + OVERTAKEN_SECONDS)
    assert first.event.run.id > second.event.run.id
    assert second.at == pytest.approx(first.at + OVERTAKEN_SECONDS)


def test_a_reordered_webhook_that_nothing_follows_comes_at_last() -> None:
    told = Told("webhook-reordered=seconds=10")
    told.event()
    assert told.due(9.9) == []
    assert len(told.due(10 + USUAL_SECONDS)) == 1
    assert told.outbox.next_due() is None


@pytest.mark.parametrize(
    ("fault", "kind"), [("webhook-foreign", Kind.FOREIGN), ("webhook-forged", Kind.FORGED)]
)
def test_another_one_follows_under_its_own_delivery_id(fault: str, kind: Kind) -> None:
    told = Told(fault)
    told.event()
    sent = told.due(USUAL_SECONDS)
    assert {one.kind for one in sent} == {Kind.OWN, kind}
    assert len({one.id for one in sent}) == 2
    assert told.github.struck(Fault(fault)) == 1


def test_a_foreign_event_fits_githubs_description_and_names_nothing_of_ours() -> None:
    github = PureWorld(FakeJob(key="build"))
    github.push()
    [event] = github.world.ledger.take_events()
    links = Links("http://github.test")
    ours = workflow_job_event(event, github.organization, links)
    theirs = workflow_job_event(*foreign_event(event, github.organization), links)
    check_event("queued", theirs)
    assert theirs["repository"]["owner"]["login"] == theirs["organization"]["login"] == LOGIN
    for part in ("workflow_job", "repository", "organization", "installation"):
        assert theirs[part]["id"] != ours[part]["id"]
    assert "acme" not in theirs["repository"]["full_name"]
