"""What the stand-in runner makes of the faults in a job message."""

import json
from typing import Any

import pytest

from emulator.github.faults import IN_THE_RUNNER
from emulator.runner.errors import BadFaultsError
from emulator.runner.faults import CATALOGUE, faults_of


def asked(value: Any) -> dict[str, Any]:
    """A job message whose variable holds this value."""
    return {"variables": {"system.emulator.runner_faults": {"value": value}}}


@pytest.mark.parametrize("job", [{}, {"variables": None}, {"variables": {}}, asked("{}")])
def test_nothing_goes_wrong_unless_it_is_asked_for(job: dict[str, Any]) -> None:
    faults = faults_of(job)
    assert not any(faults.has(name) for name in CATALOGUE)
    assert faults.delay("runner-dies") is None


def test_a_missing_parameter_has_its_default() -> None:
    faults = faults_of(asked(json.dumps({name: {} for name in CATALOGUE})))
    assert all(faults.has(name) for name in CATALOGUE)
    assert faults.delay("runner-dies") == faults.delay("runner-out-of-memory") == 2.0


def test_a_given_parameter_counts() -> None:
    assert faults_of(asked('{"runner-dies": {"seconds": 0.5}}')).delay("runner-dies") == 0.5


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "is no JSON"),
        (7.5, "is no JSON"),
        (["x"], "is no JSON"),
        ("[]", "is no object"),
        ('{"runner-sings": {}}', "knows no fault 'runner-sings'. It knows runner-dies, "),
        ('{"runner-deaf": 1}', "The parameters of the fault 'runner-deaf' are no object: 1"),
        ('{"runner-deaf": {"seconds": 1}}', "The fault 'runner-deaf' has no parameter 'seconds'"),
        ('{"runner-dies": {"seconds": -1}}', "is not a number of at least 0: -1"),
        ('{"runner-dies": {"seconds": true}}', "is not a number of at least 0: True"),
        ('{"runner-dies": {"seconds": NaN}}', "is not a number of at least 0: nan"),
        ('{"runner-dies": {"seconds": "2"}}', "is not a number of at least 0: '2'"),
    ],
)
def test_what_nobody_knows_is_never_passed_over(value: Any, said: str) -> None:
    with pytest.raises(BadFaultsError) as raised:
        faults_of(asked(value))
    assert said in str(raised.value)


def test_github_hands_out_the_faults_that_the_runner_knows_and_no_others() -> None:
    """The two sides have a catalogue each, and a fault that one of them does not know would fail every job."""
    assert {fault.value for fault in IN_THE_RUNNER} == set(CATALOGUE)
