"""A broker for one runner, on a real socket: hands out one job and records what the runner said.

It answers in the shapes of GitHub's v2 protocol, independently of the stand-in GitHub; a test may put its own
answer in the place of any call.
"""

import base64
import json
import queue
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.workflow.message import job_request_message
from emulator.workflow.run import RunPlan
from emulator.workflow.values import Value

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
POLL_SECONDS = 1.0
FAULTS_VARIABLE = "system.emulator.runner_faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the runner."""

    name: str  # token, session, message, …; `DELETE session` for the other method
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    at: float
    is_open: Callable[[], bool] = field(repr=False)


Answer = tuple[int, Any]


@dataclass(slots=True)
class StandInBroker:
    """What the broker will answer, and what it was asked."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    messages: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)
    answers: dict[str, Callable[[Call], Answer | None]] = field(default_factory=dict)
    log: str = ""
    job: dict[str, Any] | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def jit_configuration(self) -> str:
        """The registration's configuration in the real format."""
        numbers = _KEY.private_numbers()
        runner = {
            "AgentId": "7",
            "AgentName": "ci-cell1-abc",
            "DisableUpdate": "True",
            "Ephemeral": "True",
            "PoolId": "1",
            "PoolName": "Default",
            "ServerUrl": self.url,
            "ServerUrlV2": self.url,
            "UseV2Flow": "True",
            "WorkFolder": "_work",
        }
        data = {
            "clientId": "11111111-2222-3333-4444-555555555555",
            "authorizationUrl": f"{self.url}v1-must-not-be-asked",
            "authorizationUrlV2": f"{self.url}token",
            "oauthEndpointUrl": f"{self.url}token",
            "requireFipsCryptography": "True",
        }
        parameters = {
            "d": numbers.d,
            "dp": numbers.dmp1,
            "dq": numbers.dmq1,
            "exponent": numbers.public_numbers.e,
            "inverseQ": numbers.iqmp,
            "modulus": numbers.public_numbers.n,
            "p": numbers.p,
            "q": numbers.q,
        }
        files = {
            ".runner": runner,
            ".credentials": {"Scheme": "OAuth", "Data": data},
            ".credentials_rsaparams": {name: _number(value) for name, value in parameters.items()},
        }
        encoded = {name: _base64(json.dumps(content).encode()) for name, content in files.items()}
        return _base64(json.dumps(encoded).encode())

    def queue_job(
        self,
        workflow: str,
        *,
        source: str | None = None,
        key: str | None = None,
        faults: Mapping[str, object] | None = None,
    ) -> None:
        """Queues the first due job of a workflow file for this runner. `faults`: of the runner, with parameters."""
        github: dict[str, Value] = {
            "repository": "acme/widgets",
            "ref": "refs/heads/main",
            "sha": "0" * 40,
            "event": {"after": "x"},
        }
        due = RunPlan.load(workflow, filename="ci.yml").start(github=dict(github), run_id=1).due()
        planned = due[0] if key is None else next(job for job in due if job.key == key)
        self.job = job_request_message(
            planned.definition,
            job_id=str(uuid.uuid4()),
            plan_id=str(uuid.uuid4()),
            timeline_id=str(uuid.uuid4()),
            run_service_url=f"{self.url}run/",
            access_token="job-token-secret",
            source=source,
            github=dict(github),
            log_url=f"{self.url}log",
        )
        if faults is not None:
            self.job["variables"][FAULTS_VARIABLE] = {"value": json.dumps(faults)}
        self.send("RunnerJobRequest", self.reference())

    def reference(self) -> dict[str, Any]:
        """The body of a RunnerJobRequest message."""
        return {
            "id": "1",
            "runner_request_id": "request-1",
            "run_service_url": f"{self.url}run/",
            "billing_owner_id": "owner",
            "should_acknowledge": True,
        }

    def send(self, kind: str, body: dict[str, Any]) -> None:
        """Lets the next poll hear a message."""
        self.messages.put({"messageId": 1, "messageType": kind, "body": json.dumps(body)})

    def heard(self, name: str) -> list[Call]:
        """The calls of this name so far."""
        with self.changed:
            return [call for call in self.calls if call.name == name]

    def wait_for(self, name: str, *, count: int = 1, seconds: float = 20.0) -> list[Call]:
        """Waits until a call was made often enough; fails with what was seen."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while sum(call.name == name for call in self.calls) < count:
                if not self.changed.wait(deadline - time.monotonic()):
                    seen = [call.name for call in self.calls]
                    raise AssertionError(f"{name} was not called {count} times in {seconds} s; calls: {seen}")
        return self.heard(name)

    @property
    def completion(self) -> dict[str, Any]:
        """The body of the one completejob call."""
        (call,) = self.heard("completejob")
        assert isinstance(call.body, dict)
        return call.body

    def answer(self, call: Call) -> Answer:
        """The reply to a call, after recording it."""
        with self.changed:
            self.calls.append(call)
            self.changed.notify_all()
        given = self.answers[call.name](call) if call.name in self.answers else None
        return given or self._usual(call)

    def _usual(self, call: Call) -> Answer:
        match call.name:
            case "token":
                assertion = call.body["client_assertion"][0]
                claims = jwt.decode(
                    assertion, _KEY.public_key(), algorithms=["RS256"], audience=f"{self.url}token"
                )
                assert claims["iss"] == claims["sub"] == "11111111-2222-3333-4444-555555555555"
                return 200, {"access_token": "runner-token", "token_type": "Bearer", "expires_in": 3000}
            case "session":
                return 200, {"sessionId": "session-1", "ownerName": call.body["ownerName"]}
            case "message":
                return self._message(call)
            case "acquirejob":
                return 200, self.job
            case "renewjob":
                until = time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(time.time() + 600))
                return 200, {"lockedUntil": until}
            case "log":
                self.log += str(call.body)
                return 204, None
            case _:
                return 200, None

    def _message(self, call: Call) -> Answer:
        """Holds the poll; one that the runner has given up must not swallow a message."""
        deadline = call.at + POLL_SECONDS
        while time.monotonic() < deadline and call.is_open():
            if not self.messages.empty():
                return 200, self.messages.get()
            time.sleep(0.01)  # how often the broker looks, not what a test waits for
        return 202, None


def broker_error(kind: str, *, status: int = 404, message: str | None = None) -> Answer:
    """The broker's error body."""
    return status, {
        "source": "actions-broker-listener",
        "errorKind": kind,
        "statusCode": status,
        "errorMessage": message or kind,
    }


@contextmanager
def running_broker() -> Iterator[StandInBroker]:
    """A broker on a port of its own for as long as the context lasts."""
    broker = StandInBroker()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            name = parts.path.rsplit("/", 1)[-1]
            if self.command == "DELETE":
                name = f"DELETE {name}"
            status, content = broker.answer(
                Call(
                    name=name,
                    query={key: values[0] for key, values in parse_qs(parts.query).items()},
                    body=_decoded(raw, str(self.headers.get("Content-Type"))),
                    headers={key.lower(): value for key, value in self.headers.items()},
                    at=time.monotonic(),
                    is_open=self._is_open,
                )
            )
            body = b"" if content is None else json.dumps(content).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the runner has given the poll up
            self.close_connection = True

        def _is_open(self) -> bool:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return not readable or bool(self.connection.recv(1, socket.MSG_PEEK))

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Silent: the calls are recorded."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    broker.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield broker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _decoded(raw: bytes, content_type: str) -> Any:
    if "json" in content_type:
        return json.loads(raw)
    if "urlencoded" in content_type:
        return parse_qs(raw.decode())
    return raw.decode()


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
