"""Anything may answer in Secret Manager's place: a reading fails by its reference, and a scaler goes on with what it has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from github_api.secret import Secret
from scaler.errors import SecretUnreadable
from scaler.secret_watch import AGAIN_SECONDS, SecretWatch
from scaler.secrets import SecretReference, resolve, secret_manager_reader
from tests.issuer import Issuer
from tests.scaler_parts import Clock

REFERENCE = SecretReference.parsed("secretmanager:projects/p/secrets/s/versions/latest")
GOOD = b'{"name": "projects/1/secrets/s/versions/1", "payload": {"data": "b25l"}}'
BROKEN = [
    b"<html>busy</html>",
    b"[]",
    b"",
    b"\xff\xfe",
    b'{"payload": 3}',
    b'{"name": 5}',
    b'{"payload": {"data": ""}}',
]


@pytest.fixture
def server() -> Iterator[Issuer]:
    """Any server that answers as it is told."""
    with Issuer() as running:
        running.answer = lambda handler: handler.reply(GOOD, {"Content-Type": "application/json"})
        yield running


def read_from(server: Issuer) -> Secret:
    reader = secret_manager_reader(
        endpoint=server.url.removesuffix("/certs"), anonymous=True, timeout_seconds=2, tries_again=False
    )
    return resolve(REFERENCE, {}, reader)


@pytest.mark.parametrize("body", BROKEN)
def test_a_reply_that_is_none_is_told_with_the_reference(server: Issuer, body: bytes) -> None:
    server.answer = lambda handler: handler.reply(body, {"Content-Type": "application/json"})
    with pytest.raises(SecretUnreadable, match="projects/p/secrets/s/versions/latest"):
        read_from(server)


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
async def test_a_later_reading_that_fails_changes_nothing(server: Issuer, status: int) -> None:
    told: list[SecretUnreadable] = []
    clock = Clock()
    watch = SecretWatch(REFERENCE, read=lambda: read_from(server), told=told.append, clock=clock)
    assert watch.current == Secret("one")
    server.answer = lambda handler: handler.reply(b'{"error": {"code": 0}}', status=status)
    clock.now += AGAIN_SECONDS
    assert await watch.look_again() == Secret("one")
    server.answer = lambda handler: handler.reply(BROKEN[0])
    clock.now += AGAIN_SECONDS
    assert await watch.look_again() == Secret("one")
    assert len(told) == 2
    assert all(str(REFERENCE) in error.what and error.remedy for error in told)
