"""Direct registration: where the App's key is read from, and what is said when it cannot be had."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner_agent.contract import ExitReason
from runner_agent.errors import SettingsError, UnreachableError
from runner_agent.registration.app_key import read_app_key
from runner_agent.registration.exchange import Reply, Request
from runner_agent.registration.metadata import MetadataServer
from tests.github_replies import pem

PEM = pem()


def key_at(reference: str, env: Mapping[str, str], *replies: Reply) -> str:
    """The fingerprint of the key that a reference leads to."""
    rest = list(replies)

    def exchange(_request: Request, _timeout: float) -> Reply:
        if not rest:
            raise UnreachableError("no network")
        return rest.pop(0)

    metadata = MetadataServer("metadata", exchange=exchange)
    return read_app_key(reference, env=env, metadata=metadata, exchange=exchange).fingerprint


def test_the_key_is_found_wherever_the_reference_points(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(PEM)
    file.chmod(0o600)
    token = Reply(status=200, headers={}, body=b'{"access_token": "t"}')
    version = Reply(status=200, headers={}, body=b'{"payload": {"data": "%s"}}' % b64encode(PEM.encode()))
    fingerprints = {
        key_at("env:APP_KEY", {"APP_KEY": PEM}),
        key_at(f"file:{file}", {}),
        key_at("secretmanager:projects/p/secrets/s", {}, token, version),
    }
    assert len(fingerprints) == 1


def test_secret_manager_is_asked_at_its_endpoint_for_the_latest_version() -> None:
    asked = []
    replies = [
        Reply(status=200, headers={}, body=b'{"access_token": "t"}'),
        Reply(status=200, headers={}, body=b'{"payload": {"data": "%s"}}' % b64encode(PEM.encode())),
    ]

    def exchange(request: Request, _timeout: float) -> Reply:
        asked.append(request)
        return replies.pop(0)

    metadata = MetadataServer("metadata", exchange=exchange)
    place, endpoint = "projects/p/secrets/s", "https://secrets.example"
    read_app_key(f"secretmanager:{place}", env={}, metadata=metadata, exchange=exchange, endpoint=endpoint)
    assert asked[-1].url == f"{endpoint}/v1/{place}/versions/latest:access"
    assert asked[-1].headers == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("reference", "replies"),
    [
        ("env:MISSING", []),
        ("env:BROKEN", []),
        ("file:/no/such/key.pem", []),
        ("secretmanager:projects/p/secrets/s", []),
        ("secretmanager:projects/p/secrets/s", [Reply(status=200, headers={}, body=b"{}")]),
        (
            "secretmanager:projects/p/secrets/s",
            [
                Reply(status=200, headers={}, body=b'{"access_token": "t"}'),
                Reply(status=403, headers={}, body=b"{}"),
            ],
        ),
    ],
)
def test_a_key_that_cannot_be_had_is_a_wrong_setting(reference: str, replies: list[Reply]) -> None:
    with pytest.raises(SettingsError) as caught:
        key_at(reference, {"BROKEN": "not-a-key-but-secret"}, *replies)
    assert caught.value.reason is ExitReason.BAD_SETTINGS
    assert str(caught.value).startswith("RUNNER_POOL_GITHUB_APP_KEY: ")
    assert "not-a-key-but-secret" not in str(caught.value)
