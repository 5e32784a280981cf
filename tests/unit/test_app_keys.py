"""Which key of the App signs while one is being replaced, what is told of it, and how often another is looked for."""

from __future__ import annotations

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from github_api.app_auth import AppKey
from github_api.app_keys import AppKeys, KeyNews
from github_api.errors import BadCredentials
from github_api.secret import Secret
from tests.github_replies import API, github_world, job, pem

ONE_JOB = f"{API}/repos/acme/widgets/actions/jobs/1"
TOKEN = f"{API}/app/installations/55/access_tokens"


def a_key() -> AppKey:
    return AppKey.from_pem(Secret(pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))))


OLD, NEW, OTHER = a_key(), a_key(), a_key()


class Place:
    """Where the key stands, and a GitHub that knows some keys."""

    def __init__(self, *known: AppKey) -> None:
        self.stands_there: AppKey | None = OLD
        self.reads = 0
        self.known = known
        self.told: list[tuple[KeyNews, AppKey]] = []
        self.signed_with: list[AppKey | None] = []
        self.keys = AppKeys(OLD, read_again=self.read_again, told=lambda *news: self.told.append(news))

    async def read_again(self) -> AppKey | None:
        self.reads += 1
        return self.stands_there

    def answer(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        signer = next((key for key in (OLD, NEW, OTHER) if _is_signed(token, key)), None)
        self.signed_with.append(signer)
        if signer not in self.known:
            return httpx.Response(401, json={"message": "A JSON web token could not be decoded"})
        return httpx.Response(201, json={"token": "ghs_1", "expires_at": "2027-01-15T09:00:00Z", "id": 55})

    async def calls(self) -> list[AppKey | None]:
        """Ask for a fresh token; with which keys that was tried."""
        self.signed_with.clear()
        with github_world() as world:
            world.router["installation"].mock(return_value=httpx.Response(200, json={"id": 55}))
            world.router["token"].mock(side_effect=self.answer)
            world.router.get(ONE_JOB).respond(200, json=job(1))
            world.github._keys = self.keys
            world.github._installation_id = 55
            await world.github.job("acme/widgets", 1)
        return list(self.signed_with)


def _is_signed(token: str, key: AppKey) -> bool:
    try:
        jwt.PyJWS().decode(token, key._key.public_key(), algorithms=["RS256"])
    except jwt.InvalidSignatureError:
        return False
    return True


async def test_a_key_that_works_is_used_and_never_read_again() -> None:
    place = Place(OLD)
    assert [await place.calls() for _ in range(3)] == [[OLD]] * 3
    assert (place.reads, place.told) == (0, [])


async def test_a_refused_key_gives_way_to_the_one_that_stands_there_now() -> None:
    place = Place(NEW)
    place.stands_there = NEW
    assert await place.calls() == [OLD, NEW]
    assert await place.calls() == [NEW]
    assert place.told == [(KeyNews.REFUSED, OLD)]


async def test_a_newer_key_signs_from_its_reading_on_and_the_older_one_stands_by() -> None:
    """GitHub knows both for as long as an admin lets it."""
    place = Place(OLD, NEW)
    await place.calls()
    place.stands_there = NEW
    await place.keys.look_again()
    proven = [place.keys.proven]
    assert await place.calls() == [NEW]
    assert [*proven, place.keys.proven] == [False, True]
    assert place.told == [(KeyNews.IN_USE, NEW)]
    place.known = (OLD,)
    assert await place.calls() == [NEW, OLD], "somebody deleted the wrong one"
    assert await place.calls() == [OLD]


async def test_a_newer_key_that_github_does_not_know_leaves_the_older_one_in_use() -> None:
    """A key of another App was stored: told once, and no call is lost, nor is one wasted each time."""
    place = Place(OLD)
    await place.calls()
    place.stands_there = OTHER
    await place.keys.look_again()
    assert await place.calls() == [OTHER, OLD]
    assert await place.calls() == [OLD]
    assert place.told == [(KeyNews.REFUSED, OTHER)]
    place.stands_there, place.known = NEW, (OLD, NEW)
    await place.keys.look_again()
    assert await place.calls() == [NEW]
    place.known = (OLD,)
    assert await place.calls() == [NEW, OLD], "of the older two the one that has worked is kept"


async def test_a_key_that_has_had_no_chance_yet_does_not_push_out_the_one_that_works() -> None:
    place = Place(OLD)
    await place.calls()
    for each in (OTHER, NEW):
        place.stands_there = each
        await place.keys.look_again()
    assert await place.calls() == [NEW, OLD]


async def test_without_any_good_key_the_error_is_githubs_and_nothing_is_tried_twice() -> None:
    place = Place()
    place.stands_there = NEW
    with pytest.raises(BadCredentials, match="could not be decoded"):
        await place.calls()
    assert place.signed_with == [OLD, NEW]
    with pytest.raises(BadCredentials):
        await place.calls()
    assert [key for _, key in place.told] == [OLD, NEW], "each is told once"


@pytest.mark.parametrize("read_again", [None, "nothing"])
async def test_where_there_is_nothing_to_read_the_key_that_is_there_is_all(read_again: str | None) -> None:
    place = Place()
    place.stands_there = None
    if read_again is None:
        place.keys = AppKeys(OLD)
    with pytest.raises(BadCredentials):
        await place.calls()
    assert place.signed_with == [OLD]
