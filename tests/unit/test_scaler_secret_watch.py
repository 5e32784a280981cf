"""A secret behind a reference: when it is read again, when not, and what a fault of that changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from github_api.secret import Secret
from scaler.errors import SecretUnreadable
from scaler.secret_watch import AGAIN_SECONDS, SecretWatch
from scaler.secrets import SecretReference
from tests.scaler_parts import Clock

LATEST = "secretmanager:projects/p/secrets/s/versions/latest"


class Place:
    """Where the secret stands."""

    def __init__(self, reference: str = LATEST) -> None:
        self.value = "one"
        self.reads = 0
        self.fails: SecretUnreadable | None = None
        self.told: list[str] = []
        self.clock = Clock()
        self.watch = SecretWatch(
            SecretReference.parsed(reference),
            read=self._read,
            told=lambda error: self.told.append(error.what),
            clock=self.clock,
        )

    def _read(self) -> Secret:
        self.reads += 1
        if self.fails is not None:
            raise self.fails
        return Secret(self.value)

    async def later(self, seconds: float = AGAIN_SECONDS) -> str:
        self.clock.now += seconds
        return (await self.watch.look_again()).reveal()


@pytest.mark.parametrize(
    ("reference", "may_change"),
    [
        (LATEST, True),
        ("secretmanager:projects/p/secrets/s", True),
        ("secretmanager:projects/p/secrets/s/versions/current", True),
        ("secretmanager:projects/p/secrets/s/versions/3", False),
        ("file:/run/secrets/s", True),
        ("env:NAME", False),
    ],
)
async def test_a_pinned_version_stays_pinned_and_everything_else_is_read_again(
    reference: str, may_change: bool
) -> None:
    place = Place(reference)
    place.value = "two"
    assert await place.later() == ("two" if may_change else "one")
    assert place.reads == 1 + may_change


async def test_however_many_ask_it_is_read_no_more_often_than_every_ten_seconds() -> None:
    """A stranger's wrong signatures are a reason to read again; they must not make us read at their pace."""
    place = Place()
    place.value = "two"
    for _ in range(19):
        assert await place.later(0.5) == ("two" if place.reads > 1 else "one")
    assert place.reads == 1
    assert await place.later(AGAIN_SECONDS) == "two"
    asked = await asyncio.gather(*(place.watch.look_again() for _ in range(50)))
    assert {secret.reveal() for secret in asked} == {"two"}
    assert place.reads == 2


async def test_many_who_ask_while_it_is_being_read_hear_of_that_reading() -> None:
    place = Place()
    place.value = "two"
    place.clock.now += AGAIN_SECONDS
    asked = await asyncio.gather(*(place.watch.look_again() for _ in range(20)))
    assert {secret.reveal() for secret in asked} == {"two"}
    assert place.reads == 2


async def test_what_cannot_be_read_again_stays_and_is_told_once_by_its_reference() -> None:
    place = Place()
    place.fails = SecretUnreadable(f"The secret at {LATEST} cannot be read (Forbidden)", remedy="Grant it.")
    for _ in range(3):
        assert await place.later() == "one"
    assert place.told == [f"The secret at {LATEST} cannot be read (Forbidden)"]
    assert place.reads == 4
    place.fails, place.value = None, "two"
    assert await place.later() == "two"
    place.fails = SecretUnreadable("again", remedy="")
    await place.later()
    assert place.told[1:] == ["again"]


def test_what_cannot_be_read_at_the_start_ends_the_start(tmp_path: Path) -> None:
    def read() -> Secret:
        raise SecretUnreadable("no", remedy="yes")

    with pytest.raises(SecretUnreadable):
        SecretWatch(SecretReference.parsed(LATEST), read=read, told=lambda _: None, clock=Clock())


def test_a_watch_does_not_show_its_secret() -> None:
    place = Place()
    assert "one" not in repr(place.watch) + str(place.watch.reference)
