"""A runner by hand, for tests of the stand-in GitHub: says just what a test wants to say, in the order it wants."""

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


class Served(Protocol):
    """What a runner needs of the server: its client and its clock."""

    @property
    def client(self) -> httpx.Client: ...
    @property
    def clock(self) -> Callable[[], float]: ...


class Runner:
    """The runner's side by hand: just what a test wants to say, in the order it wants."""

    def __init__(self, encoded: str, *, server: Served, instance: str | None = None) -> None:
        self._client, self._clock = server.client, server.clock
        files = json.loads(base64.b64decode(encoded))
        self.settings, credentials, parameters = (
            json.loads(base64.b64decode(files[name]))
            for name in (".runner", ".credentials", ".credentials_rsaparams")
        )
        self.credentials = credentials["Data"]
        self.key = private_key(parameters)
        self._instance = instance
        self._token: str | None = None
        self.session_id: str | None = None

    @property
    def id(self) -> int:
        return int(self.settings["AgentId"])

    def ask_for_token(self, **changes: Any) -> httpx.Response:
        now = int(self._clock())
        claims = {
            "iss": self.credentials["clientId"],
            "sub": self.credentials["clientId"],
            "aud": self.credentials["authorizationUrlV2"],
            "nbf": now,
            "exp": now + 300,
        }
        key = changes.pop("key", self.key)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode({**claims, **changes}, key, algorithm="RS256"),
        }
        return self._client.post(self.credentials["authorizationUrlV2"], data=form)

    def call(self, method: str, url: str, body: Any = None, *, timeout: float = 20.0) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._token}"}
        if self._instance is not None:
            headers["x-emulator-instance"] = self._instance
        sent = {} if body is None else {"json": body}
        return self._client.request(method, url, headers=headers, timeout=timeout, **sent)

    def broker(self, method: str, path: str, body: Any = None, *, timeout: float = 20.0) -> httpx.Response:
        return self.call(method, self.settings["ServerUrlV2"] + path, body, timeout=timeout)

    def open_session(self) -> httpx.Response:
        self._token = self.ask_for_token().json()["access_token"]
        agent = {
            "id": self.id,
            "name": self.settings["AgentName"],
            "version": "2.337.0",
            "osDescription": "Linux 6.1",
        }
        reply = self.broker("POST", "session", {"ownerName": "test", "agent": agent})
        if reply.is_success:
            self.session_id = reply.json()["sessionId"]
        return reply

    def poll(self, *, status: str = "Online", timeout: float = 20.0) -> httpx.Response:
        path = f"message?sessionId={self.session_id}&status={status}&runnerVersion=2.337.0"
        return self.broker("GET", path, timeout=timeout)

    def poll_for_a_moment(self, seconds: float = 0.3) -> None:
        """Listen, hear nothing, hang up."""
        with contextlib.suppress(httpx.ReadTimeout):
            reply = self.poll(timeout=seconds)
            raise AssertionError(f"nothing was to be heard: {reply.status_code} {reply.text}")

    def next_job(self) -> dict[str, Any]:
        """Wait for a job message; what it refers to."""
        reply = self.poll()
        assert reply.status_code == 200, f"{reply.status_code} {reply.text}"
        assert reply.json()["messageType"] == "RunnerJobRequest"
        reference: dict[str, Any] = json.loads(reply.json()["body"])
        return reference

    def acquire(self, reference: Mapping[str, Any]) -> httpx.Response:
        body = {"jobMessageId": reference["runner_request_id"], "runnerOS": "Linux", "billingOwnerId": "x"}
        return self.call("POST", reference["run_service_url"] + "acquirejob", body)

    def renew(self, job: Mapping[str, Any]) -> httpx.Response:
        return self.job_call(job, "renewjob", {})

    def complete(
        self, job: Mapping[str, Any], conclusion: object = "succeeded", **more: Any
    ) -> httpx.Response:
        return self.job_call(job, "completejob", {"conclusion": conclusion, **more})

    def job_call(self, job: Mapping[str, Any], call: str, body: dict[str, Any]) -> httpx.Response:
        """With the job's own token, as the real runner does."""
        [endpoint] = job["resources"]["endpoints"]
        token = endpoint["authorization"]["parameters"]["AccessToken"]
        sent = {"planId": job["plan"]["planId"], "jobId": job["jobId"], **body}
        return self._client.post(
            endpoint["url"] + call, json=sent, headers={"authorization": f"Bearer {token}"}
        )

    def run_one_job(self, conclusion: object = "succeeded") -> dict[str, Any]:
        """Session, message, acquire, complete."""
        assert self.open_session().is_success
        job: dict[str, Any] = self.acquire(self.next_job()).json()
        assert self.complete(job, conclusion).is_success
        return job


def private_key(parameters: Mapping[str, str]) -> rsa.RSAPrivateKey:
    """The key in `.credentials_rsaparams`."""
    number = {name: int.from_bytes(base64.b64decode(text), "big") for name, text in parameters.items()}
    public = rsa.RSAPublicNumbers(e=number["exponent"], n=number["modulus"])
    return rsa.RSAPrivateNumbers(
        p=number["p"],
        q=number["q"],
        d=number["d"],
        dmp1=number["dp"],
        dmq1=number["dq"],
        iqmp=number["inverseQ"],
        public_numbers=public,
    ).private_key(unsafe_skip_rsa_key_validation=True)
