"""How long GitHub's replies make us pause."""

import pytest

from github_api.replies import Limits, Reply, error_of, message_of, next_page

NOW = 1_800_000_000.0


def reply(status: int = 200, *, body: bytes = b"", **headers: str) -> Reply:
    return Reply(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )


def after(
    *replies: Reply, limits: Limits | None = None, resource: str = "core"
) -> tuple[Limits, float | None]:
    current, until = limits or Limits(), None
    for one in replies:
        current, until = current.after(one, resource=resource, now=NOW)
    return current, until


@pytest.mark.parametrize(
    ("answer", "until"),
    [
        (reply(403, retry_after="17"), NOW + 17),
        (reply(429, retry_after="0"), NOW + 1),
        (reply(429), NOW + 60),
        (reply(403, body=b'{"message": "You have exceeded a secondary rate limit."}'), NOW + 60),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW) + 900)), NOW + 900),
        (reply(429, x_ratelimit_remaining="0", x_ratelimit_reset="5"), NOW + 1),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset="99999999999"), NOW + 3600),
        (reply(403, x_ratelimit_remaining="0"), NOW + 1),
        (reply(403, retry_after="soon", body=b'{"message": "API rate limit exceeded"}'), NOW + 60),
    ],
)
def test_a_refusal_by_a_limit_says_until_when(answer: Reply, until: float) -> None:
    limits, told = after(answer)
    assert told == until
    assert limits.until("core") == until


@pytest.mark.parametrize(
    "answer",
    [
        reply(403, body=b'{"message": "Resource not accessible by integration"}'),
        reply(404),
        reply(500),
        reply(),
    ],
)
def test_other_replies_pause_nothing(answer: Reply) -> None:
    limits, told = after(answer)
    assert told is None
    assert limits.until("core") == 0


def test_the_last_allowed_call_counts_but_the_next_must_wait() -> None:
    limits, told = after(reply(200, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW) + 100)))
    assert told is None
    assert limits.until("core") == NOW + 100


def test_a_limit_of_registrations_stops_registrations_only() -> None:
    used_up = reply(
        429,
        x_ratelimit_remaining="0",
        x_ratelimit_reset=str(int(NOW) + 100),
        x_ratelimit_resource="actions_runner_registration",
    )
    limits, _ = after(used_up, resource="registration")
    assert limits.until("registration") == NOW + 100
    assert limits.until("core") == 0


def test_secondary_limits_in_a_row_grow_and_a_success_ends_the_row() -> None:
    limits, pauses, now = Limits(), [], NOW
    for _ in range(9):
        limits, until = limits.after(reply(429), resource="core", now=now)
        assert until is not None
        pauses.append(until - now)
        now = until
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    limits, _ = limits.after(reply(200), resource="core", now=now)
    _, until = limits.after(reply(429), resource="core", now=now)
    assert until == now + 60


def test_calls_in_flight_that_meet_the_same_limit_are_one_strike() -> None:
    limits, _ = after(*[reply(429)] * 10)
    assert limits.strikes == 1
    assert limits.until("core") <= NOW + 120


def test_a_shorter_pause_never_shortens_a_longer_one() -> None:
    limits, _ = after(reply(429, retry_after="500"), reply(429, retry_after="2"))
    assert limits.until("anything") == NOW + 500


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            '<https://a.test/x?page=2>; rel="next", <https://a.test/x?page=5>; rel="last"',
            "https://a.test/x?page=2",
        ),
        (
            '<https://a.test/x?page=1>; rel="prev", <https://a.test/x?page=3>; rel="next"',
            "https://a.test/x?page=3",
        ),
        ('<https://a.test/x?page=1>; rel="prev"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_next_page_is_read_from_the_link_header(link: str, expected: str | None) -> None:
    assert next_page({"link": link}, base_url="https://a.test/api") == expected


def test_githubs_words_are_cut_and_kept_on_one_line() -> None:
    assert message_of(b'{"message": "a\\n  b"}') == "a b"
    assert len(message_of(b'{"message": "' + b"x" * 9000 + b'"}')) == 256
    assert message_of(b"<html>") == message_of(b"[]") == message_of(b'{"message": 3}') == ""


def test_a_success_is_no_error() -> None:
    assert error_of(reply(204), call="x") is error_of(reply(304), call="x") is None
