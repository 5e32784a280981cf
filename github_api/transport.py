"""One call to GitHub over HTTP: turns, points, pauses, time-outs and retries. Knows no field, no token's life
and no page.

The rules are GitHub's:
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import httpx

from github_api.connections import Connections
from github_api.errors import GitHubError, RateLimited, Unavailable
from github_api.points import Points, Urgency, points_of
from github_api.replies import Limits, Reply, error_of
from github_api.secret import Secret

# GitHub allows 100 calls at once for everything that an App does. Each urgency has its own share, so that a look
# that a signal asked for stands behind no sweep, and a registration behind no look.
# https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
AT_ONCE: Mapping[Urgency, int] = {
    Urgency.CHANGE: 4,
    Urgency.NAMED: 16,
    Urgency.AGAIN: 8,
    Urgency.CONFIRM: 6,
    Urgency.SWEEP: 20,
}
# A change that finds no points waits for this part of its time, so that the rest is left for GitHub's answer.
_CHANGE_WAITS = 1 / 3
# Shorter sleeps would only ask again and again for a moment that rounding has put a hair too early.
_SHORTEST_WAIT_SECONDS = 0.01
# After a pause, sweeps do not begin as a crowd.
_EVENLY_AFTER_A_PAUSE_SECONDS = 60.0
_ATTEMPTS_OF_A_READ = 3
_FIRST_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to send. `name` is the call in words; `resource` is the limit it counts against; `attempts` is 1
    for what must not be repeated.
    """

    name: str
    method: str
    url: str
    timeout_seconds: float = 10.0
    json: Mapping[str, object] | None = field(default=None, repr=False)
    meanings: Mapping[int, type[GitHubError]] = field(default_factory=dict)
    resource: str = "core"
    attempts: int = 1
    urgency: Urgency = Urgency.CHANGE


def read(name: str, url: str, *, timeout_seconds: float = 10.0, urgency: Urgency = Urgency.NAMED) -> Call:
    """A GET, which may be repeated."""
    return Call(
        name=name,
        method="GET",
        url=url,
        timeout_seconds=timeout_seconds,
        attempts=_ATTEMPTS_OF_A_READ,
        urgency=urgency,
    )


class _Lane:
    """The calls of one urgency: so many at once, and of those that wait for points one after the other."""

    def __init__(self, at_once: int) -> None:
        self.slots = asyncio.Semaphore(at_once)
        self.turn = asyncio.Lock()


class Transport:
    """Sends calls through `connections`. `clock` is seconds since the epoch, `chance` jitters the delays that
    `sleep` waits; `monotonic` is the clock of the points.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, protects nothing
        self._lanes = {urgency: _Lane(at_once) for urgency, at_once in AT_ONCE.items()}
        self._points = Points()
        self._limits = Limits()

    @property
    def limits(self) -> Limits:
        """What the replies so far have said about pauses."""
        return self._limits

    async def send(self, call: Call, *, bearer: Secret, etag: str | None = None) -> Reply:
        """The reply, 2xx or (only with `etag`) 304. Raises GitHubError; RateLimited at once while a pause
        lasts.
        """
        attempt = 1
        while True:
            try:
                return await self._send_once(call, bearer=bearer, etag=etag)
            except Unavailable:
                if attempt >= call.attempts:
                    raise
            await self._sleep(_FIRST_RETRY_SECONDS * 2 ** (attempt - 1) * self._chance.uniform(0.5, 1.5))
            attempt += 1

    async def _send_once(self, call: Call, *, bearer: Secret, etag: str | None) -> Reply:
        lane = self._lanes[call.urgency]
        try:
            if call.urgency is Urgency.CHANGE:
                # Its caller has promised somebody an answer in time, so waiting for a turn counts.
                async with asyncio.timeout(call.timeout_seconds), lane.slots:
                    await self._points_for(call, lane, patience=call.timeout_seconds * _CHANGE_WAITS)
                    reply = await self._exchange(call, bearer=bearer, etag=etag)
            else:
                # A sweep asks for thousands of pages: its later ones wait their turn for as long as that takes.
                async with lane.slots:
                    await self._points_for(call, lane, patience=float("inf"))
                    async with asyncio.timeout(call.timeout_seconds):
                        reply = await self._exchange(call, bearer=bearer, etag=etag)
        except TimeoutError:
            raise Unavailable(
                f"No answer within {call.timeout_seconds:g} s when asked to {call.name}"
            ) from None
        except httpx.RequestError as error:
            # from None: the exception holds the request, and with it the Authorization header.
            told = f"{type(error).__name__} ({error})" if str(error) else type(error).__name__
            raise Unavailable(f"GitHub could not be asked to {call.name}: {told}") from None
        self._limits, until = self._limits.after(reply, resource=call.resource, now=self._clock())
        if until is not None:
            paused_for = until - self._clock()
            self._points.go_evenly(until=self._monotonic() + paused_for + _EVENLY_AFTER_A_PAUSE_SECONDS)
            pause = f"calls go on in {paused_for:.0f} s"
            raise RateLimited(
                f"GitHub's limit was met when asked to {call.name}; {pause}",
                until=until,
                status=reply.status,
                request_id=reply.headers.get("x-github-request-id"),
            )
        refusal = error_of(reply, call=call.name, meanings=call.meanings)
        if refusal is not None:
            raise refusal
        return reply

    async def _points_for(self, call: Call, lane: _Lane, *, patience: float) -> None:
        """Wait until the call may go, and take its points. Raises RateLimited when a pause began meanwhile, or
        the wait would be longer than `patience`.
        """
        give_up_at = self._monotonic() + patience
        async with lane.turn:
            while True:
                self._refuse_while_paused(call)
                now = self._monotonic()
                wait = self._points.take(call.urgency, points_of(call.method), now=now)
                if wait <= 0.0:
                    return
                if now + wait > give_up_at:
                    raise RateLimited(
                        f"Not asked to {call.name}: this minute's points at GitHub are used up for {wait:.0f} s more",
                        until=self._clock() + wait,
                    )
                await self._sleep(max(wait, _SHORTEST_WAIT_SECONDS))

    async def _exchange(self, call: Call, *, bearer: Secret, etag: str | None) -> Reply:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {bearer.reveal()}",
            "User-Agent": _USER_AGENT,
            "X-GitHub-Api-Version": "2022-11-28",
        }
        if etag is not None:
            headers["If-None-Match"] = etag
        async with self._connections.lent() as http:
            response = await http.request(
                call.method,
                call.url,
                headers=headers,
                json=call.json,
                timeout=None,  # our caller bounds all of it; a time-out for each step takes a quarter more time
                follow_redirects=False,
            )
        return Reply(status=response.status_code, headers=response.headers, body=response.content)

    def _refuse_while_paused(self, call: Call) -> None:
        until = self._limits.until(call.resource)
        now = self._clock()
        if now < until:
            raise RateLimited(
                f"Not asked to {call.name}: GitHub wants a pause of {until - now:.0f} s more", until=until
            )


def _own_version() -> str:
    try:
        return version("runner-pool")
    except PackageNotFoundError:  # run from a bare checkout
        return "0"


# https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
_USER_AGENT = f"runner-pool/{_own_version()}"
