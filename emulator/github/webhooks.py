"""Sends `workflow_job` webhooks as GitHub does: signed, once, ten seconds, no second try, in no certain order.

https://docs.github.com/en/webhooks/webhook-events-and-payloads and, on lost ones,
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

import asyncio
import hashlib
import hmac
import json
import logging
import random
import uuid
from typing import Final

import httpx

from emulator.github.accounts import Webhook
from emulator.github.jobs import JobEvent
from emulator.github.site import Site
from emulator.github.wire_actions import workflow_job_event

ANSWER_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 8

log = logging.getLogger(__name__)


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def webhook_headers(webhook: Webhook, body: bytes, *, app_id: int, delivery: str) -> dict[str, str]:
    headers = {
        "accept": "*/*",
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/5f1a2b3",
        "x-github-delivery": delivery,
        "x-github-event": "workflow_job",
        "x-github-hook-id": str(webhook.id),
        "x-github-hook-installation-target-id": str(app_id),
        "x-github-hook-installation-target-type": "integration",
    }
    if webhook.secret is None:
        return headers
    return headers | {"x-hub-signature-256": signature(webhook.secret, body)}


class WebhookSender:
    """Takes events from the site and sends each in a task of its own."""

    def __init__(self, site: Site, *, chance: random.Random) -> None:
        self._site = site
        self._chance = chance
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self) -> None:
        """Send until cancelled."""
        # No proxy: the receiver is on this machine.
        async with (
            httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                event = await self._site.events.get()
                webhook = self._site.world.accounts.webhook
                if webhook is not None:
                    deliveries.create_task(self._deliver(client, webhook, event))

    async def _deliver(self, client: httpx.AsyncClient, webhook: Webhook, event: JobEvent) -> None:
        organization = self._site.world.accounts.organization(event.run.repository.owner)
        assert organization is not None  # its repository has had a push
        body = json.dumps(workflow_job_event(event, organization, self._site.links)).encode()
        delivery = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        headers = webhook_headers(webhook, body, app_id=organization.installation.app.id, delivery=delivery)
        # Up to twice the usual delay, so that two events of one job can overtake each other.
        await asyncio.sleep(self._site.world.delays.webhook_seconds * 2 * self._chance.random())
        async with self._slots:
            try:
                reply = await client.post(webhook.url, content=body, headers=headers)
            except httpx.HTTPError as error:
                log.info("webhook %s of job %d was lost: %r", event.action, event.job.id, error)
            else:
                log.debug("webhook %s of job %d: %d", event.action, event.job.id, reply.status_code)
