"""The App's key: what is accepted, what is refused and in which words; and tokens under cancellation."""

import asyncio

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from github_api.app_auth import AppKey, InstallationTokens
from github_api.errors import BadAppKey, Unavailable
from github_api.secret import Secret
from tests.github_replies import Clock, app_key, pem, private_key

FORM = serialization.PrivateFormat
PUBLIC = (
    private_key()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.mark.parametrize(
    "text",
    [
        pem(),
        pem(form=FORM.PKCS8),
        f"\n{pem()}\n\n",
        pem().replace("\n", "\r\n"),
        pem().replace("\n", "\\n"),
    ],
    ids=[
        "as GitHub gives it",
        "PKCS8",
        "with empty lines",
        "with Windows line ends",
        "in one line with written line ends",
    ],
)
def test_a_private_key_is_read(text: str) -> None:
    assert AppKey.from_pem(Secret(text)).fingerprint == app_key().fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("ghp_token", "not a PEM file"),
        (PUBLIC, "public key"),
        (pem(form=FORM.PKCS8, password=b"x"), "encrypted with a passphrase"),
        (pem(password=b"x"), "encrypted with a passphrase"),
        (pem(form=FORM.OpenSSH), "SSH key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "1024 bits"),
        (pem()[:300] + "\n-----END RSA PRIVATE KEY-----", "damaged"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate"),
    ],
)
def test_what_is_no_key_of_an_app_is_named(text: str, said: str) -> None:
    """The message helps, and never holds a line of the file."""
    with pytest.raises(BadAppKey, match=said) as refused:
        AppKey.from_pem(Secret(text))
    assert "Use the .pem file" in str(refused.value)
    assert not [line for line in text.splitlines() if len(line) > 40 and line in str(refused.value)]


def test_the_key_shows_its_fingerprint_only() -> None:
    assert repr(app_key()) == f"AppKey({app_key().fingerprint})"


async def test_a_caller_that_leaves_does_not_take_the_token_from_the_others() -> None:
    asked = asyncio.Event()
    answer = asyncio.Event()

    async def fetch() -> tuple[Secret, float]:
        asked.set()
        await answer.wait()
        return Secret("t"), 1e12

    tokens = InstallationTokens(fetch, clock=Clock())
    impatient, patient = asyncio.create_task(tokens.current()), asyncio.create_task(tokens.current())
    await asked.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    answer.set()
    assert impatient.cancelled()
    assert (await patient).value.reveal() == "t"


async def test_a_failed_fetch_reaches_every_waiting_caller_and_the_next_one_tries_again() -> None:
    replies: list[Exception | tuple[Secret, float]] = [Unavailable("no answer"), (Secret("t"), 1e12)]

    async def fetch() -> tuple[Secret, float]:
        await asyncio.sleep(0)
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    tokens = InstallationTokens(fetch, clock=Clock())
    outcomes = await asyncio.gather(*(tokens.current() for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert (await tokens.current()).serial == 1


async def test_dropping_an_old_token_keeps_the_new_one() -> None:
    async def fetch() -> tuple[Secret, float]:
        return Secret("t"), 1e12

    tokens = InstallationTokens(fetch, clock=Clock())
    old = await tokens.current()
    tokens.drop(old)
    new = await tokens.current()
    tokens.drop(old)
    assert await tokens.current() is new
    assert new.serial == 2


async def test_closing_ends_a_fetch_under_way() -> None:
    async def fetch() -> tuple[Secret, float]:
        await asyncio.Event().wait()
        raise AssertionError

    tokens = InstallationTokens(fetch, clock=Clock())
    caller = asyncio.create_task(tokens.current())
    await asyncio.sleep(0)
    await tokens.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller
