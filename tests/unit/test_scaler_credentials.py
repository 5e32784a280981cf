"""The scaler's credentials, by configuration: what is told while they are replaced, and what never shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from github_api.app_auth import AppKey
from github_api.errors import BadCredentials
from github_api.secret import Secret
from scaler.credentials import UNASKED_SECONDS, Credentials
from scaler.errors import GitHubRefused, SecretUnreadable
from scaler.secret_watch import AGAIN_SECONDS
from tests.config_text import SMALLEST, config_from
from tests.github_replies import pem
from tests.scaler_parts import Clock


def a_pem() -> str:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def fingerprint(text: str) -> str:
    return AppKey.from_pem(Secret(text)).fingerprint


class Scene:
    """A key and a webhook's secret in files, and a GitHub that takes some keys."""

    def __init__(self, folder: Path) -> None:
        self.key, self.hook = folder / "key.pem", folder / "hook"
        self.first = a_pem()
        self.key.write_text(self.first)
        self.hook.write_text("hook-one\n")
        text = SMALLEST.replace(
            "file:/run/secrets/key", f"file:{self.key}\n  webhook_secret: file:{self.hook}"
        )
        self.clock = Clock()
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.known = {fingerprint(self.first)}
        self.credentials = Credentials(config_from(folder, text), {}, told=self._told, clock=self.clock)
        self.credentials.github.prove_key = self._prove  # type: ignore[method-assign] # GitHub as the test tells it
        self.credentials.keys.worked(self.credentials.keys._keys[0])

    def _told(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    async def _prove(self) -> None:
        tried: set[str] = set()
        while (key := await self.credentials.keys.untried(tried)) is not None:
            tried.add(key.fingerprint)
            if key.fingerprint in self.known:
                self.credentials.keys.worked(key)
                return
            self.credentials.keys.refused(key)
        raise BadCredentials("GitHub refused", status=401)

    async def look(self) -> list[str]:
        """Look again after the shortest pause; the names of the lines that this brought."""
        self.clock.now += AGAIN_SECONDS
        self.lines.clear()
        await self.credentials.look_again()
        return [event for event, _ in self.lines]

    def signs_with(self) -> str:
        return self.credentials.keys._keys[0].fingerprint


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_new_key_proves_itself_and_is_told_with_its_fingerprint(scene: Scene) -> None:
    """So an admin sees when the older one may be deleted."""
    assert await scene.look() == []
    second = a_pem()
    scene.key.write_text(second)
    scene.known.add(fingerprint(second))
    assert await scene.look() == ["app_key_in_use"]
    assert scene.lines[0][1] == {"fingerprint": fingerprint(second), "reference": f"file:{scene.key}"}
    assert scene.signs_with() == fingerprint(second)
    assert await scene.look() == []


async def test_a_key_that_github_refuses_is_told_and_the_older_one_goes_on(scene: Scene) -> None:
    strange = a_pem()
    scene.key.write_text(strange)
    assert await scene.look() == ["app_key_refused"]
    assert scene.lines[0][1]["warning"] is True
    assert scene.lines[0][1]["fingerprint"] == fingerprint(strange)
    assert scene.signs_with() == fingerprint(scene.first)
    assert await scene.look() == []


@pytest.mark.parametrize(
    "text", ["no key at all", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----"]
)
async def test_what_is_no_key_is_told_once_by_its_reference_and_never_shown(scene: Scene, text: str) -> None:
    scene.key.write_text(text)
    assert await scene.look() == ["app_key_unusable"]
    told = scene.lines[0][1]["what"]
    assert f"file:{scene.key}" in told
    assert text not in told
    assert await scene.look() == []
    scene.key.write_text(scene.first)
    assert await scene.look() == []
    assert scene.signs_with() == fingerprint(scene.first)


async def test_a_key_that_cannot_be_read_again_leaves_the_one_that_was(scene: Scene) -> None:
    scene.key.unlink()
    assert await scene.look() == ["secret_not_read_again"]
    assert "github.private_key" in scene.lines[0][1]["what"]
    assert await scene.look() == []


async def test_a_changed_webhook_secret_is_told_by_its_reference(scene: Scene) -> None:
    scene.hook.write_text("hook-two")
    assert await scene.look() == ["webhook_secret_changed"]
    assert scene.lines[0][1] == {"reference": f"file:{scene.hook}"}


async def test_no_line_shows_a_secret(scene: Scene) -> None:
    told = []
    for text in ("hunter2", a_pem(), ""):
        scene.key.write_text(text)
        scene.hook.write_text(text[:40] or " ")
        await scene.look()
        told.append(str(scene.lines))
    assert len(told) == 3
    for secret in ("hunter2", "hook-one", "BEGIN RSA", *scene.first.splitlines()[1:-1]):
        assert not any(secret in each for each in told), secret


async def test_it_looks_on_and_on_and_not_in_a_hurry(scene: Scene) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        scene.clock.now += seconds
        if len(slept) == 3:
            raise StopAsyncIteration

    scene.hook.write_text("hook-two")
    with pytest.raises(StopAsyncIteration):
        await scene.credentials.look_on_and_on(sleep)
    assert slept == [UNASKED_SECONDS] * 3
    assert [event for event, _ in scene.lines] == ["webhook_secret_changed"]


def test_what_is_wrong_at_the_start_ends_it_by_the_name_of_its_key(tmp_path: Path) -> None:
    config = config_from(tmp_path, SMALLEST.replace("/run/secrets/key", str(tmp_path / "key")))
    with pytest.raises(SecretUnreadable, match=r"github\.private_key: .*/key cannot be read"):
        Credentials(config, {}, told=lambda event, **facts: None)
    (tmp_path / "key").write_text("hunter2")
    with pytest.raises(GitHubRefused, match=r"github\.private_key .*not a PEM file") as refused:
        Credentials(config, {}, told=lambda event, **facts: None)
    assert "hunter2" not in str(refused.value)
