"""GitHub and Google Cloud as far as one scaler asks them: any number of repositories and instances, no container started.

The stand-in world of this project starts real processes; a thousand of them do not fit on one machine, and it answers as
fast as it can. I answer after a fixed delay, and note when each request came and was answered.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PROJECT, REGION = "bench-project", "us-central1"
ORGANIZATION, DEPLOYMENT, POOL = "acme", "bench", "linux"
ACCOUNT = f"{DEPLOYMENT}-cells@{PROJECT}.iam.gserviceaccount.com"
CALLER = "cron@example.com"
LABELS = ("self-hosted", "linux")
_PARENT = f"projects/{PROJECT}/locations/{REGION}"
_PER_PAGE = 100
_TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to GitHub; times are monotonic seconds. `query`: what stands behind the path's `?`."""

    path: str
    query: str
    method: str
    status: int
    begun: float
    ended: float


@dataclass(kw_only=True)
class StubVendors:
    """Both vendors. `queued`: repository -> ids of its queued runs, of one job each."""

    repositories: tuple[str, ...]
    cell_sizes: tuple[int, ...]
    delay_seconds: float = 0.0
    queued: dict[str, tuple[int, ...]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the key that signs identity tokens and stands for the App's key too."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._counts = [0] * len(self.cell_sizes)
        self._registered = 0

    @property
    def app_key(self) -> str:
        """The App's private key as PEM; nobody here checks what it signs."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def counts(self) -> tuple[int, ...]:
        """The instance count of each cell as last written."""
        return tuple(self._counts)

    def identity_token(self, *, url: str, audience: str, email: str = ACCOUNT) -> str:
        """What Google would sign for that account."""
        now = int(time.time())
        claims = {"iss": url, "aud": audience, "sub": "1", "iat": now, "exp": now + _TOKEN_SECONDS}
        claims |= {"email": email, "email_verified": True}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "bench"})

    def app(self) -> Starlette:
        """The ASGI application of both."""
        runs = f"/repos/{ORGANIZATION}/{{repository}}/actions/runs"
        pools = f"/v2/{_PARENT}/workerPools"
        github: list[tuple[str, str, Callable[[Request], Response]]] = [
            ("GET", f"/orgs/{ORGANIZATION}/installation", lambda _: JSONResponse({"id": 1})),
            ("POST", "/app/installations/1/access_tokens", _access_token),
            ("GET", "/installation/repositories", self._repositories),
            ("GET", runs, self._runs),
            ("GET", f"{runs}/{{run:int}}/jobs", self._jobs),
            ("POST", f"/orgs/{ORGANIZATION}/actions/runners/generate-jitconfig", self._registration),
        ]
        return Starlette(
            routes=[
                *(Route(path, self._noted(answer), methods=[method]) for method, path, answer in github),
                Route("/certs", self._certs),
                Route(pools, self._worker_pools),
                Route(f"{pools}/{{pool}}", self._worker_pool, methods=["GET", "PATCH"]),
                Route(f"/v2/{_PARENT}/operations/{{operation}}", _operation),
            ]
        )

    def _noted(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            begun = time.monotonic()
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            response = _unless_known(request, answer(request))
            self.asked.append(
                Asked(
                    path=request.url.path,
                    query=request.url.query,
                    method=request.method,
                    status=response.status_code,
                    begun=begun,
                    ended=time.monotonic(),
                )
            )
            return response

        return answered

    def _repositories(self, request: Request) -> Response:
        page = int(request.query_params.get("page", "1"))
        begin = (page - 1) * _PER_PAGE
        shown = self.repositories[begin : begin + _PER_PAGE]
        body = {
            "total_count": len(self.repositories),
            "repositories": [{"full_name": f"{ORGANIZATION}/{name}", "private": True} for name in shown],
        }
        more = begin + _PER_PAGE < len(self.repositories)
        following = request.url.include_query_params(page=page + 1)
        return JSONResponse(body, headers={"link": f'<{following}>; rel="next"'} if more else {})

    def _runs(self, request: Request) -> Response:
        repository = request.path_params["repository"]
        wanted = request.query_params.get("status") == "queued"
        found = self.queued.get(repository, ()) if wanted else ()
        runs = [
            {
                "id": run,
                "status": "queued",
                "run_attempt": 1,
                "created_at": "2026-11-20T10:00:00Z",
                "html_url": f"https://github.invalid/{ORGANIZATION}/{repository}/actions/runs/{run}",
            }
            for run in found
        ]
        return JSONResponse({"total_count": len(runs), "workflow_runs": runs})

    def _jobs(self, request: Request) -> Response:
        run = request.path_params["run"]
        return JSONResponse({"total_count": 1, "jobs": [queued_job(run)]})

    def _registration(self, _: Request) -> Response:
        """Nobody here reads what a caller sends, so the name is not the one that was asked for."""
        self._registered += 1
        body = {
            "runner": {"id": self._registered, "name": f"bench-{self._registered}"},
            "encoded_jit_config": "YmVuY2g=",
        }
        return JSONResponse(body, status_code=201)

    async def _certs(self, _: Request) -> Response:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return JSONResponse(
            {
                "keys": [
                    {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "bench", "n": key["n"], "e": key["e"]}
                ]
            }
        )

    async def _worker_pools(self, _: Request) -> Response:
        return JSONResponse({"workerPools": [self._document(number) for number in range(len(self._counts))]})

    async def _worker_pool(self, request: Request) -> Response:
        number = [cell_name(each) for each in range(len(self._counts))].index(request.path_params["pool"])
        if request.method == "GET":
            return JSONResponse(self._document(number))
        self._counts[number] = int((await request.json())["scaling"]["manualInstanceCount"])
        return JSONResponse({"name": f"{_PARENT}/operations/1", "done": True})

    def _document(self, number: int) -> dict[str, Any]:
        return {
            "name": f"{_PARENT}/workerPools/{cell_name(number)}",
            "uid": f"uid-{number}",
            "etag": f'"{number}-{self._counts[number]}"',
            "generation": "1",
            "observedGeneration": "1",
            "labels": {
                "runner-pool-deployment": DEPLOYMENT,
                "runner-pool-pool": POOL,
                "runner-pool-size": str(self.cell_sizes[number]),
            },
            "scaling": {"scalingMode": "MANUAL", "manualInstanceCount": self._counts[number]},
            "template": {
                "serviceAccount": ACCOUNT,
                "containers": [{"env": [{"name": "RUNNER_POOL_CELL_SECRET", "value": cell_secret(number)}]}],
            },
        }


def cell_name(number: int) -> str:
    """The worker pool's id."""
    return f"{POOL}-{number}"


def cell_secret(number: int) -> str:
    """The cell's secret; it opens nothing but a bench."""
    return f"bench-cell-secret-{number:04}"


def queued_job(run: int) -> dict[str, Any]:
    """The one job of a run, as GitHub lists it and as its webhook tells of it."""
    return {
        "id": run * 10,
        "run_id": run,
        "run_attempt": 1,
        "name": "build",
        "status": "queued",
        "conclusion": None,
        "labels": list(LABELS),
        "created_at": "2026-11-20T10:00:00Z",
        "started_at": None,
        "completed_at": None,
        "runner_id": None,
        "runner_name": None,
        "html_url": None,
    }


def webhook(*, repository: str, run: int, secret: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of GitHub's delivery for the one job of a run that was queued."""
    payload = {
        "action": "queued",
        "workflow_job": queued_job(run),
        "repository": {"full_name": f"{ORGANIZATION}/{repository}", "private": True},
    }
    body = json.dumps(payload).encode()
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_job",
        "X-GitHub-Delivery": f"queued-{run}",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }


def _unless_known(request: Request, response: Response) -> Response:
    """304 when the caller has this very body, as at GitHub."""
    if request.method != "GET":
        return response
    etag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return response


def _access_token(_: Request) -> Response:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _TOKEN_SECONDS))
    return Response(
        json.dumps({"token": "bench-token", "expires_at": ends}),
        status_code=201,
        media_type="application/json",
    )


async def _operation(_: Request) -> Response:
    return JSONResponse({"name": f"{_PARENT}/operations/1", "done": True})
