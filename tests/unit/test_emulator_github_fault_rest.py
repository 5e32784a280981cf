"""The faults around a REST call of the stand-in GitHub: limits, tokens, clock; pure parts, without a socket."""

import pytest

from emulator.github.faults import Fault
from emulator.github.limits import CORE, Points, RateLimitRefusal, SecondaryRefusal
from emulator.github.links import Links
from emulator.github.refusals import RestRefusal
from tests.emulator_github_world import EPOCH, PureWorld

CALLER = "installation ID 1"


def limited(github: PureWorld, method: str = "GET", *, at_once: int = 1) -> SecondaryRefusal | None:
    try:
        github.world.rest_faults.refuse_limited(CALLER, method, at_once=at_once, now=github.now)
    except SecondaryRefusal as refusal:
        return refusal
    return None


def test_without_faults_nothing_is_refused_and_no_chance_is_drawn() -> None:
    github = PureWorld()
    before = github.world.chance.getstate()
    for _ in range(2_000):
        github.world.rest_faults.refuse_broken()
        assert limited(github, at_once=200) is None
        assert not github.world.rest_faults.loses_reply("POST", 201)
        assert github.world.rest_faults.hold_seconds() == 0
    assert github.world.rest_faults.clock_ahead_seconds() == 0
    assert github.world.chance.getstate() == before


def test_a_broken_service_answers_502_and_503() -> None:
    github = PureWorld()
    github.switch_on("github-5xx=1")
    seen = set()
    for _ in range(20):
        with pytest.raises(RestRefusal) as refused:
            github.world.rest_faults.refuse_broken()
        seen.add(refused.value.status)
    assert seen == {502, 503}


def test_the_replies_of_changes_are_lost_and_of_nothing_else() -> None:
    github = PureWorld()
    github.switch_on("github-reply-lost=1")
    loses = github.world.rest_faults.loses_reply
    assert (loses("POST", 201), loses("DELETE", 204)) == (True, True)
    assert (loses("GET", 200), loses("POST", 409), loses("DELETE", 404)) == (False, False, False)
    assert github.struck(Fault.REPLY_LOST) == 2


def test_a_slow_reply_is_held_for_so_long() -> None:
    github = PureWorld()
    github.switch_on("github-slow=seconds=40,share=1,after=1")
    assert [github.world.rest_faults.hold_seconds() for _ in range(2)] == [0, 40]


def test_the_hourly_allowance_is_used_up_until_its_reset() -> None:
    github = PureWorld()
    github.switch_on("primary-limit=seconds=90,share=1,most=1")
    assert limited(github) is None
    limits = github.world.limits
    with pytest.raises(RateLimitRefusal) as refused:
        limits.refuse_exceeded(CALLER, CORE, now=github.now + 89)
    assert refused.value.status == 403
    assert refused.value.reading.headers["x-ratelimit-remaining"] == "0"
    assert refused.value.reading.reset == int(github.now + 90)
    limits.refuse_exceeded(CALLER, CORE, now=github.now + 90)
    limits.refuse_exceeded("somebody else", CORE, now=github.now)
    assert limited(github) is None
    assert github.struck(Fault.PRIMARY_LIMIT) == 1


def test_refusals_of_a_secondary_limit_come_in_all_four_forms() -> None:
    github = PureWorld()
    github.switch_on("secondary-refusal=share=1,retry_after_seconds=17")
    refusals = [limited(github) for _ in range(60)]
    assert {(one.status, one.headers.get("retry-after")) for one in refusals if one} == {
        (403, "17"), (403, None), (429, "17"), (429, None)
    }  # fmt: skip
    assert all(one and "secondary rate limit" in one.message for one in refusals)


@pytest.mark.parametrize(("method", "allowed"), [("GET", 900), ("POST", 180), ("DELETE", 180)])
def test_nine_hundred_points_a_minute_are_so_many_calls(method: str, allowed: int) -> None:
    github = PureWorld()
    github.switch_on("secondary-limit")
    assert [limited(github, method) for _ in range(allowed)] == [None] * allowed
    refused = limited(github, method)
    assert refused is not None
    assert (refused.status, refused.headers) == (403, {"retry-after": "60"})
    github.now += 59.9
    assert limited(github, method) is not None
    github.now += 0.1
    assert limited(github, method) is None
    assert github.struck(Fault.SECONDARY_LIMIT) == 2


def test_the_points_of_one_caller_are_not_anothers() -> None:
    points = Points()
    points.spend("a", 5, now=EPOCH)
    points.spend("a", 1, now=EPOCH + 30)
    assert (points.spent("a", now=EPOCH + 59), points.spent("b", now=EPOCH + 59)) == (6, 0)
    assert points.spent("a", now=EPOCH + 60) == 1


def test_more_than_a_hundred_calls_at_once_are_refused() -> None:
    github = PureWorld()
    github.switch_on("secondary-limit=retry_after_seconds=0")
    assert limited(github, at_once=100) is None
    refused = limited(github, at_once=101)
    assert refused is not None
    assert refused.headers == {}


def test_all_tokens_of_before_are_revoked_and_a_new_one_is_good() -> None:
    github = PureWorld()
    accounts, installation = github.world.accounts, github.organization.installation

    def issue(secret: str) -> None:
        accounts.issue_token(installation.id, app=installation.app, secret=secret, wish={}, now=github.now)

    issue("old")
    github.switch_on("tokens-revoked=share=1,after=1,most=1")
    github.world.rest_faults.revoke_tokens()
    assert accounts.authenticated_installation("old", now=github.now).installation == installation
    github.world.rest_faults.revoke_tokens()
    with pytest.raises(RestRefusal) as refused:
        accounts.authenticated_installation("old", now=github.now)
    assert (refused.value.status, refused.value.message) == (401, "Bad credentials")
    issue("new")
    github.world.rest_faults.revoke_tokens()
    assert accounts.authenticated_installation("new", now=github.now).installation == installation


@pytest.mark.parametrize(("ahead", "shown"), [(0, "2027-01-15T08:00:00Z"), (90, "2027-01-15T08:01:30Z"),
                                              (-3600, "2027-01-15T07:00:00Z")])  # fmt: skip
def test_a_clock_that_is_wrong_writes_wrong_times(ahead: float, shown: str) -> None:
    github = PureWorld()
    github.switch_on(f"clock-skew={ahead}")
    assert github.world.rest_faults.clock_ahead_seconds() == ahead
    links = Links("http://github.test", ahead_seconds=ahead)
    assert (links.moment(EPOCH), links.optional_moment(None)) == (shown, None)
    reading = github.world.limits.reading(CALLER, CORE, now=github.now)
    assert reading.ahead(ahead).reset == reading.reset + ahead
