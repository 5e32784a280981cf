"""One call to GitHub over HTTP: concurrency, pauses, time-outs and retries. Knows no field, no token's life
and no page.

The rules are GitHub's:
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import httpx

from github_api.errors import GitHubError, RateLimited, Unavailable
from github_api.replies import Limits, Reply, error_of
from github_api.secret import Secret

# At most ten calls at once in all (GitHub allows 100 for everything that an App does). Writes have their own
# share, so that a registration never stands behind a sweep of slow lists.
_READS_AT_ONCE = 6
_WRITES_AT_ONCE = 4
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


def read(name: str, url: str, *, timeout_seconds: float = 10.0) -> Call:
    """A GET, which may be repeated."""
    return Call(
        name=name, method="GET", url=url, timeout_seconds=timeout_seconds, attempts=_ATTEMPTS_OF_A_READ
    )


class Transport:
    """Sends calls through `http`. `clock` is seconds since the epoch, `chance` jitters the delays that
    `sleep` waits.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, protects nothing
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)
        self._writes = asyncio.Semaphore(_WRITES_AT_ONCE)
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
        try:
            if call.method == "GET":
                # A sweep asks for hundreds of pages at once: its later ones wait their turn for as long as that takes.
                async with self._reads, asyncio.timeout(call.timeout_seconds):
                    reply = await self._exchange(call, bearer=bearer, etag=etag)
            else:
                # A write's caller has promised somebody an answer in time, so waiting for a turn counts.
                async with asyncio.timeout(call.timeout_seconds), self._writes:
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
            pause = f"calls go on in {until - self._clock():.0f} s"
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

    async def _exchange(self, call: Call, *, bearer: Secret, etag: str | None) -> Reply:
        self._refuse_while_paused(call)
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {bearer.reveal()}",
            "User-Agent": _USER_AGENT,
            "X-GitHub-Api-Version": "2022-11-28",
        }
        if etag is not None:
            headers["If-None-Match"] = etag
        response = await self._http.request(
            call.method,
            call.url,
            headers=headers,
            json=call.json,
            timeout=call.timeout_seconds,
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
