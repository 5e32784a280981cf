"""The App's key and the webhook's secret, the scaler's own credentials: read by reference, replaced without a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from github_api.app_auth import AppKey
from github_api.app_keys import AppKeys, KeyNews
from github_api.client import GitHub
from github_api.errors import BadAppKey, GitHubError
from github_api.secret import Secret
from scaler.cloud_run.client import CredentialKind
from scaler.config import Config
from scaler.errors import GitHubRefused, SecretUnreadable
from scaler.secret_watch import SecretWatch
from scaler.secrets import SecretReference, resolve, secret_manager_reader
from scaler.webhook_secrets import WebhookSecrets

# Without any reason the references are read this often, so that a new key proves itself while the older one is still good.
UNASKED_SECONDS = 600.0
READ_FIRST_SECONDS = 10.0
# A reading beside the work is not tried for long: at the end of the program it would be waited for.
READ_AGAIN_SECONDS = 5.0

Told = Callable[..., None]
"""`told(event, warning=…, **facts)` writes one line to the log."""


class Credentials:
    """Reads everything that is secret at the start; what may be replaced meanwhile, again and again."""

    def __init__(
        self,
        config: Config,
        env: Mapping[str, str],
        *,
        told: Told,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Blocks while secrets are read. Raises SecretUnreadable, GitHubRefused. `clock`: seconds, never set back."""
        self._config = config
        self._env = env
        self._told = told
        self._clock = clock
        self._key_reference = config.github.private_key
        pem = self._watch("github.private_key", self._key_reference)
        self._pem = pem
        try:
            key = AppKey.from_pem(pem.current)
        except BadAppKey as error:
            raise GitHubRefused(f"github.private_key ({self._key_reference}): {error}") from error
        self._key = (pem.current, key)
        self.keys = AppKeys(key, read_again=self._key_again, told=self._tell_of_key)
        self.github = GitHub(
            app_id=config.github.app_id, key=self.keys, scope=config.github.scope, url=config.github.url
        )
        self.webhook: WebhookSecrets | None = None
        if config.github.webhook_secret is not None:
            hook = self._watch("github.webhook_secret", config.github.webhook_secret)
            self.webhook = WebhookSecrets(
                hook.current, look_again=hook.look_again, told=self._tell_of_webhook, clock=clock
            )

    async def look_again(self) -> None:
        """Read every reference that may have changed. A key that is new there proves itself at GitHub at once."""
        await self.keys.look_again()
        if not self.keys.proven:
            try:
                await self.github.prove_key()
            except GitHubError as error:
                self._told("app_key_not_proven", warning=True, what=str(error))
        if self.webhook is not None:
            await self.webhook.refresh()

    async def look_on_and_on(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look again from time to time, until cancelled."""
        while True:
            await sleep(UNASKED_SECONDS)
            await self.look_again()

    async def _key_again(self) -> AppKey | None:
        pem = await self._pem.look_again()
        if pem != self._key[0]:
            try:
                self._key = (pem, AppKey.from_pem(pem))
            except BadAppKey as error:
                self._told("app_key_unusable", warning=True, what=f"{self._key_reference}: {error}")
                # Told once; what stands there is looked at again when it has changed.
                self._key = (pem, self._key[1])
        return self._key[1]

    def _tell_of_key(self, news: KeyNews, key: AppKey) -> None:
        facts: dict[str, Any] = {"fingerprint": key.fingerprint, "reference": str(self._key_reference)}
        if news is KeyNews.REFUSED:
            facts |= {
                "warning": True,
                "remedy": "GitHub answers 401 to this key. Compare the fingerprint with those on the App's settings page "
                "(Private keys); another key that is known goes on being used while it works.",
            }
        self._told(news.value, **facts)

    def _tell_of_webhook(self) -> None:
        self._told("webhook_secret_changed", reference=str(self._config.github.webhook_secret))

    def _watch(self, key: str, reference: SecretReference) -> SecretWatch:
        return SecretWatch(
            reference,
            read=_Reading(self._config, key, reference, self._env),
            told=lambda error: self._told(
                "secret_not_read_again", warning=True, what=error.what, remedy=error.remedy
            ),
            clock=self._clock,
        )


class _Reading:
    """Reads one secret: patiently the first time, for at most READ_AGAIN_SECONDS from then on."""

    def __init__(self, config: Config, key: str, reference: SecretReference, env: Mapping[str, str]) -> None:
        self._config = config
        self._key = key
        self._reference = reference
        self._env = env
        self._first = True

    def __call__(self) -> Secret:
        reader = secret_manager_reader(
            endpoint=self._config.secret_manager.endpoint,
            anonymous=self._config.cloud_run.credentials is CredentialKind.ANONYMOUS,
            timeout_seconds=READ_FIRST_SECONDS if self._first else READ_AGAIN_SECONDS,
            tries_again=self._first,
        )
        try:
            secret = resolve(self._reference, self._env, reader)
        except SecretUnreadable as error:
            raise SecretUnreadable(f"{self._key}: {error.what}", remedy=error.remedy) from error
        self._first = False
        return secret
