"""The agent's client against the scaler's service, every exchange held against the published description of the lease API."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from starlette.applications import Starlette

from cell_records.obstacles import Obstacle
from github_api.secret import Secret
from runner_agent.contract import EndReply as AgentEndReply
from runner_agent.contract import EndWord, Outcome, RefusalCode, ReportState
from runner_agent.errors import RefusedError
from runner_agent.lifecycle.actions import EndLease, Report
from runner_agent.registration import Boot
from runner_agent.registration.exchange import Reply, Request
from runner_agent.registration.leased import LeasedRegistration
from runner_agent.registration.metadata import IdentityTokens, MetadataServer
from scaler.core.model import LeaseState
from scaler.lease_api import openapi
from scaler.lease_desk import Ask, EndReply, Granted, KnownCell, Terms
from scaler.lease_ends import LeaseOutcome, StopCause, obstacle, stop_cause
from scaler.refusals import BootRetired
from scaler.registrar import RunnerShape
from scaler.service import Admission, Service
from tests.scaler_service_world import no_look

DESCRIPTION = Path("docs/reference/lease_api.openapi.json")
ACCOUNT = "cells@p.iam.gserviceaccount.com"
BOOT = Boot(cell="linux-a1", instance="i-1", boot="ab" * 16)
CELL = KnownCell(
    name="linux-a1",
    uid="u",
    terms=Terms(
        pool="linux",
        shape=RunnerShape(labels=("linux",), runner_group_id=1),
        listen_max_seconds=300.0,
        job_timeout_seconds=3600.0,
    ),
    room=1,
)


class Desk:
    """Answers like a lease desk; remembers what it was told."""

    def __init__(self) -> None:
        self.offers = True
        self.retired = False
        self.heard: list[tuple[str, object]] = []
        self.words: list[str | None] = []

    async def park(self, cell: KnownCell, ask: Ask) -> bool:
        if self.retired:
            raise BootRetired(cell=cell.name)
        self.heard.append(("park", ask.ask))
        return self.offers

    async def start(self, cell: KnownCell, ask: Ask) -> Granted:
        self.heard.append(("start", ask.boot))
        return Granted(
            lease="5f0c",
            runner_id=41,
            runner_name="linux-linux-a1-5f0c",
            configuration=Secret("the-configuration"),
            heartbeat_seconds=20.0,
            listen_max_seconds=cell.terms.listen_max_seconds,
            job_timeout_seconds=cell.terms.job_timeout_seconds,
            hard_end_in_seconds=4000.0,
        )

    async def event(
        self, cell: KnownCell, lease: str, *, boot: str, seq: int, state: LeaseState, job: str | None
    ) -> int | None:
        self.heard.append((lease, state))
        return 3

    async def end(
        self,
        cell: KnownCell,
        lease: str,
        *,
        boot: str,
        outcome: LeaseOutcome,
        cause: str,
        job: str | None,
        result: str | None,
        word: str | None,
    ) -> EndReply:
        self.heard.append((lease, outcome))
        self.words.append(word)
        return EndReply.HOLD


class Identity:
    """Everybody is the cell's account."""

    async def email(self, authorization: str | None) -> str:
        assert authorization == "Bearer a.b.c"
        return ACCOUNT


class DescribedExchange:
    """Carries the agent's requests to the service and checks both directions against the description."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._document = json.loads(DESCRIPTION.read_text())
        self.checked: list[tuple[str, int]] = []

    def __call__(self, request: Request, timeout_seconds: float) -> Reply:
        path = request.url.removeprefix("http://scaler.test")
        operation = self._operation(path)
        self._check(operation["requestBody"]["content"], json.loads(request.body or b""))
        answer = asyncio.run(self._sent(path, request))
        described = operation["responses"][str(answer.status_code)]
        if "content" in described:
            self._check(described["content"], answer.json())
        else:
            assert not answer.content
        self.checked.append((path, answer.status_code))
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(status=answer.status_code, headers=headers, body=answer.content)

    async def _sent(self, path: str, request: Request) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://scaler.test") as client:
            return await client.post(path, content=request.body, headers=dict(request.headers))

    def _operation(self, path: str) -> Any:
        for template, item in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return item["post"]
        raise AssertionError(f"{path} is not described")

    def _check(self, content: Any, body: object) -> None:
        schema = {**content["application/json"]["schema"], "components": self._document["components"]}
        jsonschema.Draft202012Validator(schema).validate(body)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def exchange(desk: Desk) -> DescribedExchange:
    async def no_tick() -> dict[str, Any]:
        return {}

    service = Service(
        desk=desk,  # type: ignore[arg-type] # stands in for the desk by its four calls
        identity=Identity(),  # type: ignore[arg-type] # and for the identity check by its one
        cell=lambda name: Admission(cell=CELL, account=ACCOUNT, fault=None) if name == CELL.name else None,
        secrets=lambda _: (Secret("cell-secret"),),
        callers=frozenset(),
        look_at_cells=no_look,
        webhook=None,
        on_repository=lambda _: None,
        tick=no_tick,
        status=dict,
        ready=lambda: None,
    )
    return DescribedExchange(service.app())


@pytest.fixture
def agent(exchange: DescribedExchange) -> LeasedRegistration:
    return LeasedRegistration(
        scaler_url="http://scaler.test",
        cell_secret="cell-secret",
        metadata=MetadataServer("metadata", exchange=exchange),
        tokens=IdentityTokens(lambda: "a.b.c", wall_clock=lambda: 0.0),
        exchange=exchange,
    )


def test_the_published_description_is_the_one_that_the_service_is_made_of() -> None:
    """`python -m scaler.lease_api > docs/reference/lease_api.openapi.json` brings it up to date."""
    assert json.loads(DESCRIPTION.read_text()) == openapi()


def test_a_whole_lease_in_both_programs_words(
    agent: LeasedRegistration, desk: Desk, exchange: DescribedExchange
) -> None:
    assert agent.park(BOOT, ask=1, uptime_seconds=0.5, timeout_seconds=35)
    grant = agent.start(BOOT, ask=1, uptime_seconds=0.6, timeout_seconds=30)
    assert (grant.lease, grant.runner_id, grant.encoded_jit_config) == ("5f0c", 41, "the-configuration")
    for seq, state in enumerate(ReportState, start=1):
        report = Report(lease=grant.lease, seq=seq, state=state, job="build", result=None, timeout_seconds=10)
        assert agent.report(BOOT, report) == 3
    for seq, outcome in enumerate(Outcome, start=10):
        end = EndLease(
            lease=grant.lease, seq=seq, outcome=outcome, cause="so it was", job="build", result="Succeeded"
        )
        assert agent.end(BOOT, end) is AgentEndReply.HOLD
    assert [state for lease, state in desk.heard if isinstance(state, LeaseState)] == [
        LeaseState.STARTING,
        LeaseState.LISTENING,
        LeaseState.RUNNING,
        LeaseState.COMPLETED,
        LeaseState.DYING,
    ]
    assert {state for _, state in desk.heard if isinstance(state, LeaseOutcome)} == set(LeaseOutcome)
    assert len(exchange.checked) == 2 + len(ReportState) + len(Outcome)


def test_every_word_of_an_end_is_understood_as_a_cause_or_an_obstacle(
    agent: LeasedRegistration, desk: Desk
) -> None:
    """One that came to nothing would leave a stopped job without its cause, or a pool in a loop."""
    for seq, word in enumerate((None, *EndWord), start=1):
        end = EndLease(
            lease="5f0c", seq=seq, outcome=Outcome.UNUSED, cause="", job=None, result=None, word=word
        )
        agent.end(BOOT, end)
    assert desk.words == [None, *EndWord]
    for word in EndWord:
        cause = stop_cause(LeaseOutcome.UNUSED, word=word.value, job="build")
        assert (cause is None) != (obstacle(LeaseOutcome.UNUSED, word.value) is None)
    said = {word.value for word in EndWord}
    assert said == {each.value for each in (*StopCause, *Obstacle)} - {"scale-in", "registration_refused"}


def test_no_offer_is_an_empty_204(agent: LeasedRegistration, desk: Desk, exchange: DescribedExchange) -> None:
    desk.offers = False
    assert not agent.park(BOOT, ask=1, uptime_seconds=0.5, timeout_seconds=35)
    assert exchange.checked == [("/v1/leases", 204)]


def test_the_agent_understands_that_its_boot_is_retired(agent: LeasedRegistration, desk: Desk) -> None:
    desk.retired = True
    with pytest.raises(RefusedError) as refusal:
        agent.park(BOOT, ask=1, uptime_seconds=0.5, timeout_seconds=35)
    assert (refusal.value.status, refusal.value.code) == (410, RefusalCode.BOOT_RETIRED)


def test_the_agent_understands_that_its_cell_is_unknown(agent: LeasedRegistration) -> None:
    with pytest.raises(RefusedError) as refusal:
        agent.park(
            Boot(cell="nobody", instance="i", boot="cd" * 16), ask=1, uptime_seconds=1, timeout_seconds=35
        )
    assert refusal.value.status == 404
