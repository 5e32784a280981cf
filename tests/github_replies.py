"""GitHub's replies for tests of our client: documents, a key, a clock, and a client on a mocked transport."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import respx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from github_api.app_auth import AppKey
from github_api.client import GitHub
from github_api.secret import Secret
from github_api.values import Scope

API = "https://github.test/api/v3"
EPOCH = 1_800_000_000.0


@cache
def private_key() -> rsa.RSAPrivateKey:
    """One key for the whole run: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(
    key: Any = None,
    *,
    password: bytes | None = None,
    form: serialization.PrivateFormat = serialization.PrivateFormat.TraditionalOpenSSL,
) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    text: bytes = (key or private_key()).private_bytes(serialization.Encoding.PEM, form, encryption)
    return text.decode()


def app_key() -> AppKey:
    return AppKey.from_pem(Secret(pem()))


@dataclass
class Clock:
    """Seconds since the epoch that only a test moves; `slept` is what the client has waited."""

    now: float = EPOCH
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def job(job_id: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "run_id": 7,
        "run_attempt": 1,
        "name": "test",
        "status": "queued",
        "conclusion": None,
        "labels": ["self-hosted", "Linux"],
        "created_at": "2027-01-15T08:00:00Z",
        "started_at": "2027-01-15T08:00:00Z",
        "completed_at": None,
        "runner_id": None,
        "runner_name": None,
        "html_url": "https://github.test/acme/widgets/actions/runs/7/job/1",
        **changes,
    }


def run(run_id: int = 7, **changes: Any) -> dict[str, Any]:
    return {
        "id": run_id,
        "status": "queued",
        "run_attempt": 1,
        "created_at": "2027-01-15T08:00:00Z",
        "html_url": "https://github.test/acme/widgets/actions/runs/7",
        **changes,
    }


def runner(runner_id: int = 3, **changes: Any) -> dict[str, Any]:
    return {
        "id": runner_id,
        "name": "linux-a1",
        "status": "online",
        "busy": False,
        "labels": [{"id": 1, "name": "Linux", "type": "custom"}],
        **changes,
    }


@dataclass
class World:
    """The client, its mocked GitHub and its clock. `tokens` are the installation tokens given so far."""

    github: GitHub
    router: respx.Router
    clock: Clock
    tokens: list[str] = field(default_factory=list)

    def calls(self, part: str) -> list[httpx.Request]:
        """The requests sent to URLs that contain `part`, oldest first."""
        return [call.request for call in self.router.calls if part in str(call.request.url)]


@contextmanager
def github_world(*, scope: str = "acme", token_life_seconds: float = 3600.0) -> Iterator[World]:
    """A client whose App is installed in `scope` as installation 55."""
    clock = Clock()
    with respx.mock(assert_all_called=False) as router:
        github = GitHub(
            app_id="Iv23abc",
            key=app_key(),
            scope=Scope.named(scope),
            url=API,
            http=httpx.AsyncClient(),
            clock=clock,
            sleep=clock.sleep,
            monotonic=clock,
            chance=random.Random(1),
        )
        world = World(github, router, clock)
        numbers = itertools.count(1)

        def new_token(_: httpx.Request) -> httpx.Response:
            world.tokens.append(f"ghs_{next(numbers)}")
            end = iso(clock.now + token_life_seconds)
            return httpx.Response(201, json={"token": world.tokens[-1], "expires_at": end})

        router.get(f"{API}{Scope.named(scope).path}/installation", name="installation").respond(
            200, json={"id": 55}
        )
        router.post(f"{API}/app/installations/55/access_tokens", name="token").mock(side_effect=new_token)
        yield world


def iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_turn(*replies: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """One reply per request; asking once more is a fault of the test's subject."""
    waiting = iter(replies)

    def reply(_: httpx.Request) -> httpx.Response:
        answer = next(waiting, None)
        assert answer is not None, "one request more than expected"
        if isinstance(answer, Exception):
            raise answer
        return answer

    return reply


def page(
    key: str, items: list[dict[str, Any]], *, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return httpx.Response(200, json={"total_count": len(items), key: items}, headers=headers)
