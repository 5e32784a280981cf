"""The verbs that change cells, at the command line: what each asks for, and what a mistake is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scaler.errors import CanaryFailed
from scaler.rollout import verbs
from scaler.rollout.cells import Goal
from scaler.rollout.template import SizeWish, TemplateWish
from scaler.rollout.verbs import Wanted
from tests.unit.test_command_main import ended

CONFIG = ("--config", "pool.yaml")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What was asked for."""
    wanted: list[Wanted] = []

    def run(config_path: Path, env: Mapping[str, str], what: Wanted) -> int:
        assert config_path == Path("pool.yaml")
        wanted.append(what)
        return 0

    monkeypatch.setattr(verbs, "run", run)
    return wanted


def test_a_rollout_asks_for_all_that_it_was_told(asked: list[Wanted]) -> None:
    words = "--pool linux --image new --env A=1=2 --unset-env B --cpu 4 --memory 8Gi --no-canary --at-once 3 --take-over"
    assert ended("rollout", *CONFIG, *words.split(), "--timeout", "1h30m", "--canary-timeout", "5m") == 0
    (wanted,) = asked
    assert wanted.wish == TemplateWish(
        image="new", env={"A": "1=2"}, unset_env=frozenset({"B"}), cpu="4", memory="8Gi"
    )
    assert (wanted.hold, wanted.goal, wanted.pool, wanted.at_once) == ("rollout", Goal.CHANGE, "linux", 3)
    assert wanted.take_over
    assert (wanted.canary, wanted.timeout_seconds, wanted.canary_seconds) == (False, 5_400.0, 300.0)
    assert wanted.how_back.endswith("--pool linux --image OLD")


def test_a_rollout_tries_one_cell_first_and_keeps_secrets_unless_told_otherwise(asked: list[Wanted]) -> None:
    ended("rollout", *CONFIG, "--pool", "linux", "--image", "new")
    ended("rollout", *CONFIG, "--pool", "linux", "--rotate-secrets")
    wishes = [each.wish for each in asked]
    assert all(isinstance(wish, TemplateWish) for wish in wishes)
    assert [(each.canary, each.take_over) for each in asked] == [(True, False), (True, False)]
    keeps, rotates = (wish.rotate for wish in wishes if isinstance(wish, TemplateWish))
    assert keeps is None
    assert rotates is not None
    assert len({rotates() for _ in range(3)} | {""}) == 4


def test_the_other_verbs_ask_for_theirs(asked: list[Wanted]) -> None:
    ended("drain", *CONFIG, "--cell", "a", "--cell", "b")
    ended("resume", *CONFIG, "--pool", "linux")
    ended("resume", *CONFIG, "--hold", "rollout")
    ended("resize", *CONFIG, "--cell", "a=4", "--cell", "b-2=100")
    ended("destroy", *CONFIG, "--all", "--yes")
    assert [(each.hold, each.goal, each.pool, each.cells) for each in asked] == [
        ("drain", Goal.STAY, None, ("a", "b")),
        ("drain", Goal.RELEASE, "linux", ()),
        ("rollout", Goal.RELEASE, None, ()),
        ("resize", Goal.CHANGE, None, ("a", "b-2")),
        ("destroy", Goal.DELETE, None, ()),
    ]
    assert asked[3].wish == SizeWish(sizes={"a": 4, "b-2": 100})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("rollout --pool linux", "nothing is to be changed"),
        ("rollout --image new", "Missing option '--pool'"),
        ("rollout --pool linux --cpu lots", "write --cpu 4"),
        ("rollout --pool linux --cpu 0", "--cpu 0 is no number of CPUs"),
        ("rollout --pool linux --cpu 2Gi", "write --cpu 4"),
        ("rollout --pool linux --memory 8", "write --memory 8Gi"),
        ("rollout --pool linux --memory 8GB", "--memory 8GB is no amount of memory"),
        ("rollout --pool linux --memory 0Mi", "write --memory 8Gi"),
        ("rollout --pool linux --env A", "write --env NAME=VALUE"),
        ("rollout --pool linux --env A-B=1", "write --env NAME=VALUE"),
        ("rollout --pool linux --env A=1 --unset-env A", "--unset-env A cannot be honoured"),
        ("rollout --pool linux --env RUNNER_POOL_CELL_SECRET=x", "say --rotate-secrets"),
        ("rollout --pool linux --unset-env RUNNER_POOL_CELL_SECRET", "say --rotate-secrets"),
        ("rollout --pool linux --image new --timeout soon", "it is not a duration"),
        ("resize --cell a", "write CELL=N"),
        ("resize --cell a=0", "with N from 1 to 100"),
        ("resize --cell a=101", "with N from 1 to 100"),
        ("destroy --yes", "say --pool, --cell or --all"),
        ("destroy --all --pool linux --yes", "say --pool, --cell or --all"),
        ("destroy --pool linux", "this deletes every cell of pool linux"),
        ("destroy --all", "this deletes EVERY cell"),
        ("resume --hold whatever", "is not one of"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_asked_for(
    words: str, says: str, asked: list[Wanted], capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *others = words.split()
    assert ended(verb, *CONFIG, *others) == 2
    assert says in capsys.readouterr().err
    assert asked == []


def test_a_value_that_is_set_by_hand_is_not_shown_in_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("rollout", *CONFIG, "--pool", "linux", "--env", "A-B=hunter2") == 2
    assert "hunter2" not in capsys.readouterr().err


def test_a_failed_canary_ends_with_its_own_code_and_the_way_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        raise CanaryFailed("it has failed", remedy="To go back: run this")

    monkeypatch.setattr(verbs, "run", run)
    assert ended("rollout", *CONFIG, "--pool", "linux", "--image", "new") == 14
    assert capsys.readouterr().err == "runner-pool: it has failed\n  remedy: To go back: run this\n"
