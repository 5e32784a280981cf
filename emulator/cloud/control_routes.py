"""The control door of the cloud port, described in docs/reference/emulator.md: ours, not the vendor's."""

from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.cloud.accounts import Accounts, UnknownRole
from emulator.cloud.errors import InvalidArgumentError, NotFoundError
from emulator.cloud.identity import TOKEN_LIFETIME_SECONDS, TokenService
from emulator.cloud.instance_host import InstanceHost
from emulator.cloud.quota import WriteQuota
from emulator.cloud.secret_manager import SecretStore
from emulator.cloud.world import CloudWorld
from emulator.faults import WrongFault


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlDoor:
    world: CloudWorld
    host: InstanceHost
    secrets: SecretStore
    tokens: TokenService
    accounts: Accounts
    quota: WriteQuota
    busy: Callable[[], frozenset[str]]
    clock: Callable[[], float]

    def routes(self) -> list[Route]:
        return [
            Route("/_control/instances", self._instances, methods=["GET"]),
            Route("/_control/instances/{instance}/log", self._log, methods=["GET"]),
            Route("/_control/instances/{instance}/preempt", self._preempt, methods=["POST"]),
            Route("/_control/stops", self._stops, methods=["GET"]),
            Route("/_control/writes", self._writes, methods=["GET"]),
            Route("/_control/secrets/{project}/{secret}", self._put_secret, methods=["PUT"]),
            Route("/_control/identity_token", self._identity_token, methods=["POST"]),
            Route("/_control/identity_keys", self._rotate_identity_keys, methods=["POST"]),
            Route("/_control/credentials", self._credentials, methods=["GET"]),
            Route("/_control/access_token", self._access_token, methods=["POST"]),
            Route("/_control/accounts", self._accounts, methods=["GET"]),
            Route("/_control/accounts/{email}", self._put_account, methods=["PUT"]),
            Route("/_control/quota", self._put_quota, methods=["PUT"]),
            Route("/_control/normal_form", self._put_normal_form, methods=["PUT"]),
            Route("/_control/faults", self._faults, methods=["GET"]),
            Route("/_control/faults", self._put_faults, methods=["PUT"]),
            Route("/oauth2/v3/certs", self._public_keys, methods=["GET"]),
        ]

    async def _instances(self, _: Request) -> Response:
        busy = self.busy()
        return JSONResponse({
            "instances": [
                {
                    "id": instance.id,
                    "worker_pool": instance.worker_pool,
                    "revision": instance.revision.name,
                    "pid": instance.pid,
                    "state": instance.state.value,
                    "busy": instance.id in busy,
                    "started_at": instance.started_at,
                    "ended_at": instance.ended_at,
                    "exit_code": instance.exit_code,
                    "signal": instance.signal,
                }
                for instance in self.world.fleet.instances.values()
            ]
        })  # fmt: skip

    async def _stops(self, _: Request) -> Response:
        return JSONResponse({
            "stops": [
                {
                    "instance": stop.instance,
                    "worker_pool": stop.worker_pool,
                    "cause": stop.cause.value,
                    "was_busy": stop.was_busy,
                    "by": stop.by,
                    "at": stop.at,
                    "killed": stop.killed,
                }
                for stop in self.world.fleet.stops
            ]
        })  # fmt: skip

    async def _writes(self, _: Request) -> Response:
        return JSONResponse({
            "writes": [
                {
                    "method": write.method,
                    "worker_pool": write.worker_pool,
                    "from": write.from_count,
                    "to": write.to_count,
                    "status": write.status,
                    "at": write.at,
                }
                for write in self.world.writes
            ]
        })  # fmt: skip

    async def _log(self, request: Request) -> Response:
        instance = request.path_params["instance"]
        if instance not in self.world.fleet.instances:
            raise NotFoundError(f"Instance '{instance}' is not known.")
        path = self.host.log_path(instance)
        return PlainTextResponse(path.read_text(errors="replace") if path.exists() else "")

    async def _preempt(self, request: Request) -> Response:
        await self.host.preempt(request.path_params["instance"])
        return JSONResponse({}, status_code=202)

    async def _put_secret(self, request: Request) -> Response:
        value = _text(await _body(request), "value")
        path = request.path_params
        version = self.secrets.add_version(path["project"], path["secret"], value)
        return JSONResponse(
            {"name": f"projects/{path['project']}/secrets/{path['secret']}/versions/{version}"},
            status_code=201,
        )

    async def _identity_token(self, request: Request) -> Response:
        body = await _body(request)
        lifetime = body.get("lifetime_seconds", TOKEN_LIFETIME_SECONDS)
        if not isinstance(lifetime, int | float):
            raise InvalidArgumentError("'lifetime_seconds' must be a number.")
        token = self.tokens.identity_token(
            email=_text(body, "email"), audience=_text(body, "audience"), lifetime_seconds=lifetime
        )
        return JSONResponse({"token": token})

    async def _rotate_identity_keys(self, request: Request) -> Response:
        withdraw = (await _body(request)).get("withdraw", False)
        if not isinstance(withdraw, bool):
            raise InvalidArgumentError("'withdraw' must be true or false.")
        return JSONResponse({"kid": self.tokens.rotate(withdraw=withdraw)}, status_code=201)

    async def _credentials(self, _: Request) -> Response:
        return JSONResponse(self.tokens.credentials())

    async def _access_token(self, request: Request) -> Response:
        return JSONResponse({"token": self.tokens.access_token(email=_text(await _body(request), "email"))})

    async def _accounts(self, _: Request) -> Response:
        return JSONResponse({"accounts": self.accounts.roles()})

    async def _put_account(self, request: Request) -> Response:
        roles = (await _body(request)).get("roles")
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise InvalidArgumentError("'roles' must be a list of texts.")
        try:
            self.accounts.give(request.path_params["email"], roles)
        except UnknownRole as error:
            raise InvalidArgumentError(str(error)) from None
        return JSONResponse({"roles": sorted(set(roles))})

    async def _put_quota(self, request: Request) -> Response:
        limit = (await _body(request)).get("writes_per_minute")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            raise InvalidArgumentError("'writes_per_minute' must be an integer of at least 0.")
        self.quota.writes_per_minute = limit
        return JSONResponse({"writes_per_minute": limit})

    async def _put_normal_form(self, request: Request) -> Response:
        shown = (await _body(request)).get("shown")
        if not isinstance(shown, bool):
            raise InvalidArgumentError("'shown' must be true or false.")
        self.world.shows_normal_form = shown
        return JSONResponse({"shown": shown})

    async def _faults(self, _: Request) -> Response:
        return JSONResponse(self.world.faults.report())

    async def _put_faults(self, request: Request) -> Response:
        given = (await _body(request)).get("faults")
        if not isinstance(given, dict):
            raise InvalidArgumentError("'faults' must be an object: name to parameters.")
        try:
            self.world.faults.replace(given, now=self.clock())
        except WrongFault as error:
            raise InvalidArgumentError(str(error)) from None
        self.host.nudge()
        return JSONResponse({"faults": self.world.faults.switched_on()})

    async def _public_keys(self, _: Request) -> Response:
        return JSONResponse(self.tokens.public_keys())


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        raise InvalidArgumentError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise InvalidArgumentError("The body must be a JSON object.")
    return body


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"'{key}' must be a text that is not empty.")
    return value
