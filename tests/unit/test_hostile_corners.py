"""The corners that hostile requests have found, one by one: lengths, slashes, methods, names of repositories, silent issuers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import httpx
import pytest

from github_api.errors import PayloadUnreadable
from github_api.secret import Secret
from github_api.webhook import verified_event
from scaler.identity_keys import PublishedKeys
from tests.scaler_parts import Clock, a_few_turns
from tests.scaler_service_world import AS_CELL, World, problem
from tests.unit.test_scaler_identity import URL, in_pieces, published

SECRET = Secret("hook")


@pytest.mark.parametrize(
    ("announced", "answer"),
    [
        ("9" * 5_000, (413, "too_large")),
        ("9" * 20, (413, "too_large")),
        ("0" * 5_000, (422, "bad_request")),
        ("-1", (422, "bad_request")),
        ("", (422, "bad_request")),
    ],
)
async def test_a_length_of_any_number_of_digits_is_understood(
    announced: str, answer: tuple[int, str]
) -> None:
    """Python refuses to read a number of more than 4,300 digits, which must not become a 500."""
    headers = {**AS_CELL, "Content-Length": announced}
    assert problem(await World().http.post("/v1/leases", content=b"x", headers=headers)) == answer


@pytest.mark.parametrize("host", ["evil.example", "[::1"])
async def test_a_slash_too_many_leads_nowhere(host: str) -> None:
    """A redirect would be made of the caller's own Host header."""
    answer = await World().http.get("/healthz/", headers={"Host": host})
    assert problem(answer) == (404, "not_here")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("path", "allowed"), [("/healthz", {"GET", "HEAD"}), ("/tick", {"POST"}), ("/v1/leases", {"POST"})]
)
async def test_a_wrong_method_is_told_the_right_ones(path: str, allowed: set[str]) -> None:
    answer = await World().http.delete(path)
    assert problem(answer) == (405, "not_here")
    assert set(answer.headers["allow"].split(", ")) == allowed


def delivery_about(full_name: object) -> bytes:
    return json.dumps({"repository": {"full_name": full_name, "private": True}}).encode()


def repository_in(body: bytes) -> str | None:
    signature = "sha256=" + hmac.new(b"hook", body, hashlib.sha256).hexdigest()
    return verified_event(
        body=body, signature=signature, secret=SECRET, event="push", delivery=None
    ).repository


@pytest.mark.parametrize(
    "name",
    [
        "",
        "acme",
        "/",
        "a/b/c",
        "../b",
        "a/..",
        "./b",
        "a/.",
        "a/b\n",
        "a/b?c",
        "a/%2e",
        "ä/ö",
        "a/\ud800",
        "a/" + "b" * 101,
    ],
)
def test_what_cannot_be_the_name_of_a_repository_is_not_understood(name: str) -> None:
    """The name goes into the answer (where half a surrogate pair cannot be written) and into paths of the API."""
    with pytest.raises(PayloadUnreadable, match="owner/name"):
        repository_in(delivery_about(name))


@pytest.mark.parametrize("name", ["acme/widgets", "a/.github", "A-1/x_y.z..w", "octo_corp/" + "b" * 100])
def test_every_name_that_github_allows_is_taken(name: str) -> None:
    assert repository_in(delivery_about(name)) == name


async def test_an_invented_key_id_keeps_no_honest_caller_waiting_for_a_silent_issuer() -> None:
    """The look for the unknown key may take the whole time-out; tokens with known keys pass meanwhile."""
    clock, answered = Clock(), asyncio.Event()
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) > 1:
            await answered.wait()
        return httpx.Response(200, content=in_pieces(json.dumps(published("k1")).encode()))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keys = PublishedKeys(URL, http=http, clock=clock)
        assert await keys.key("k1") is not None
        clock.now += 60
        invented = asyncio.ensure_future(keys.key("invented"))
        await a_few_turns()
        assert len(asked) == 2
        async with asyncio.timeout(1):
            assert await keys.key("k1") is not None
        assert not invented.done()
        answered.set()
        assert await invented is None
