"""The stand-in GitHub on a socket for tests: a server in a thread, and a client whose exchanges are checked.

`Checked` holds every REST exchange against GitHub's published description.
"""

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.faults import Given
from emulator.github.jobs import PlanLoader
from emulator.github.server import GitHubStandIn, load_plan
from tests.emulator_github_runner import Runner
from tests.emulator_github_world import FakeJob, FakePlan, matrix_workflow, plans, workflow
from tests.github_schema import check_exchange

# One door for tests that want a server: what it is fed with and who speaks to it come along.
__all__ = [
    "Checked",
    "FakeJob",
    "FakePlan",
    "GitHubServer",
    "Installed",
    "Runner",
    "eventually",
    "matrix_workflow",
    "plans",
    "workflow",
]

DEADLINE_SECONDS = 10.0


class MovableClock:
    """The system's clock, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_seconds


class GitHubServer:
    """The stand-in on a loopback port, in a thread with an event loop of its own. A context manager.

    Its clock is the system's until a test moves it with `pass_time`, so nothing needs to be waited for.
    """

    def __init__(
        self,
        *,
        time_factor: float = 1.0,
        plan_loader: PlanLoader = load_plan,
        faults: Given | None = None,
    ) -> None:
        self.clock = MovableClock()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.stand_in = GitHubStandIn(
            time_factor=time_factor,
            seed=7,
            clock=self.clock,
            public_url=lambda: self.url,
            plan_loader=plan_loader,
            faults=faults,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.stand_in.app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        # One client for all calls: making one loads certificates, for which there is no use here.
        self.client = httpx.Client(
            trust_env=False, verify=False, timeout=30.0, limits=httpx.Limits(max_connections=100)
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="stand-in GitHub")

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started, "the stand-in GitHub answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive(), "the stand-in GitHub did not end"
        self._socket.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        background = asyncio.create_task(self.stand_in.run())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await background

    def pass_time(self, seconds: float) -> None:
        """Put the clock forward, and let what is due by then happen."""
        assert self._loop is not None
        self.clock.ahead_seconds += seconds
        self._loop.call_soon_threadsafe(self.stand_in._site.settle)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call at the control door that must succeed; its JSON."""
        reply = self.client.request(method, f"{self.url}/_control/{path}", json=body)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()

    def switch_on(self, faults: Given) -> None:
        """Exactly these faults are on."""
        self.control("PUT", "faults", {"faults": faults})

    def struck(self, fault: str) -> int:
        """How often a fault has struck since the server began."""
        return int(self.control("GET", "faults")["struck"][fault])

    def set_up(self, organization: str = "acme", **more: Any) -> "Installed":
        repositories = more.pop("repositories", [{"name": "widgets", "private": True}])
        made = self.control(
            "POST", "setup", {"organization": organization, "repositories": repositories, **more}
        )
        return Installed(server=self, **made)

    def push(self, workflow: str, *, repository: str = "acme/widgets") -> int:
        [run_id] = self.control(
            "POST", f"repositories/{repository}/push", {"workflows": {"ci.yml": workflow}}
        )["runs"]
        return int(run_id)

    def job(self, job_id: int) -> dict[str, Any]:
        return next(job for job in self.control("GET", "jobs?log=1")["jobs"] if job["id"] == job_id)


def eventually(fact: Callable[[], Any], what: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> Any:
    """Ask for `fact` until it is true; what was seen last is part of the failure."""
    end = time.monotonic() + deadline_seconds
    while True:
        seen = fact()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {deadline_seconds} s: {what}; last seen: {seen!r}"
        time.sleep(0.01)


@functools.cache
def loaded_key(pem: str) -> rsa.RSAPrivateKey:
    """The key in a PEM text; loading one takes longer than making it, so each is loaded once."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An organization with an App, as /_control/setup made it."""

    server: GitHubServer
    organization: str
    app_id: int
    client_id: str
    private_key: str = field(repr=False)
    installation_id: int

    @property
    def runners(self) -> str:
        """The path of the organization's runners."""
        return f"/orgs/{self.organization}/actions/runners"

    def push(self, *jobs: str) -> int:
        """A run of so many jobs; its id."""
        return self.server.push(workflow(*jobs), repository=f"{self.organization}/widgets")

    def jwt(self, *, key: str | None = None, algorithm: str = "RS256", **claims: Any) -> str:
        """A good JSON Web Token of the App; `claims` take the place of the good ones, None removes one."""
        now = int(self.server.clock())
        good = {"iat": now - 60, "exp": now + 540, "iss": self.client_id}
        chosen = {name: value for name, value in {**good, **claims}.items() if value is not None}
        signing_key = loaded_key(self.private_key) if key is None else key
        return jwt.encode(chosen, signing_key, algorithm=algorithm)

    def as_app(self, token: str | None = None) -> "Checked":
        return Checked(self.server, token or self.jwt())

    def token(self, **wish: Any) -> str:
        path = f"/app/installations/{self.installation_id}/access_tokens"
        return str(self.as_app().post(path, wish or None).json()["token"])

    def as_installation(self, **wish: Any) -> "Checked":
        return Checked(self.server, self.token(**wish))

    def runner(
        self, name: str, *, labels: Sequence[str] = ("self-hosted",), instance: str | None = None
    ) -> "Runner":
        body = {"name": name, "runner_group_id": 1, "labels": list(labels)}
        made = self.as_installation().post(
            f"/orgs/{self.organization}/actions/runners/generate-jitconfig", body
        )
        assert made.status_code == 201, made.text
        return Runner(made.json()["encoded_jit_config"], server=self.server, instance=instance)


class Checked:
    """A client whose every exchange must fit GitHub's description."""

    def __init__(self, server: GitHubServer, token: str | None) -> None:
        self._url = server.url
        self._client = server.client
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.request("POST", path, body)

    def delete(self, path: str) -> httpx.Response:
        return self.request("DELETE", path)

    def request(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        url = f"{self._url}/api/v3{path}"
        sent = {} if body is None else {"json": body}
        reply = self._client.request(method, url, headers={**self._headers, **(headers or {})}, **sent)
        check_exchange(method, path, body, reply.status_code, reply.json() if reply.content else None)
        assert reply.headers["x-github-request-id"]
        return reply

    def pages(self, path: str, key: str) -> Iterator[list[Any]]:
        """Every page of a list, following Link."""
        while True:
            reply = self.get(path)
            yield reply.json()[key]
            link = reply.links.get("next")
            if link is None:
                return
            assert link["url"].startswith(self._url), link
            path = link["url"].removeprefix(f"{self._url}/api/v3")


def jit_request(name: str, **changes: object) -> dict[str, object]:
    """The body of a request for a JIT configuration, honest but for `changes`."""
    return {"name": name, "runner_group_id": 1, "labels": ["self-hosted", "linux"], **changes}
