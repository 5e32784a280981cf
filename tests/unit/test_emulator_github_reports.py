"""What a runner and a caller of generate-jitconfig send to the stand-in GitHub, and how it is read."""

from typing import Any

import jwt
import pytest

from emulator.github.keys import new_key, public_pem
from emulator.github.refusals import RestRefusal, TokenRefusal
from emulator.github.registration_wish import registration_wish
from emulator.github.runner_reports import (
    asserted_client,
    reported_conclusion,
    reported_outputs,
    reported_steps,
    verify_assertion,
)
from emulator.github.tokens import Bearer, Tokens
from tests.emulator_github_world import EPOCH

KEY = new_key()
OTHER_KEY = new_key()
NOW = int(EPOCH)


def assertion(*, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> dict[str, str]:
    good = {"iss": "client", "sub": "client", "aud": "http://h/token", "exp": NOW + 60}
    return {
        "grant_type": "client_credentials",
        "client_assertion": jwt.encode({**good, **claims}, key, algorithm=algorithm),
    }


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_runner_proves_itself_with_its_key(algorithm: str) -> None:
    form = assertion(algorithm=algorithm)
    assert asserted_client(form) == "client"
    verify_assertion(form, public_key=public_pem(KEY), audience="http://h/token", now=EPOCH)


@pytest.mark.parametrize(
    "form",
    [
        assertion(key=OTHER_KEY),
        assertion(exp=NOW),
        assertion(aud="http://elsewhere/token"),
    ],
    ids=["another key", "expired", "for somebody else"],
)
def test_a_runners_bad_assertion_is_an_invalid_client(form: dict[str, str]) -> None:
    with pytest.raises(TokenRefusal) as refused:
        verify_assertion(form, public_key=public_pem(KEY), audience="http://h/token", now=EPOCH)
    assert (refused.value.status, refused.value.body["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_client"),
        ({**assertion(), "client_assertion_type": "other"}, "invalid_request"),
        (assertion(sub="somebody"), "invalid_client"),
    ],
)
def test_a_token_request_that_names_no_client_is_refused(form: dict[str, str], error: str) -> None:
    with pytest.raises(TokenRefusal) as refused:
        asserted_client(form)
    assert refused.value.body["error"] == error


def test_a_token_speaks_for_one_bearer_for_one_hour() -> None:
    tokens = Tokens(secret=b"x" * 32)
    token = tokens.issue(Bearer.RUNNER, "17", now=EPOCH)
    assert tokens.subject(token, now=EPOCH + 3599) == (Bearer.RUNNER, "17")
    assert tokens.subject(token, now=EPOCH + 3600) is None
    assert tokens.subject("nonsense", now=EPOCH) is None
    assert Tokens(secret=b"y" * 32).subject(token, now=EPOCH) is None


@pytest.mark.parametrize(
    ("reported", "conclusion"),
    [
        ("succeeded", "success"),
        ("Succeeded", "success"),
        (0, "success"),
        ("succeededWithIssues", "success"),
        (2, "failure"),
        ("abandoned", "failure"),
        ("canceled", "cancelled"),
        (4, "skipped"),
    ],
)
def test_a_task_result_becomes_a_conclusion(reported: object, conclusion: str) -> None:
    assert reported_conclusion(reported) == conclusion


def test_outputs_and_steps_of_a_report_are_read() -> None:
    assert reported_outputs({"a": {"value": "1", "isSecret": False}, "b": "2", "c": {"value": None}}) == {
        "a": "1",
        "b": "2",
        "c": "",
    }
    [step] = reported_steps(
        [
            {
                "number": 2,
                "name": "Run echo",
                "status": "completed",
                "conclusion": "succeeded",
                "started_at": "2027-01-15T08:00:00.5Z",
                "completed_at": "2027-01-15T08:00:01",
            }
        ]
    )
    assert (step.number, step.status, step.conclusion) == (2, "completed", "success")
    assert (step.started_at, step.completed_at) == (EPOCH + 0.5, EPOCH + 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "r", "labels": ["a"]}, "object is missing required key: runner_group_id"),
        ({"runner_group_id": 1, "labels": ["a"]}, "object is missing required key: name"),
        ({"name": "r", "runner_group_id": 1}, "object is missing required key: labels"),
        ({"name": "r" * 65, "runner_group_id": 1, "labels": ["a"]}, "64"),
        ({"name": "r", "runner_group_id": "1", "labels": ["a"]}, "integer"),
        ({"name": "r", "runner_group_id": 1, "labels": []}, "1 to 100"),
        ({"name": "r", "runner_group_id": 1, "labels": ["a"] * 101}, "1 to 100"),
        ({"name": "r", "runner_group_id": 1, "labels": "abc"}, "1 to 100"),
        ([], "object"),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(body: object, said: str) -> None:
    with pytest.raises(RestRefusal) as refused:
        registration_wish(body)
    assert refused.value.status == 422
    assert said in refused.value.message


def test_a_name_of_sixty_four_characters_is_accepted() -> None:
    wish = registration_wish({"name": "r" * 64, "runner_group_id": 1, "labels": ["a"]})
    assert (wish.name, wish.work_folder) == ("r" * 64, "_work")
