"""The lease protocol on the agent's side, without sockets: what is sent, what each reply means."""

import base64
import json
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from runner_agent.contract import EndReply, EndWord, Outcome, ReportState
from runner_agent.errors import RefusedError, UnreachableError
from runner_agent.lifecycle.actions import EndLease, Report
from runner_agent.registration import Boot
from runner_agent.registration.exchange import HttpExchange, Reply, Request
from runner_agent.registration.leased import LeasedRegistration
from runner_agent.registration.metadata import IdentityTokens, MetadataServer, expiry_of

BOOT = Boot(cell="linux-a1", instance="i-1", boot="ab" * 16)
REPORT = Report(lease="L/1", seq=3, state=ReportState.RUNNING, job="build", result=None, timeout_seconds=10)
END = EndLease(lease="L/1", seq=4, outcome=Outcome.FINISHED, cause="done", job="build", result="Succeeded")
GRANT = {
    "lease": "L",
    "runner": {"id": 41, "name": "r"},
    "encoded_jit_config": "very-secret",
    "heartbeat_seconds": 20,
    "listen_max_seconds": 300,
    "job_timeout_seconds": 21600,
    "hard_end_in_seconds": 22300,
}


class Wire:
    """Stands for the network: gives the replies of a test in turn, remembers the requests."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self.timeouts: list[float] = []

    def __call__(self, request: Request, timeout_seconds: float) -> Reply:
        self.requests.append(request)
        self.timeouts.append(timeout_seconds)
        return self.replies.pop(0)


def reply(status: int, body: object = None, **headers: str) -> Reply:
    """A reply with a JSON body."""
    return Reply(status=status, headers=headers, body=b"" if body is None else json.dumps(body).encode())


def token(expires_at: float, name: str = "t") -> str:
    """A token of the metadata server's shape."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_at, "name": name}).encode()).rstrip(b"=")
    return f"e30.{claims.decode()}.c2ln"


class Fetch:
    """Gives a new token each time, until the metadata server falls silent."""

    def __init__(self) -> None:
        self.count = 0
        self.silent = False

    def __call__(self) -> str:
        if self.silent:
            raise UnreachableError("no metadata server")
        self.count += 1
        return token(3600.0 * self.count, name=str(self.count))


def registration(wire: Wire, fetch: Callable[[], str] | None = None) -> LeasedRegistration:
    """A leased registration on this wire."""
    return LeasedRegistration(
        scaler_url="https://scaler.example/base",
        cell_secret="cell-secret",
        metadata=MetadataServer("metadata", exchange=wire),
        tokens=IdentityTokens(fetch or (lambda: "a.b.c"), wall_clock=lambda: 0.0),
        exchange=wire,
    )


def test_every_request_carries_identity_secret_and_the_documented_body() -> None:
    wire = Wire(reply(200, {"offer": True}))
    assert registration(wire).park(BOOT, ask=2, uptime_seconds=1.23456, timeout_seconds=35)
    (request,) = wire.requests
    assert (request.method, request.url) == ("POST", "https://scaler.example/base/v1/leases")
    assert request.headers["Authorization"] == "Bearer a.b.c"
    assert request.headers["X-Cell-Secret"] == "cell-secret"
    assert json.loads(request.body or b"") == {
        "cell": "linux-a1",
        "instance": "i-1",
        "boot": "ab" * 16,
        "ask": 2,
        "uptime": 1.235,
    }
    assert "cell-secret" not in repr(request)


def test_nothing_offered() -> None:
    assert not registration(Wire(reply(204))).park(BOOT, ask=1, uptime_seconds=0, timeout_seconds=35)


def test_a_grant_is_read_and_its_secret_not_shown() -> None:
    grant = registration(Wire(reply(200, GRANT))).start(BOOT, ask=1, uptime_seconds=0, timeout_seconds=30)
    assert (grant.runner_id, grant.encoded_jit_config) == (41, "very-secret")
    assert "very-secret" not in repr(grant)


@pytest.mark.parametrize(
    "damage",
    [
        {"lease": ""},
        {"runner": None},
        {"heartbeat_seconds": 0},
        {"hard_end_in_seconds": "soon"},
        {"job_timeout_seconds": float("inf")},
        {"encoded_jit_config": ""},
    ],
)
def test_a_grant_that_does_not_fit_is_no_grant_and_stays_secret(damage: dict[str, object]) -> None:
    wire = Wire(reply(200, GRANT | damage))
    with pytest.raises(UnreachableError) as caught:
        registration(wire).start(BOOT, ask=1, uptime_seconds=0, timeout_seconds=30)
    assert "very-secret" not in str(caught.value)


def test_a_report_brings_back_how_many_jobs_wait() -> None:
    wire = Wire(
        reply(200, {"reply": "continue", "queued": 3}),
        reply(200, {"reply": "continue", "queued": None}),
        reply(200, {"reply": "continue", "queued": True}),
    )
    leased = registration(wire)
    assert [leased.report(BOOT, REPORT) for _ in range(3)] == [3, None, None]
    assert wire.requests[0].url.endswith("/v1/leases/L%2F1/events")
    assert json.loads(wire.requests[0].body or b"") == {
        "cell": "linux-a1",
        "boot": "ab" * 16,
        "seq": 3,
        "state": "running",
        "job": "build",
        "result": None,
    }


@pytest.mark.parametrize(
    ("got", "meaning"),
    [
        (reply(200, {"reply": "exit"}), EndReply.EXIT),
        (reply(200, {"reply": "hold"}), EndReply.HOLD),
        (reply(410, {"error": "unknown_lease"}), EndReply.UNKNOWN_LEASE),
    ],
)
def test_the_answers_to_end(got: Reply, meaning: EndReply) -> None:
    wire = Wire(got)
    assert registration(wire).end(BOOT, END) is meaning
    assert json.loads(wire.requests[0].body or b"")["outcome"] == "finished"


def test_texts_of_others_are_cut_to_one_line_before_they_are_sent() -> None:
    """A job's name is anybody's choice; a refused `end` would keep its lease for five minutes."""
    wire = Wire(reply(200, {"reply": "exit"}))
    registration(wire).end(BOOT, replace(END, job="n" * 70_000, cause="two\nlines"))
    body = json.loads(wire.requests[0].body or b"")
    assert (len(body["job"]), body["cause"]) == (500, "two lines")


@pytest.mark.parametrize("got", [reply(200, {"reply": "perhaps"}), reply(200), reply(200, ["exit"])])
def test_an_answer_to_end_that_does_not_fit_is_none(got: Reply) -> None:
    with pytest.raises(UnreachableError):
        registration(Wire(got)).end(BOOT, END)


def test_a_refusal_says_code_cause_remedy_and_when() -> None:
    body = {"error": "unavailable", "message": "no budget", "remedy": "wait"}
    wire = Wire(reply(503, body, **{"retry-after": "7"}))
    with pytest.raises(RefusedError) as caught:
        registration(wire).start(BOOT, ask=1, uptime_seconds=0, timeout_seconds=30)
    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.retry_after_seconds) == (503, "unavailable", 7.0)
    assert str(refusal) == "503 unavailable: no budget Remedy: wait"


def test_a_refusal_without_a_readable_body_is_still_one() -> None:
    wire = Wire(Reply(status=502, headers={"retry-after": "soon"}, body=b"<html>"))
    with pytest.raises(RefusedError) as caught:
        registration(wire).park(BOOT, ask=1, uptime_seconds=0, timeout_seconds=35)
    assert (caught.value.code, caught.value.retry_after_seconds) == ("no_code", None)


def test_a_refused_identity_is_renewed_for_the_next_request() -> None:
    fetch = Fetch()
    wire = Wire(reply(401, {"error": "bad_identity"}), reply(204))
    leased = registration(wire, fetch)
    with pytest.raises(RefusedError):
        leased.park(BOOT, ask=1, uptime_seconds=0, timeout_seconds=35)
    leased.park(BOOT, ask=1, uptime_seconds=0, timeout_seconds=35)
    sent = [request.headers["Authorization"] for request in wire.requests]
    assert sent[0] != sent[1]


def test_an_identity_token_is_kept_until_five_minutes_before_its_end() -> None:
    fetch, now = Fetch(), [0.0]
    tokens = IdentityTokens(fetch, wall_clock=lambda: now[0])
    for now[0] in (0.0, 1000.0, 3299.0):
        tokens.current()
    assert fetch.count == 1
    now[0] = 3301.0
    tokens.current()
    assert fetch.count == 2


def test_a_silent_metadata_server_does_not_spoil_a_token_that_is_still_valid() -> None:
    fetch, now = Fetch(), [0.0]
    tokens = IdentityTokens(fetch, wall_clock=lambda: now[0])
    first = tokens.current()
    fetch.silent, now[0] = True, 3500.0
    assert tokens.current() == first
    now[0] = 3601.0
    with pytest.raises(UnreachableError):
        tokens.current()


@pytest.mark.parametrize("text", ["", "a.b", "a.%%%.c", "a.e30.c", "a.bnVsbA.c"])
def test_a_token_that_cannot_be_read_is_never_kept(text: str) -> None:
    assert expiry_of(text) == 0.0


def test_the_metadata_server_is_asked_in_its_own_way() -> None:
    wire = Wire(Reply(status=200, headers={}, body=b"i-1\n"), Reply(status=200, headers={}, body=b"a.b.c"))
    metadata = MetadataServer("metadata:80", exchange=wire)
    assert (metadata.instance_id(), metadata.identity_token("https://s/x")) == ("i-1", "a.b.c")
    assert all(request.headers == {"Metadata-Flavor": "Google"} for request in wire.requests)
    assert wire.requests[1].url.endswith("/identity?audience=https%3A%2F%2Fs%2Fx&format=full")


@pytest.mark.parametrize(
    "got", [Reply(status=404, headers={}, body=b"x"), Reply(status=200, headers={}, body=b"")]
)
def test_a_metadata_server_that_has_no_answer_is_unreachable(got: Reply) -> None:
    with pytest.raises(UnreachableError, match="/instance/id"):
        MetadataServer("metadata", exchange=Wire(got)).instance_id()


def test_the_word_of_an_end_goes_with_it() -> None:
    wire = Wire(reply(200, {"reply": "exit"}))
    registration(wire).end(BOOT, replace(END, word=EndWord.USER))
    assert json.loads(wire.requests[0].body or b"")["word"] == "user"


def test_a_scaler_that_is_older_than_the_word_hears_the_end_without_it() -> None:
    """The image may be newer than the scaler; a lease must end all the same."""
    wire = Wire(reply(422, {"error": "bad_request", "message": "word"}), reply(200, {"reply": "exit"}))
    assert registration(wire).end(BOOT, replace(END, word=EndWord.USER)) is EndReply.EXIT
    assert "word" not in json.loads(wire.requests[1].body or b"")


@pytest.mark.parametrize("value", ["AAAA\nBBBB", "AAAA√BBBB"], ids=["line break", "not latin"])
def test_a_header_that_cannot_be_sent_is_told_without_a_word_of_it(value: str) -> None:
    """http.client quotes what it refuses; a traceback would show its error too."""
    request = Request(method="POST", url="http://localhost:9/v1/leases", headers={"X-Cell-Secret": value})
    with pytest.raises(
        UnreachableError, match=r"the request to localhost could not be written.*renew it"
    ) as caught:
        HttpExchange()(request, 1.0)
    shown = "".join(traceback.format_exception(caught.value))
    assert "AAAA" not in shown
    assert "BBBB" not in shown
