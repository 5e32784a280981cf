"""What every REST call goes through, apart from what it does: credential, limits, ETag, headers, error bodies, count.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.github.accounts import Installation, InstallationToken, Organization, Repository
from emulator.github.limits import CORE, RateLimitRefusal, Reading
from emulator.github.links import Links
from emulator.github.pages import link_header, requested_page
from emulator.github.refusals import RestRefusal, not_accessible, not_found
from emulator.github.runners import Scope
from emulator.github.site import Site
from emulator.github.world import World
from emulator.lost_reply import LostReply

LARGEST_BODY: Final = 1_000_000
TEMPLATE: Final = "emulator.github.template"  # where the ASGI scope carries an operation's path


class Credential(enum.Enum):
    """Who may call an operation."""

    APP = "a JSON Web Token signed by the App"
    INSTALLATION = "an installation access token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated request. `token` is None for calls of an App."""

    site: Site
    request: Request
    now: float
    installation: Installation
    token: InstallationToken | None
    body: Any

    @property
    def world(self) -> World:
        return self.site.world

    @property
    def links(self) -> Links:
        return self.site.links

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def number(self, name: str) -> int:
        """A number of the path. What is none does not exist: raises `RestRefusal` 404."""
        text = self.path[name]
        if not (text.isascii() and text.isdigit()):
            raise not_found()
        return int(text)

    def organization(self) -> Organization:
        """The organization of the path, when the caller is installed there. Raises `RestRefusal` 404."""
        organization = self.world.accounts.organization(self.path["org"])
        if organization is None or organization.installation != self.installation:
            raise not_found()
        return organization

    def repository(self) -> Repository:
        """The repository of the path, when the caller may see it. Raises `RestRefusal` 404."""
        repository = self.world.accounts.repository(self.path["owner"], self.path["repo"])
        if repository is None or repository.owner != self.installation.organization:
            raise not_found()
        if self.token is not None and not self.token.sees(repository):
            raise not_found()
        return repository

    def scope(self) -> Scope:
        """Where the path says that runners are registered. Raises `RestRefusal` 404."""
        if "org" in self.path:
            return Scope(organization=self.organization().login)
        repository = self.repository()
        return Scope(organization=repository.owner, repository=repository.name)

    def listing(self, key: str, items: list[Any], wire: Callable[[Any], dict[str, Any]]) -> Reply:
        """One page of `items` under `key`, with its total and its Link header."""
        page = requested_page(self.query)
        url = f"{self.links.public_url}{self.request.url.path}"
        link = link_header(url, self.query, page, len(items))
        return Reply(
            body={"total_count": len(items), key: [wire(item) for item in page.of(items)]},
            headers={} if link is None else {"link": link},
        )


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`permission` and level that an installation token needs; None: any token will do."""

    method: str
    path: str
    handler: Handler
    credential: Credential = Credential.INSTALLATION
    permission: tuple[str, str] | None = None
    is_free: bool = False


class Gateway:
    """Turns operations into routes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: Counter[str] = Counter()

    def routes(self, operations: Iterable[Operation]) -> list[Route]:
        return [Route(one.path, self._endpoint(one), methods=[one.method]) for one in operations]

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request.scope[TEMPLATE] = operation.path
            now = self._site.clock()
            bearer = _bearer(request)
            ahead = faults.clock_ahead_seconds()
            reading: Reading | None = None
            caller: str | None = None
            try:
                faults.refuse_broken()
                installation, token = self._authenticated(operation, bearer, now=now, ahead=ahead)
                caller = (
                    f"app ID {installation.app.id}" if token is None else f"installation ID {installation.id}"
                )
                self._open[caller] += 1
                reading = limits.reading(caller, CORE, now=now)
                if not operation.is_free:
                    at_once = self._open[caller]
                    faults.refuse_limited(caller, operation.method, at_once=at_once, now=now)
                    limits.refuse_exceeded(caller, CORE, now=now)
                response = await self._answered(operation, request, installation, token, bearer, now=now)
                if not operation.is_free and response.status_code != 304:
                    reading = limits.spend(caller, CORE, now=now)
                await self._site.hold(request, seconds=faults.hold_seconds())
            except RestRefusal as refusal:
                reading = refusal.reading if isinstance(refusal, RateLimitRefusal) else reading
                response = _json(refusal.body, refusal.status)
                response.headers.update(refusal.headers)
            finally:
                self._close(caller)
            self._add_headers(response, request, operation, reading and reading.ahead(ahead))
            if faults.loses_reply(operation.method, response.status_code):
                return LostReply(status_code=response.status_code)
            return response

        faults, limits = self._site.world.rest_faults, self._site.world.limits
        return endpoint

    def _close(self, caller: str | None) -> None:
        if caller is not None:
            self._open[caller] -= 1

    async def _answered(
        self,
        operation: Operation,
        request: Request,
        installation: Installation,
        token: InstallationToken | None,
        bearer: str | None,
        *,
        now: float,
    ) -> Response:
        """What the operation answers; its refusals count against the allowance like any reply."""
        try:
            reply = await self._handled(operation, request, installation, token, now=now)
            return _rendered(reply, request, bearer)
        except RateLimitRefusal:
            raise
        except RestRefusal as refusal:
            return _json(refusal.body, refusal.status)

    def _authenticated(
        self, operation: Operation, bearer: str | None, *, now: float, ahead: float
    ) -> tuple[Installation, InstallationToken | None]:
        accounts = self._site.world.accounts
        if bearer is None:
            raise RestRefusal(401, "Requires authentication")
        if operation.credential is Credential.APP:
            self._site.credentials["app_token"].append(bearer)
            return accounts.authenticated_app(bearer, now=now + ahead), None
        self._site.world.rest_faults.revoke_tokens()
        token = accounts.authenticated_installation(bearer, now=now)
        if operation.permission is not None and not token.allows(*operation.permission):
            raise not_accessible()
        return token.installation, token

    async def _handled(
        self,
        operation: Operation,
        request: Request,
        installation: Installation,
        token: InstallationToken | None,
        *,
        now: float,
    ) -> Reply:
        call = Call(
            site=self._site,
            request=request,
            now=now,
            installation=installation,
            token=token,
            body=await _parsed_body(request) if operation.method == "POST" else None,
        )
        return await operation.handler(call)

    def _add_headers(
        self, response: Response, request: Request, operation: Operation, reading: Reading | None
    ) -> None:
        chance = self._site.world.chance
        response.headers["x-github-request-id"] = ":".join(
            f"{chance.getrandbits(bits):0{bits // 4}X}" for bits in (16, 24, 28, 28, 32)
        )
        response.headers["x-github-media-type"] = "github.v3; format=json"
        response.headers["x-github-api-version-selected"] = request.headers.get(
            "x-github-api-version", "2022-11-28"
        )
        if operation.permission is not None:
            response.headers["x-accepted-github-permissions"] = "=".join(operation.permission)
        if reading is not None:
            response.headers.update(reading.headers)


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.casefold() in {"bearer", "token"} else None


async def _parsed_body(request: Request) -> Any:
    raw = await request.body()
    if len(raw) > LARGEST_BODY:
        raise RestRefusal(413, "Payload too large")
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except ValueError:
        raise RestRefusal(400, "Problems parsing JSON") from None


def _rendered(reply: Reply, request: Request, bearer: str | None) -> Response:
    """The reply with its ETag, or 304 when the caller knows it. An ETag holds for one token only."""
    if reply.body is None:
        return Response(status_code=reply.status, headers=dict(reply.headers))
    response = _json(reply.body, reply.status)
    response.headers.update(reply.headers)
    if request.method != "GET":
        return response
    tag = f'"{hashlib.sha256(bytes(response.body) + (bearer or "").encode()).hexdigest()}"'
    response.headers["etag"] = f"W/{tag}"
    response.headers["cache-control"] = "private, max-age=60, s-maxage=60"
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag not in known:
        return response
    kept = {
        name: value for name, value in response.headers.items() if name in {"etag", "cache-control", "link"}
    }
    return Response(status_code=304, headers=kept)


def _json(body: Any, status: int) -> Response:
    return Response(
        json.dumps(body),
        status_code=status,
        media_type=None,
        headers={"content-type": "application/json; charset=utf-8"},
    )
