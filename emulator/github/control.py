"""The control door of the stand-in GitHub: docs/reference/emulator.md. Ours, not the vendor's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.faults import WrongFault
from emulator.github.accounts import RunnerGroup
from emulator.github.jobs import Job, Run
from emulator.github.keys import new_key, private_pem, public_pem
from emulator.github.refusals import ControlRefusal
from emulator.github.site import Site

Endpoint = Callable[[Request], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Endpoint:
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ControlRefusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)

    return answered


class Control:
    """Sets the world up, moves it, and shows what no vendor's API shows."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        table = (
            ("POST", "/_control/setup", self._set_up),
            ("PUT", "/_control/webhook", self._set_webhook),
            ("POST", "/_control/organizations/{organization}/app_keys", self._add_app_key),
            ("DELETE", "/_control/organizations/{organization}/app_keys", self._delete_app_key),
            ("GET", "/_control/credentials", self._credentials),
            ("POST", "/_control/repositories/{owner}/{repo}/push", self._push),
            ("GET", "/_control/jobs", self._jobs),
            ("GET", "/_control/registrations", self._registrations),
            ("GET", "/_control/requests", self._requests),
            ("GET", "/_control/faults", self._faults),
            ("PUT", "/_control/faults", self._put_faults),
        )
        return [Route(path, _answering(endpoint), methods=[method]) for method, path, endpoint in table]

    async def _set_up(self, request: Request) -> Response:
        wish = await _json_object(request)
        login = _text(wish, "organization")
        repositories = {
            _text(one, "name"): _boolean(one, "private", default=True)
            for one in _objects(wish, "repositories")
        }
        groups = tuple(_group(one) for one in _objects(wish, "runner_groups"))
        key = await asyncio.to_thread(new_key)
        organization = self._site.world.accounts.set_up(
            login=login,
            repositories=repositories,
            groups=groups,
            app_public_key=public_pem(key),
            now=self._site.clock(),
        )
        if wish.get("webhook_url") is not None:
            self._site.world.accounts.set_webhook(
                url=_text(wish, "webhook_url"), secret=wish.get("webhook_secret")
            )
        app = organization.installation.app
        return JSONResponse(
            {
                "app_id": app.id,
                "client_id": app.client_id,
                "private_key": private_pem(key),
                "installation_id": organization.installation.id,
                "organization": organization.login,
            },
            status_code=201,
        )

    async def _set_webhook(self, request: Request) -> Response:
        wish = await _json_object(request)
        url = None if wish.get("url") is None else _text(wish, "url")
        self._site.world.accounts.set_webhook(url=url, secret=wish.get("secret"))
        return JSONResponse({"url": url})

    async def _add_app_key(self, request: Request) -> Response:
        key = await asyncio.to_thread(new_key)
        self._site.world.accounts.change_app_keys(
            request.path_params["organization"], lambda keys: (*keys, public_pem(key))
        )
        return JSONResponse({"private_key": private_pem(key)}, status_code=201)

    async def _delete_app_key(self, request: Request) -> Response:
        self._site.world.accounts.change_app_keys(request.path_params["organization"], lambda keys: keys[1:])
        return JSONResponse({})

    async def _credentials(self, _request: Request) -> Response:
        return JSONResponse({kind: list(texts) for kind, texts in self._site.credentials.items()})

    async def _push(self, request: Request) -> Response:
        wish = await _json_object(request)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        repository = self._site.world.accounts.repository(owner, name)
        if repository is None:
            raise ControlRefusal(404, f"there is no repository {owner}/{name}; set it up at /_control/setup")
        workflows = wish.get("workflows")
        if not isinstance(workflows, dict) or not all(isinstance(text, str) for text in workflows.values()):
            raise ControlRefusal(422, "workflows must be an object of file names and texts")
        runs = self._site.world.work.push(
            repository,
            workflows=workflows,
            source=None if wish.get("source") is None else _text(wish, "source"),
            github_url=self._site.links.public_url,
            now=self._site.clock(),
        )
        self._site.settle()
        return JSONResponse({"runs": [run.id for run in runs]}, status_code=201)

    async def _jobs(self, request: Request) -> Response:
        with_log = request.query_params.get("log") == "1"
        jobs = [self._job(job, run, with_log=with_log) for job, run in self._site.world.ledger.every_job()]
        return JSONResponse({"jobs": jobs})

    def _job(self, job: Job, run: Run, *, with_log: bool) -> dict[str, Any]:
        body = {
            "id": job.id,
            "run_id": job.run_id,
            "repository": run.repository.full_name,
            "workflow": run.workflow,
            "name": job.name,
            "labels": list(job.labels),
            "status": job.status.value,
            "conclusion": job.conclusion,
            "created_at": job.created_at,
            "queued_at": job.queued_at,
            "started_at": job.started_at,
            "completed_at": job.completed_at,
            "runner_id": job.runner.id if job.runner else None,
            "runner_name": job.runner.name if job.runner else None,
            "instance": job.runner.instance if job.runner else None,
            "attempts": job.attempts,
            "acquired": job.acquired,
            "message": job.message,
        }
        return body | {"log": self._site.world.ledger.log_of(job)} if with_log else body

    async def _registrations(self, _request: Request) -> Response:
        runners, now = self._site.world.runners, self._site.clock()
        listed = [
            {
                "id": one.id,
                "name": one.name,
                "labels": list(one.labels),
                "status": "online" if runners.is_online(one, now=now) else "offline",
                "busy": one.is_busy,
                "created_at": one.created_at,
            }
            for one in runners.every()
        ]
        return JSONResponse({"registrations": listed})

    async def _requests(self, _request: Request) -> Response:
        counted = [
            {"method": method, "path": path, "status": status, "count": count}
            for (method, path, status), count in sorted(self._site.requests.items())
        ]
        return JSONResponse({"requests": counted})

    async def _faults(self, _request: Request) -> Response:
        return JSONResponse(self._site.world.faults.report())

    async def _put_faults(self, request: Request) -> Response:
        given = (await _json_object(request)).get("faults")
        if not isinstance(given, dict):
            raise ControlRefusal(400, "'faults' must be an object: name to parameters.")
        try:
            self._site.world.faults.replace(given, now=self._site.clock())
        except WrongFault as error:
            raise ControlRefusal(400, str(error)) from None
        self._site.settle()
        return JSONResponse({"faults": self._site.world.faults.switched_on()})


def _group(wish: dict[str, Any]) -> RunnerGroup:
    names = wish.get("repositories")
    if names is not None and not isinstance(names, list):
        raise ControlRefusal(422, "repositories of a runner group must be a list of names, or null for all")
    return RunnerGroup(
        id=0,  # the accounts number it
        name=_text(wish, "name"),
        allows_public_repositories=_boolean(wish, "allows_public_repositories", default=False),
        repositories=None if names is None else frozenset(str(name).casefold() for name in names),
    )


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        parsed = await request.json()
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ControlRefusal(422, "the body must be a JSON object")
    return parsed


def _text(wish: dict[str, Any], key: str) -> str:
    value = wish.get(key)
    if not isinstance(value, str) or not value:
        raise ControlRefusal(422, f"{key} must be a text that is not empty")
    return value


def _boolean(wish: dict[str, Any], key: str, *, default: bool) -> bool:
    value = wish.get(key, default)
    if not isinstance(value, bool):
        raise ControlRefusal(422, f"{key} must be true or false")
    return value


def _objects(wish: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = wish.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ControlRefusal(422, f"{key} must be a list of objects")
    return value
