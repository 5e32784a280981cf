"""The stand-in GitHub as one ASGI application and one background task. Composition only."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.faults import Given
from emulator.github.broker import Broker, JobMessage
from emulator.github.control import Control
from emulator.github.delays import Delays
from emulator.github.gateway import TEMPLATE, Gateway
from emulator.github.jobs import Plan, PlanLoader
from emulator.github.refusals import ControlRefusal, not_found
from emulator.github.rest import OPERATIONS
from emulator.github.site import Site
from emulator.github.webhooks import WebhookSender
from emulator.github.world import World
from emulator.workflow.errors import WorkflowError
from emulator.workflow.message import job_request_message
from emulator.workflow.run import RunPlan


def load_plan(text: str, *, filename: str) -> Plan:
    """Read a workflow file. Raises `ControlRefusal` 422."""
    try:
        return RunPlan.load(text, filename=filename)
    except WorkflowError as error:
        raise ControlRefusal(422, str(error)) from error


class GitHubStandIn:
    """A GitHub for one process. `app` answers; `run` does what GitHub does by itself. Both in one event loop.

    `time_factor` scales GitHub's own delays; `public_url` is asked whenever an address is written; `clock` is
    seconds since the epoch.
    """

    def __init__(
        self,
        *,
        time_factor: float,
        seed: int,
        clock: Callable[[], float] = time.time,
        public_url: Callable[[], str],
        plan_loader: PlanLoader = load_plan,
        message_writer: JobMessage = job_request_message,
        faults: Given | None = None,
    ) -> None:
        world = World(delays=Delays().scaled(time_factor), seed=seed, load_plan=plan_loader)
        world.faults.replace(faults or {}, now=clock())
        self._site = Site(world=world, clock=clock, public_url=public_url)
        self._sender = WebhookSender(self._site, chance=random.Random(seed))  # noqa: S311  delays, not secrets
        rest = Gateway(self._site).routes(OPERATIONS)
        self.app: ASGIApp = _Counting(
            Starlette(
                routes=[
                    *Control(self._site).routes(),
                    *Broker(self._site, job_message=message_writer).routes(),
                    Mount("/api/v3", routes=[*rest, _nothing_here()]),
                    *rest,
                    _nothing_here(),
                ]
            ),
            self._site,
        )

    async def run(self) -> None:
        """Timers, webhooks and the stock of keys, until cancelled; then open polls are let go."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._site.keys.run())
                tasks.create_task(self._sender.run())
                tasks.create_task(self._keep_deadlines())
        finally:
            self._site.close()

    def busy_instances(self) -> frozenset[str]:
        """Instances of the stand-in cloud that hold a job which was assigned and has not ended."""
        return self._site.world.work.busy_instances()

    async def _keep_deadlines(self) -> None:
        while True:
            self._site.deadlines_changed.clear()
            deadline = self._site.world.work.next_deadline()
            pause = None if deadline is None else max(0.0, deadline - self._site.clock())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._site.deadlines_changed.wait()
                    continue
            self._site.settle()


def _nothing_here() -> Route:
    """GitHub answers 404 in its own form to what it does not know, wrong methods included."""

    async def endpoint(_request: Request) -> Response:
        return JSONResponse(not_found().body, status_code=404)

    return Route("/{path:path}", endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


class _Counting:
    """Counts every call but those at the control door."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_control/"):
            await self._app(scope, receive, send)
            return

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = scope.get(TEMPLATE, scope["path"])
                self._site.requests[scope["method"], path, message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counting_send)
