"""Deliveries while the webhook's secret is replaced: whichever of GitHub and our reference is changed first, none is refused."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from github_api.errors import PayloadUnreadable, SignatureMissing, SignatureWrong
from github_api.secret import Secret
from scaler.webhook_secrets import OLDER_GOOD_SECONDS, WebhookSecrets
from tests.scaler_parts import Clock

BODY = json.dumps({"zen": "Keep it logically awesome."}).encode()


class Door:
    """A webhook whose secret stands somewhere."""

    def __init__(self) -> None:
        self.stands_there = "one"
        self.looks = 0
        self.clock = Clock()
        self.changes = 0
        self.secrets = WebhookSecrets(
            Secret("one"), look_again=self._look_again, told=self._changed, clock=self.clock
        )

    async def _look_again(self) -> Secret:
        self.looks += 1
        return Secret(self.stands_there)

    def _changed(self) -> None:
        self.changes += 1

    async def takes(self, secret: str) -> bool:
        """Whether a delivery that is signed with it is believed."""
        signature = "sha256=" + hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
        try:
            event = await self.secrets.event(body=BODY, signature=signature, event="ping", delivery="1")
        except SignatureWrong:
            return False
        return event.event == "ping"


async def test_a_right_signature_is_no_reason_to_look_again() -> None:
    door = Door()
    assert await door.takes("one")
    assert door.looks == 0


async def test_github_first_the_first_delivery_with_the_new_secret_makes_us_read_it() -> None:
    door = Door()
    door.stands_there = "two"
    assert [await door.takes(each) for each in ("two", "one", "two")] == [True, True, True]
    assert door.looks == 1


async def test_our_reference_first_the_older_secret_is_good_until_github_has_changed_and_an_hour_longer() -> (
    None
):
    door = Door()
    door.stands_there = "two"
    await door.secrets.refresh()
    door.clock.now += 90 * 24 * 3600.0
    assert await door.takes("one"), "GitHub has not been told yet"
    assert await door.takes("two")
    door.clock.now += OLDER_GOOD_SECONDS - 1
    assert await door.takes("one")
    assert await door.takes("two")
    door.clock.now += 1
    assert not await door.takes("one"), "the hour counts from the first delivery with the new one"
    assert await door.takes("two")


async def test_of_three_secrets_the_first_is_good_no_longer() -> None:
    door = Door()
    for each in ("two", "three"):
        door.stands_there = each
        await door.secrets.refresh()
    assert [await door.takes(each) for each in ("one", "two", "three")] == [False, True, True]


async def test_a_secret_that_stays_leaves_the_older_one_as_it_is() -> None:
    door = Door()
    door.stands_there = "two"
    await door.secrets.refresh()
    await door.secrets.refresh()
    assert door.changes == 1
    assert await door.takes("one")


async def test_a_wrong_signature_is_refused_after_one_look() -> None:
    door = Door()
    assert not await door.takes("guess")
    assert door.looks == 1


@pytest.mark.parametrize(
    ("signature", "body", "error"),
    [
        (None, BODY, SignatureMissing),
        ("sha256=" + hmac.new(b"one", b"{", hashlib.sha256).hexdigest(), b"{", PayloadUnreadable),
    ],
)
async def test_what_no_secret_can_mend_is_refused_without_a_look(
    signature: str | None, body: bytes, error: type[Exception]
) -> None:
    door = Door()
    with pytest.raises(error):
        await door.secrets.event(body=body, signature=signature, event="ping", delivery="1")
    assert door.looks == 0
