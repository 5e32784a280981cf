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
from dataclasses import replace
from typing import Final

import httpx

from emulator.github.accounts import Webhook
from emulator.github.foreign_events import foreign_event
from emulator.github.outbox import Delivery, Kind, Outbox
from emulator.github.site import Site
from emulator.github.wire_actions import workflow_job_event

ANSWER_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 8
WRONG_KEY: Final = "nobody agreed on this"

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
    """Takes events from the site and sends each in a task of its own, when the outbox says."""

    def __init__(self, site: Site, *, chance: random.Random) -> None:
        self._site = site
        self._outbox = Outbox(delays=site.world.delays, chance=chance, faults=site.world.faults)
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self) -> None:
        """Send until cancelled."""
        # No proxy: the receiver is on this machine.
        async with (
            httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                await self._put_next()
                for delivery in self._outbox.take_due(now=self._site.clock()):
                    deliveries.create_task(self._deliver(client, delivery))

    async def _put_next(self) -> None:
        """Wait for an event, or until a delivery is due."""
        due = self._outbox.next_due()
        pause = None if due is None else max(0.0, due - self._site.clock())
        try:
            async with asyncio.timeout(pause):
                event = await self._site.events.get()
        except TimeoutError:
            return
        webhook = self._site.world.accounts.webhook
        if webhook is not None:
            self._outbox.put(event, webhook, now=self._site.clock())

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        event, webhook = delivery.event, delivery.webhook
        organization = self._site.world.accounts.organization(event.run.repository.owner)
        assert organization is not None  # its repository has had a push
        if delivery.kind is Kind.FOREIGN:
            event, organization = foreign_event(event, organization)
        body = json.dumps(workflow_job_event(event, organization, self._site.links)).encode()
        signer = replace(webhook, secret=WRONG_KEY) if delivery.kind is Kind.FORGED else webhook
        headers = webhook_headers(signer, body, app_id=organization.installation.app.id, delivery=delivery.id)
        async with self._slots:
            try:
                reply = await client.post(webhook.url, content=body, headers=headers)
            except httpx.HTTPError as error:
                log.info("webhook %s of job %d was lost: %r", event.action, event.job.id, error)
            else:
                log.debug("webhook %s of job %d: %d", event.action, event.job.id, reply.status_code)
