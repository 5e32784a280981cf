"""Thousands of malformed, spoilt, forged and replayed requests: each gets the right refusal, and nothing else happens.

Ten thousand go to the service in process (real desk, real SQLite records, real tokens), some hundreds over real sockets to
a running scaler, with what is no HTTP at all. All derive from fixed seeds.
One long file, because both doors, in process and over sockets, are held to the same few assertions here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from cell_records.location import store_at
from cell_records.store import cell_key
from github_api.secret import Secret
from scaler.budget import MinuteBudget
from scaler.connections import HEAD_WITHIN_SECONDS, allow_many_connections
from scaler.identity import Identity
from scaler.instances import Instances
from scaler.lease_desk import DeskTimes, KnownCell, LeaseDesk, Terms
from scaler.records import Records
from scaler.registrar import Registrar, RunnerShape
from scaler.service import Admission, Service
from tests.desk_world import Mind
from tests.e2e.pool_world import wait_until
from tests.e2e.test_bad_input import ACCOUNT, CALLER, WEBHOOK_SECRET, Door, an_open_door
from tests.factories import OWNER, UID, a_record
from tests.hostile_requests import (
    BROKEN_HTTP,
    Honest,
    HostileRequest,
    hostile_requests,
    on_the_wire,
    pieces,
)
from tests.scaler_parts import Clock, RegistrationsOfGitHub
from tests.scaler_service_world import fixed_webhook, no_look
from tests.unit.test_scaler_identity import AUDIENCE, EMAIL, ISSUER, Issuer, a_token

# Some of them are harmless (odd looks at health, deliveries sent again), so more than ten thousand are sent.
IN_PROCESS_REQUESTS = 12_000
REFUSED_AT_LEAST = 10_000
SOCKET_REQUESTS = 500
HALF_OPEN = 1_000
# Every so many requests of the storm are sent again, twice, to weigh the service without the generator, which remembers
# what it has drawn.
SENT_AGAIN_EVERY = 20
# What a process may grow by: the interpreter's own slack. Keeping 4 KiB of each request would be more.
MARGIN_BYTES = 4 * 1024 * 1024

STORM = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def resident_bytes(process: int) -> int:
    """The resident memory of a process."""
    gc.collect()
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def assert_right(
    request: HostileRequest, status: int, headers: Mapping[str, str], body: bytes, hidden: Iterable[str]
) -> None:
    """A status that the request earns, the documented form, and nothing in it that is secret."""

    def shown() -> str:
        return f"{request!r} was answered {status}: {body[:300]!r}"

    assert status in request.right, shown()
    told = body.decode() + repr(dict(headers))
    assert not any(secret in told for secret in hidden), f"{request!r}: the answer shows a secret"
    assert "Traceback" not in told, shown()
    if status < 400:
        return
    assert headers["content-type"] == "application/json", shown()
    problem = json.loads(body)
    assert set(problem) == {"error", "message", "remedy"}, shown()
    assert all(isinstance(each, str) and each for each in problem.values()), shown()
    assert status != 405 or headers["allow"], shown()
    assert status != 503 or headers["retry-after"], shown()


class HostileWorld:
    """The service in process, over the real desk, records in SQLite and real tokens; one lease stands and fills its cell."""

    def __init__(self, folder: Path) -> None:
        self.store = store_at(f"sqlite:{folder / 'records.db'}")
        self.records = Records(self.store, owner=OWNER, nonce=lambda: f"nonce-{next(self._nonces)}")
        self.github, self.mind, clock = RegistrationsOfGitHub(), Mind(), Clock()
        self.looked_at: Counter[str] = Counter()
        self._nonces = count(1)
        self._secrets = {"linux-a": "the-secret-of-cell-a", "linux-b": "the-secret-of-cell-b"}
        terms = Terms(
            pool="linux",
            shape=RunnerShape(labels=("linux",), runner_group_id=1),
            listen_max_seconds=300.0,
            job_timeout_seconds=3_600.0,
        )
        self._cells = {
            name: Admission(
                cell=KnownCell(name=name, uid=UID, terms=terms, room=1), account=EMAIL, fault=None
            )
            for name in self._secrets
        }
        instances = Instances(clock, monotonic=clock)
        service = Service(
            desk=LeaseDesk(
                records=self.records,
                instances=instances,
                registrar=Registrar(
                    self.github, self.records, budget=MinuteBudget(10), jit_call_seconds=15.0, clock=clock
                ),
                mind=self.mind,
                times=DeskTimes(
                    heartbeat=20.0,
                    long_poll=0.01,
                    reply_within=30.0,
                    stop_ladder=10.0,
                    hard_end_margin=300.0,
                    dying=15.0,
                ),
                clock=clock,
            ),
            identity=Identity(Issuer("k1").keys, issuer=ISSUER, audience=AUDIENCE),
            cell=self._cells.get,
            secrets=lambda cell: (Secret(self._secrets[cell]),),
            callers=frozenset({CALLER}),
            look_at_cells=no_look,
            webhook=fixed_webhook(WEBHOOK_SECRET.decode()),
            on_repository=lambda name: self.looked_at.update([name]),
            tick=self._tick,
            status=lambda: {"pools": []},
            ready=lambda: None,
        )
        # What a request makes the application raise is raised here: a 500 shows its cause.
        self._transport = httpx.ASGITransport(service.app(), raise_app_exceptions=True)

    async def _tick(self) -> Mapping[str, object]:
        raise AssertionError("nobody hostile may tick")

    async def honest(self) -> Honest:
        """Somebody with a lease: its start was the one honest request so far."""
        for name in self._secrets:
            await self.records.create(name, a_record())
        boot, ask = "ab" * 16, 3
        body = {"cell": "linux-a", "boot": boot, "instance": "i-1", "ask": ask, "uptime": 1.5}
        headers = {"Authorization": f"Bearer {a_token()}", "X-Cell-Secret": self._secrets["linux-a"]}
        granted = (await self._call("/v1/leases/start", body, headers)).json()
        return Honest(
            cell="linux-a",
            boot=boot,
            lease=granted["lease"],
            ask=ask,
            standing=True,
            token=a_token(),
            bad_tokens=(
                a_token(exp=1),
                a_token(aud="https://another.example.com"),
                a_token(iss="https://evil.example"),
                a_token(email="stranger@example.com"),
                a_token(email_verified=False),
                a_token(key="k2"),
            ),
            caller_token=a_token(email=CALLER),
            secret=self._secrets["linux-a"],
            other_secret=self._secrets["linux-b"],
            webhook_secret=WEBHOOK_SECRET.decode(),
        )

    async def call(self, honest: Honest, path: str, **changes: object) -> httpx.Response:
        """An honest lease call."""
        headers = {name.decode(): value.decode() for name, value in honest.credentials()}
        return await self._call(path, {**honest.body(path), **changes}, headers)

    async def _call(
        self, path: str, body: Mapping[str, object], headers: Mapping[str, str]
    ) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://scaler.test") as http:
            return await http.post(path, json=body, headers=headers)

    async def send(self, request: HostileRequest) -> httpx.Response:
        """One hostile request, its target and headers as they are."""
        sent = httpx.Request(
            request.method,
            httpx.URL("http://scaler.test").copy_with(raw_path=request.target.encode()),
            headers=[*request.headers],
            content=_in_pieces(request.body) if request.chunked else request.body,
        )
        reply = await self._transport.handle_async_request(sent)
        await reply.aread()
        return reply


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for piece in pieces(body):
        yield piece


def hidden_from_all(honest: Honest, *more: str) -> tuple[str, ...]:
    """What no answer and no line of a log may show."""
    tokens = (honest.token, honest.caller_token, *honest.bad_tokens)
    signatures = tuple(token.rpartition(".")[2] for token in tokens)
    return (honest.secret, honest.other_secret, honest.webhook_secret, *signatures, *more)


# A failed example is shown by its own short repr; hypothesis's warning about long ones would hide the failure.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_ten_thousand_hostile_requests_change_nothing_and_learn_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In process: no exception leaves the service, the records stay as they are to the byte, no registration is spent."""
    answers: Counter[tuple[str, int]] = Counter()
    caplog.set_level(logging.INFO)
    kept: list[HostileRequest] = []
    distinct: set[int] = set()
    with asyncio.Runner() as runner:
        world = HostileWorld(tmp_path)
        honest = runner.run(world.honest())
        hidden = hidden_from_all(honest, "jit-of-")
        before = world.store.read_all()
        assert honest.lease in before[cell_key("linux-a")].text

        @settings(STORM, max_examples=IN_PROCESS_REQUESTS)
        @given(hostile_requests(honest, odd_lengths=True))
        def storm(request: HostileRequest) -> None:
            reply = runner.run(world.send(request))
            assert_right(request, reply.status_code, reply.headers, reply.content, hidden)
            answers[request.wrong, reply.status_code] += 1
            distinct.add(hash(request))
            if answers.total() % SENT_AGAIN_EVERY == 0:
                kept.append(request)

        storm()
        refused = sum(times for (_, status), times in answers.items() if status >= 400)
        assert refused >= REFUSED_AT_LEAST, answers
        memory = [resident_bytes(os.getpid())]
        for _ in range(2):
            for each in kept:
                again = runner.run(world.send(each))
                assert_right(each, again.status_code, again.headers, again.content, hidden)
            memory.append(resident_bytes(os.getpid()))
        grown = memory[-1] - memory[0]
        assert grown < MARGIN_BYTES, f"{grown} bytes more for {2 * len(kept)} requests"
        assert world.store.read_all() == before
        assert len(world.github.made) == 1
        assert world.github.deleted == []
        assert world.mind.told == []
        assert set(world.looked_at) <= {honest.repository}
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        assert not any(secret in caplog.text for secret in hidden)

        path = f"/v1/leases/{honest.lease}"
        assert runner.run(world.call(honest, f"{path}/events")).json() == {"reply": "continue", "queued": 3}
        assert runner.run(world.call(honest, f"{path}/end")).json() == {"reply": "exit"}
        granted = runner.run(world.call(honest, "/v1/leases/start", boot="cd" * 16))
        assert granted.json()["encoded_jit_config"].startswith("jit-of-")
    for (wrong, status), times in sorted(answers.items()):
        print(f"{wrong:22} {status} {times:6}")
    print(f"{answers.total()} requests, {len(distinct)} of them distinct, {refused} refused")
    print(f"{grown / 2**20:.1f} MiB more memory for {2 * len(kept)} more")


class Wire:
    """A running scaler in a world without jobs, and raw sockets to it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.process = door.world.scalers[0].pid
        self.port = door.world.forwarder.backends[0]

    def connected(self) -> socket.socket:
        """A fresh connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def honest(self) -> Honest:
        """The account, the cell and the secrets of this world; no lease stands in it."""
        door = self.door
        return Honest(
            cell=door.cell,
            boot="ab" * 16,
            lease="f" * 24,
            ask=3,
            standing=False,
            token=door.token(),
            bad_tokens=(
                door.token(lifetime_seconds=-3600),
                door.token(audience="https://another-scaler.example.com"),
                door.token("stranger@demo-project.iam.gserviceaccount.com"),
            ),
            caller_token=door.token(CALLER),
            secret=door.cells[door.cell],
            other_secret=door.cells[door.other],
            webhook_secret=WEBHOOK_SECRET.decode(),
        )

    def exchange(self, request: HostileRequest) -> tuple[int, Mapping[str, str], bytes] | None:
        """One request over its own connection; None when the server hung up before it could be read."""
        with self.connected() as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(on_the_wire(request))
            reply = HTTPResponse(connection, method=request.method)
            try:
                reply.begin()
                body = reply.read()
            except (ConnectionResetError, HTTPException):
                return None
            return reply.status, httpx.Headers(reply.getheaders()), body

    def answer_to(self, broken: bytes) -> bytes:
        """Everything that comes back for bytes that are no proper HTTP, once we have said that no more will come."""
        came = bytearray()
        with self.connected() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(broken)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                came += piece
        return bytes(came)

    def leases(self) -> dict[str, tuple[object, object]]:
        """The gate and the leases of every cell's record, as they stand in the store."""
        stored = store_at(f"sqlite:{self.door.world.folder / 'records.db'}").read_all()
        texts = {key: json.loads(each.text) for key, each in stored.items() if key.startswith("cells/")}
        return {key: (text["gate"], text["leases"]) for key, text in texts.items()}

    def log(self) -> str:
        """What the scaler has said so far."""
        return (self.door.world.folder / "scaler-0.log").read_text()

    def assert_well(self, honest: Honest) -> None:
        """It answers honest requests, and its log shows neither a secret nor a traceback."""
        assert self.door.http.get("/healthz").json() == {"alive": True}
        assert self.door.lease().json()["error"] == "gate_closed"
        log = self.log()
        assert "Traceback" not in log
        assert not any(secret in log for secret in hidden_from_all(honest, "PRIVATE KEY", ACCOUNT))
        assert not re.search(r"eyJ[\w-]+\.[\w-]+\.", log), "an identity token stands in the log"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with an_open_door(tmp_path_factory.mktemp("hostile")) as door:
        # The control: as far as the record, so both records stand.
        wait_until(
            lambda: door.lease().json().get("error") == "gate_closed" or door.lease().text,
            seconds=30,
            what="the record is there",
            world=door.world,
        )
        yield Wire(door)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_a_running_scaler_survives_hundreds_of_hostile_requests(wire: Wire) -> None:
    """Over real sockets, one connection each. A server that refuses a large body unread may reset the connection."""
    honest = wire.honest()
    hidden = hidden_from_all(honest)
    before, memory, hung_up = wire.leases(), list[int](), Counter[str]()
    answers: Counter[tuple[str, int]] = Counter()

    @settings(STORM, max_examples=SOCKET_REQUESTS)
    @given(hostile_requests(honest, odd_lengths=False))
    def storm(request: HostileRequest) -> None:
        answer = wire.exchange(request)
        if answer is None:
            assert 413 in request.right, f"the server hung up on {request!r}"
            hung_up[request.wrong] += 1
        else:
            assert_right(request, *answer, hidden)
            answers[request.wrong, answer[0]] += 1
        if answers.total() == SOCKET_REQUESTS // 10:
            memory.append(resident_bytes(wire.process))

    storm()
    grown = resident_bytes(wire.process) - memory[0]
    assert grown < MARGIN_BYTES, f"{grown} bytes more than after the first tenth"
    assert wire.leases() == before
    wire.assert_well(honest)
    print(f"{answers.total()} answered, {hung_up.total()} cut, {grown / 2**20:.1f} MiB more memory")


@pytest.mark.parametrize("broken", [each for _, each in BROKEN_HTTP], ids=[name for name, _ in BROKEN_HTTP])
def test_what_is_no_http_gets_a_refusal_or_a_closed_connection(wire: Wire, broken: bytes) -> None:
    came = wire.answer_to(broken)
    statuses = [int(each) for each in re.findall(rb"^HTTP/1\.1 (\d{3}) ", came, re.MULTILINE)]
    assert bool(statuses) == bool(came), came[:300]
    assert all(status < 500 for status in statuses), came[:300]
    assert b"Traceback" not in came
    wire.assert_well(wire.honest())


def test_slow_and_silent_callers_keep_nobody_else_waiting(wire: Wire) -> None:
    """A thousand half request lines, a slow body and a silent connection stand open: the slow body is told so, the lines may
    still finish, who never says anything is cut.
    """
    honest = wire.honest()
    allow_many_connections()
    with contextlib.ExitStack() as open_connections:
        silent = open_connections.enter_context(wire.connected())
        slow = [open_connections.enter_context(wire.connected()) for _ in range(HALF_OPEN)]
        for each in slow:
            each.sendall(b"GET /heal")
        body = open_connections.enter_context(wire.connected())
        body.sendall(b"POST /v1/leases HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{")
        wire.assert_well(honest)
        reply = HTTPResponse(body, method="POST")
        reply.begin()
        assert reply.status == 408
        assert json.loads(reply.read())["error"] == "too_slow"
        for each in slow:
            each.sendall(b"thz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for each in slow:
            late = HTTPResponse(each, method="GET")
            late.begin()
            assert (late.status, json.loads(late.read())) == (200, {"alive": True})
        silent.settimeout(2 * HEAD_WITHIN_SECONDS)
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
    wire.assert_well(honest)


def test_callers_who_leave_in_the_middle_leave_nothing_behind(wire: Wire) -> None:
    """Half bodies of leases and webhooks, reset instead of closed: their slots are free again, and memory comes back."""
    honest = wire.honest()
    before = resident_bytes(wire.process)
    for number in range(60):
        path = b"/webhooks/github" if number % 2 else b"/v1/leases/start"
        with wire.connected() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.sendall(
                b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 16000\r\n\r\n" + b"x" * 9_000
            )
    delivery = json.dumps(honest.delivery()).encode()
    headers = {"X-Hub-Signature-256": honest.signature(delivery).decode(), "X-GitHub-Event": "workflow_job"}
    accepted = wire.door.http.post("/webhooks/github", content=delivery, headers=headers)
    assert (accepted.status_code, accepted.json()) == (202, {"looking_at": honest.repository})
    assert resident_bytes(wire.process) - before < MARGIN_BYTES
    wire.assert_well(honest)
