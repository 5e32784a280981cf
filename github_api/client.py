"""GitHub as a runner pool sees it: an App's installation, its runs and jobs, and the runners of one scope.

Says which URL each call has and who may ask it; `transport` sends, `wire` reads. Knows nothing of pools,
cells or leases. More than 350 lines, because one page shows every call that goes to GitHub.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from types import TracebackType
from typing import Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

import httpx

from github_api import wire
from github_api.app_auth import AppKey, InstallationTokens
from github_api.app_keys import AppKeys
from github_api.connections import Connections
from github_api.errors import (
    BadCredentials,
    GitHubBroken,
    InstallationMissing,
    NameTaken,
    NotFound,
    RunnerBusy,
)
from github_api.etags import Page, PageCache
from github_api.points import Urgency
from github_api.replies import Limits, Reply, next_page
from github_api.secret import Secret
from github_api.shape import WrongShape
from github_api.transport import Call, Transport, read
from github_api.values import (
    Allowance,
    InstallationToken,
    JitConfiguration,
    Job,
    Repository,
    Runner,
    RunnerDeprecation,
    RunnerGroup,
    Scope,
    ScopeKind,
    WorkflowRun,
    is_repository_name,
)

PUBLIC_URL = "https://api.github.com"
_PER_PAGE = 100  # the most that GitHub gives
# GitHub caps filtered runs at 1,000 and a matrix at 256 jobs; more pages than this is a server that lists for
# ever.
_MOST_PAGES_OF_A_LIST = 200


class _Identified(Protocol):
    @property
    def id(self) -> int: ...


T = TypeVar("T")
Item = TypeVar("Item", bound=_Identified)


class GitHub:
    """Calls as one App, about one scope. Use as an async context manager, or call `aclose`.

    `url` is the REST root (https://api.github.com, https://HOST/api/v3). `http` is closed only when it was
    made here. Every method raises GitHubError; see `github_api.errors` for which and what may be retried.
    """

    def __init__(
        self,
        *,
        app_id: str,
        key: AppKey | AppKeys,
        scope: Scope,
        url: str = PUBLIC_URL,
        http: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._app_id = app_id
        self._keys = key if isinstance(key, AppKeys) else AppKeys(key)
        self.scope = scope
        self._clock = clock
        self._connections = Connections(http)
        self._transport = Transport(
            self._connections, clock=clock, sleep=sleep, monotonic=monotonic, chance=chance
        )
        self._installation_id: int | None = None
        self._tokens = InstallationTokens(self._new_token, clock=clock)
        self._pages = PageCache()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what was opened here."""
        await self._tokens.aclose()
        await self._connections.aclose()

    @property
    def limits(self) -> Limits:
        """Until when GitHub wants us to pause, as far as replies have said so."""
        return self._transport.limits

    # Demand

    async def repositories(self) -> tuple[Repository, ...]:
        """Every repository that the installation may see."""
        pages = await self._pages_of(
            "list the installation's repositories",
            self._list_url("/installation/repositories"),
            wire.repositories,
        )
        return tuple({repository.full_name: repository for page in pages for repository in page}.values())

    async def workflow_runs(
        self,
        repository: str,
        *,
        status: str,
        created: str | None = None,
        urgency: Urgency = Urgency.NAMED,
    ) -> tuple[WorkflowRun, ...]:
        """All runs of `owner/name` with that status (`queued`, `in_progress`, `completed`), each once. GitHub shows
        1,000 at most: `github_api.finished` finds more. `created`: only those of a range of time, in its words.
        """
        url = self._runs_url(repository, status=status, created=created, per_page=_PER_PAGE)
        name = f"list the {status} runs of {repository}"
        return _each_once(await self._pages_of(name, url, wire.workflow_runs, urgency=urgency))

    async def number_of_runs(
        self, repository: str, *, status: str, created: str, urgency: Urgency = Urgency.NAMED
    ) -> int:
        """How many such runs there are; whether the number itself ends at 1,000 is not documented."""
        url = self._runs_url(repository, status=status, created=created, per_page=1)
        name = f"count the {status} runs of {repository}"
        return (await self._page(name, url, wire.how_many, urgency=urgency)).value

    async def jobs_of_run(
        self,
        repository: str,
        run_id: int,
        *,
        every_attempt: bool = False,
        urgency: Urgency = Urgency.NAMED,
    ) -> tuple[Job, ...]:
        """All jobs of the run's latest attempt, or of every one. May be empty for a moment after the run was made."""
        wanted = "all" if every_attempt else "latest"
        url = self._list_url(f"{_repository_path(repository)}/actions/runs/{run_id}/jobs", filter=wanted)
        name = f"list the jobs of run {run_id} of {repository}"
        return _each_once(await self._pages_of(name, url, wire.jobs, urgency=urgency))

    async def job(self, repository: str, job_id: int) -> Job:
        """One job, whichever attempt it belongs to."""
        url = f"{self._url}{_repository_path(repository)}/actions/jobs/{job_id}"
        return (await self._page(f"read job {job_id} of {repository}", url, wire.job)).value

    # Runners

    async def runners(self, *, name: str | None = None) -> tuple[Runner, ...]:
        """All registrations of the scope, or those of exactly that name. The list lags: absence proves nothing."""
        url = self._list_url(f"{self.scope.path}/actions/runners", **({} if name is None else {"name": name}))
        found = _each_once(await self._pages_of(f"list the runners of {self.scope.name}", url, wire.runners))
        return tuple(runner for runner in found if name is None or runner.name == name)

    async def runner(self, runner_id: int) -> Runner:
        """One registration; NotFound when it is gone, which a runner that was given a job also is."""
        url = f"{self._url}{self.scope.path}/actions/runners/{runner_id}"
        return (await self._page(f"read runner {runner_id} of {self.scope.name}", url, wire.runner)).value

    async def runner_deprecation(self, version: str) -> RunnerDeprecation:
        """Until when GitHub serves a version of the runner (`2.337.0`)."""
        url = f"{self._url}{self.scope.path}/actions/runners/deprecations/{quote(version, safe='')}"
        name = f"read until when runner {version} is served"
        return (await self._page(name, url, wire.runner_deprecation)).value

    async def delete_runner(self, runner_id: int) -> None:
        """Remove a registration. Raises NotFound when it is gone already, RunnerBusy when GitHub sees a job
        on it.

        GitHub's knowledge lags: a removal can succeed, and cancel the job, although one runs. Only for
        registrations that no lease holds.
        """
        await self._change(
            Call(
                name=f"remove runner {runner_id} of {self.scope.name}",
                method="DELETE",
                url=f"{self._url}{self.scope.path}/actions/runners/{runner_id}",
                meanings={422: RunnerBusy},
            )
        )

    async def runner_groups(self) -> tuple[RunnerGroup, ...]:
        """The organization's runner groups; none for a repository, where groups do not exist (its runners use id 1)."""
        if self.scope.kind is ScopeKind.REPOSITORY:
            return ()
        url = self._list_url(f"{self.scope.path}/actions/runner-groups")
        return _each_once(
            await self._pages_of(f"list the runner groups of {self.scope.name}", url, wire.runner_groups)
        )

    async def generate_jit_configuration(
        self,
        *,
        name: str,
        labels: Collection[str],
        runner_group_id: int = 1,
        work_folder: str = "_work",
        timeout_seconds: float = 15.0,
    ) -> JitConfiguration:
        """Register an ephemeral runner and get its single-use configuration. Never repeated here, whatever
        happens.

        After Unavailable the registration may exist: the next attempt needs a new name (NameTaken otherwise),
        and the ghost of the old one is found by `runners(name=…)`. Only the labels given are registered;
        GitHub adds none.
        """
        call = Call(
            name=f"register runner {name} in {self.scope.name}",
            method="POST",
            url=f"{self._url}{self.scope.path}/actions/runners/generate-jitconfig",
            json={
                "name": name,
                "runner_group_id": runner_group_id,
                "labels": list(labels),
                "work_folder": work_folder,
            },
            timeout_seconds=timeout_seconds,
            meanings={409: NameTaken},
            resource="registration",
        )
        return self._understood(call.name, wire.jit_configuration, await self._change(call))

    async def allowances(self) -> dict[str, Allowance]:
        """What is left of each of GitHub's limits; asking is free."""
        return (await self._page("read the rate limits", f"{self._url}/rate_limit", wire.allowances)).value

    # How

    def _runs_url(self, repository: str, *, status: str, created: str | None, per_page: int) -> str:
        query = {"status": status, **({} if created is None else {"created": created})}
        path = f"{_repository_path(repository)}/actions/runs"
        return self._list_url(path, **query, exclude_pull_requests="true", per_page=str(per_page))

    def _list_url(self, path: str, **query: str) -> str:
        return f"{self._url}{path}?{urlencode({**query, 'per_page': query.get('per_page', str(_PER_PAGE))}, quote_via=quote)}"

    async def _pages_of(
        self, name: str, url: str, parse: Callable[[bytes], T], *, urgency: Urgency = Urgency.NAMED
    ) -> list[T]:
        """The values of all pages, following Link headers."""
        values: list[T] = []
        for _ in range(_MOST_PAGES_OF_A_LIST):
            page = await self._page(name, url, parse, urgency=urgency)
            values.append(page.value)
            if page.next_url is None:
                return values
            url = page.next_url
        raise GitHubBroken(f"The list did not end after {_MOST_PAGES_OF_A_LIST} pages when asked to {name}")

    async def _page(
        self, name: str, url: str, parse: Callable[[bytes], T], *, urgency: Urgency = Urgency.NAMED
    ) -> Page[T]:
        token = await self._tokens.current()
        try:
            return await self._page_for(token, name, url, parse, urgency)
        except BadCredentials:
            # Revoked or not yet known everywhere: one fresh token, one more try.
            self._tokens.drop(token)
        token = await self._tokens.current()
        return await self._page_for(token, name, url, parse, urgency)

    async def _page_for(
        self, token: InstallationToken, name: str, url: str, parse: Callable[[bytes], T], urgency: Urgency
    ) -> Page[T]:
        seen: Page[T] | None = self._pages.get(token.serial, url)
        reply = await self._transport.send(
            read(name, url, urgency=urgency), bearer=token.value, etag=seen.etag if seen else None
        )
        if reply.status == 304:
            if seen is None:
                raise GitHubBroken(
                    f"'Not modified' for a page that was never seen when asked to {name}", status=304
                )
            return seen
        page = Page(
            etag=reply.headers.get("etag"),
            value=self._understood(name, parse, reply.body),
            next_url=next_page(reply.headers, base_url=self._url),
        )
        self._pages.keep(token.serial, url, page)
        return page

    async def _change(self, call: Call) -> bytes:
        """The body of the reply to a write that is sent once. A refused token is dropped for the next attempt."""
        token = await self._tokens.current()
        try:
            return (await self._transport.send(call, bearer=token.value)).body
        except BadCredentials:
            self._tokens.drop(token)
            raise

    async def _new_token(self) -> tuple[Secret, float]:
        """A fresh installation token; an installation that has gone is looked up once more."""
        known = self._installation_id is not None
        try:
            return await self._token_of(await self._installation())
        except NotFound:
            self._installation_id = None
            if not known:
                raise
        return await self._token_of(await self._installation())

    async def _token_of(self, installation_id: int) -> tuple[Secret, float]:
        call = Call(
            name="make a token of the App's installation",
            method="POST",
            url=f"{self._url}/app/installations/{installation_id}/access_tokens",
            attempts=3,  # a token too many harms nobody
        )
        reply = await self._send_as_app(call)
        return self._understood(call.name, wire.installation_token, reply.body)

    async def _send_as_app(self, call: Call) -> Reply:
        """Sign a call as the App. A key that GitHub refuses gives way to the one before it, or to one stored meanwhile."""
        tried: set[str] = set()
        refused: BadCredentials | None = None
        while (key := await self._keys.untried(tried)) is not None:
            tried.add(key.fingerprint)
            token = key.token(app_id=self._app_id, now=self._clock())
            try:
                reply = await self._transport.send(call, bearer=token)
            except BadCredentials as error:
                refused = error
                self._keys.refused(key)
            else:
                self._keys.worked(key)
                return reply
        assert refused is not None, "there is always a first key"
        raise refused

    async def prove_key(self) -> None:
        """Let the key that signs next prove itself by one read, before the token that an older key has got runs out."""
        await self._find_installation()

    async def _installation(self) -> int:
        if self._installation_id is None:
            self._installation_id = await self._find_installation()
        return self._installation_id

    async def _find_installation(self) -> int:
        name = f"find the App's installation in {self.scope.kind} {self.scope.name}"
        url = f"{self._url}{self.scope.path}/installation"
        try:
            reply = await self._send_as_app(read(name, url, urgency=Urgency.CHANGE))
        except NotFound as error:
            raise InstallationMissing(
                f"The App {self._app_id} is not installed in {self.scope.kind} {self.scope.name}",
                status=error.status,
                request_id=error.request_id,
            ) from None
        return self._understood(name, wire.installation_id, reply.body)

    @staticmethod
    def _understood(name: str, parse: Callable[[bytes], T], body: bytes) -> T:
        try:
            return parse(body)
        except WrongShape as error:
            raise GitHubBroken(f"The reply was not understood when asked to {name}: {error}") from error


def _repository_path(repository: str) -> str:
    if not is_repository_name(repository):
        raise ValueError(f"{repository!r} is not a repository's full name (owner/name)")
    return f"/repos/{repository}"


def _each_once(pages: Iterable[Iterable[Item]]) -> tuple[Item, ...]:
    """Items of all pages; one that moved to the next page between two requests is there twice and counts once."""
    return tuple({item.id: item for page in pages for item in page}.values())
