"""The switchboard of both stand-ins: which faults are on, when they strike, how they are given."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from emulator.cloud.faults import CATALOGUE as CLOUD
from emulator.cloud.faults import CloudFaults, Fault
from emulator.faults import Description, Faults, WrongFault, fault_argument
from emulator.github.faults import CATALOGUE as GITHUB
from emulator.main import settings_from

BOTH: Mapping[Any, Description] = {**CLOUD, **GITHUB}
ON_OCCASION = [
    fault for fault, each in BOTH.items() if "share" in {parameter.name for parameter in each.parameters}
]


def switchboard(seed: int = 5) -> Faults[Any]:
    return Faults(catalogue=BOTH, chance=Random(seed))


def test_no_name_stands_in_both_catalogues() -> None:
    assert len(BOTH) == len(CLOUD) + len(GITHUB)


@pytest.mark.parametrize("fault", BOTH)
def test_every_fault_says_in_a_sentence_what_happens_and_where_it_was_seen(fault: Any) -> None:
    each = BOTH[fault]
    assert each.sentence.endswith(".")
    assert each.parameters
    assert each.source.startswith(("https://", "assumed: "))
    for parameter in each.parameters:
        assert parameter.value(parameter.default) == parameter.default


def test_faults_at_a_rate_are_as_frequent_as_asked() -> None:
    faults = CloudFaults(catalogue=CLOUD, chance=Random(3))
    faults.replace({"foreign-write": {"per_minute": 30}}, now=0)
    times = [now for now in range(6000) if list(faults.due(now))]
    assert 2200 < len(times) < 3000


@pytest.mark.parametrize("fault", ON_OCCASION)
def test_share_after_and_most_limit_every_fault_of_an_occasion(fault: Any) -> None:
    faults = switchboard()
    assert faults.strike(fault) is None
    faults.replace({fault: {"share": 1, "after": 2, "most": 3}}, now=0)
    assert [faults.strike(fault) is not None for _ in range(8)] == [False] * 2 + [True] * 3 + [False] * 3
    faults.replace({fault: {"share": 0.25}}, now=0)
    assert 150 < sum(faults.strike(fault) is not None for _ in range(800)) < 250
    faults.replace({}, now=0)
    assert faults.strike(fault) is None


@pytest.mark.parametrize("fault", [fault for fault in ON_OCCASION if BOTH[fault].aimed])
def test_an_aimed_fault_spares_all_others_and_their_occasions_do_not_count(fault: Any) -> None:
    faults = switchboard()
    faults.replace({fault: {"share": 1, "after": 1, "only": "linux-"}}, now=0)
    assert faults.switched_on()[fault]["only"] == "linux-"
    names = ["mac-a", "linux-a", "mac-a", "linux-b", "mac-a", ""]
    assert [name for name in names if faults.strike(fault, at=name)] == ["linux-b"]
    faults.replace({fault: {"share": 1}}, now=0)
    assert all(faults.strike(fault, at=name) for name in names)


def test_only_aimed_faults_take_a_name_and_only_a_text_is_one() -> None:
    aim = fault_argument("stale-etag=share=1,only=linux-", BOTH)
    assert aim == ("stale-etag", {"share": 1.0, "only": "linux-"})
    for text in ("slow-start=only=linux-", "github-5xx=only=linux-"):
        with pytest.raises(WrongFault, match="no parameter 'only'"):
            fault_argument(text, BOTH)
    with pytest.raises(WrongFault, match="beginning of a name"):
        switchboard().replace({"stale-etag": {"only": 3}}, now=0)


def test_a_fault_that_is_off_draws_no_chance() -> None:
    faults = switchboard()
    before = faults.chance.getstate()
    for fault in ON_OCCASION:
        faults.strike(fault)
    assert faults.chance.getstate() == before


def test_the_same_seed_strikes_at_the_same_occasions() -> None:
    def story(seed: int) -> list[bool]:
        faults = switchboard(seed)
        faults.replace({"github-5xx": {"share": 0.5}}, now=0)
        return [faults.strike("github-5xx") is not None for _ in range(50)]

    assert story(1) == story(1) != story(2)


@pytest.mark.parametrize(("text", "expected"), [
    ("cpu-quota", ("cpu-quota", {})),
    ("stale-etag=0.5", ("stale-etag", {"share": 0.5})),
    ("write-quota=10", ("write-quota", {"writes_per_minute": 10})),
    ("late-effect=seconds=2,share=0.5", ("late-effect", {"seconds": 2, "share": 0.5})),
    ("github-slow=20", ("github-slow", {"seconds": 20})),
    ("clock-skew=-300", ("clock-skew", {"seconds_ahead": -300})),
    ("secondary-limit=points_per_minute=90,concurrent=4", ("secondary-limit", {"points_per_minute": 90, "concurrent": 4})),
])  # fmt: skip
def test_a_fault_on_the_command_line(text: str, expected: tuple[str, dict[str, float]]) -> None:
    assert fault_argument(text, BOTH) == expected


@pytest.mark.parametrize(("text", "said"), [
    ("rain", "no fault 'rain'"), ("stale-etag=2", "from 0 to 1"), ("stale-etag=much", "not a number"),
    ("late-effect=nan", "of at least 0"), ("late-effect=most=1.5", "whole number"), ("cpu-quota=hours=1", "no parameter"),
    ("github-slow=-1", "of at least 0"), ("clock-skew=1e9", "from -86400 to 86400"),
])  # fmt: skip
def test_a_wrong_fault_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(WrongFault, match=said):
        fault_argument(text, BOTH)


def test_a_wrong_set_changes_nothing() -> None:
    faults = CloudFaults(catalogue=CLOUD, chance=Random(5))
    faults.replace({"cpu-quota": {}}, now=0)
    with pytest.raises(WrongFault):
        faults.replace({"slow-start": {}, "stale-etag": {"share": True}}, now=0)
    with pytest.raises(WrongFault, match="no fault 'github-5xx'"):
        faults.replace({"github-5xx": {}}, now=0)
    assert list(faults.switched_on()) == [Fault.CPU_QUOTA]


def test_each_side_gets_its_own_faults_from_the_command_line() -> None:
    settings = settings_from(
        ["--state-dir", "x", "--fault", "github-5xx=0.5", "--fault", "cpu-quota", "--fault", "runner-dies=2"]
    )
    assert settings.faults_of(CLOUD) == {"cpu-quota": {}}
    assert settings.faults_of(GITHUB) == {"github-5xx": {"share": 0.5}, "runner-dies": {"seconds": 2}}


def test_a_fault_of_neither_side_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings_from(["--state-dir", "x", "--fault", "rain"])
    said = capsys.readouterr().err
    assert "There is no fault 'rain'" in said
    assert "busy-lies" in said
    assert "stale-etag" in said
