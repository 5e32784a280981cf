"""What a runner sends, read: its assertion of who it is, its report of how a job ended. Pure.

The shapes: CompleteJobRequest.cs, StepResult.cs, TaskResult.cs and TimelineRecordState.cs of
https://github.com/actions/runner/tree/main/src/Sdk; enumerations come as names in any case or as numbers.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from emulator.github.jobs import Step
from emulator.github.refusals import BrokerRefusal, TokenRefusal
from emulator.github.signed_tokens import signed_claims, unproven_claims

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# TaskResult by name and by number, as the REST API words a conclusion.
CONCLUSIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("succeeded", "0", "succeededwithissues", "1", "success"), "success"),
    **dict.fromkeys(("failed", "2", "failure", "abandoned", "5"), "failure"),
    **dict.fromkeys(("canceled", "3", "cancelled"), "cancelled"),
    **dict.fromkeys(("skipped", "4"), "skipped"),
}
# TimelineRecordState by name and by number.
STEP_STATES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("pending", "0", "queued"), "queued"),
    **dict.fromkeys(("inprogress", "1", "in_progress"), "in_progress"),
    **dict.fromkeys(("completed", "2"), "completed"),
}


def asserted_client(form: Mapping[str, str]) -> str:
    """The client id that a token request claims; not proven yet. Raises `TokenRefusal`."""
    if form.get("grant_type") != "client_credentials":
        raise TokenRefusal("unsupported_grant_type", "grant_type must be client_credentials")
    if form.get("client_assertion_type", ASSERTION_TYPE) != ASSERTION_TYPE:
        raise TokenRefusal("invalid_request", f"client_assertion_type must be {ASSERTION_TYPE}")
    claims = unproven_claims(form.get("client_assertion", ""))
    if claims is None:
        raise TokenRefusal("invalid_client", "client_assertion is not a JSON Web Token")
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or issuer != subject:
        raise TokenRefusal("invalid_client", "iss and sub of the assertion must both be the client id")
    return issuer


def verify_assertion(form: Mapping[str, str], *, public_key: str, audience: str, now: float) -> None:
    """Return when the assertion is signed with the runner's key for us and valid at `now`. Raises `TokenRefusal`."""
    # PS256 is what a runner uses in FIPS mode.
    claims = signed_claims(form["client_assertion"], key=public_key, algorithms=["RS256", "PS256"])
    if claims is None:
        raise TokenRefusal("invalid_client", "the assertion is not signed with the runner's key")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires <= now:
        raise TokenRefusal("invalid_client", "the assertion has expired")
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise TokenRefusal("invalid_client", f"the assertion is for {audiences}, this is {audience}")


def reported_conclusion(value: object) -> str:
    """A TaskResult as a conclusion. Raises `BrokerRefusal` 400 for anything else."""
    conclusion = CONCLUSIONS.get(str(value).casefold())
    if conclusion is None:
        raise BrokerRefusal(400, f"conclusion is no TaskResult: {value!r}")
    return conclusion


def reported_outputs(value: object) -> dict[str, str]:
    """`{"name": {"value": "text", "isSecret": false}}` as names and texts. Raises `BrokerRefusal` 400."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BrokerRefusal(400, "outputs must be an object")
    outputs = {}
    for name, output in value.items():
        text = output.get("value") if isinstance(output, dict) else output
        outputs[name] = "" if text is None else str(text)
    return outputs


def reported_steps(value: object) -> tuple[Step, ...]:
    """`stepResults` as steps. Raises `BrokerRefusal` 400."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BrokerRefusal(400, "stepResults must be a list of objects")
    return tuple(_step(one, number) for number, one in enumerate(value, start=1))


def _step(result: Mapping[str, Any], number: int) -> Step:
    conclusion = result.get("conclusion")
    return Step(
        number=int(result.get("number") or number),
        name=str(result.get("name") or f"step {number}"),
        status=STEP_STATES.get(str(result.get("status")).casefold().replace("-", ""), "completed"),
        conclusion=None if conclusion is None else reported_conclusion(conclusion),
        started_at=_seconds(result.get("started_at")),
        completed_at=_seconds(result.get("completed_at")),
    )


def _seconds(value: object) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BrokerRefusal(400, f"not a time: {value!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
