"""What a user meets at the command line: verbs, mistakes, exit codes."""

import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from runner_pool import errors, main
from scaler.errors import ConfigError


def ended(*arguments: str) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    code = caught.value.code
    assert isinstance(code, int)
    return code


class StubScaler(ModuleType):
    """A scaler.main that notes its calls and answers as told."""

    def __init__(self) -> None:
        super().__init__("scaler.main")
        self.calls: list[tuple[object, ...]] = []
        self.outcome: int | Exception = 0

    def _answer(self, *call: object) -> int:
        self.calls.append(call)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def serve(self, config_path: Path, env: Mapping[str, str]) -> int:
        assert env is os.environ
        return self._answer("serve", config_path)

    def once(self, config_path: Path, env: Mapping[str, str]) -> int:
        return self._answer("once", config_path)

    def plan(self, config_path: Path, env: Mapping[str, str], *, as_json: bool, check: bool) -> int:
        return self._answer("plan", config_path, as_json, check)

    def check_config(self, config_path: Path, env: Mapping[str, str]) -> int:
        return self._answer("check-config", config_path)


@pytest.fixture
def scaler(monkeypatch: pytest.MonkeyPatch) -> StubScaler:
    stub = StubScaler()
    monkeypatch.setitem(sys.modules, "scaler.main", stub)
    monkeypatch.setattr("scaler.main", stub, raising=False)
    return stub


@pytest.mark.parametrize("verb", ["serve", "once", "check-config"])
def test_a_verb_calls_its_program_and_ends_with_its_code(scaler: StubScaler, verb: str) -> None:
    scaler.outcome = 5
    assert ended(verb, "--config", "a.yaml") == 5
    assert scaler.calls == [(verb, Path("a.yaml"))]


def test_plan_passes_its_options_on(scaler: StubScaler) -> None:
    assert ended("plan", "--config", "a.yaml", "--json", "--check") == 0
    assert ended("plan", "--config", "a.yaml") == 0
    assert scaler.calls == [("plan", Path("a.yaml"), True, True), ("plan", Path("a.yaml"), False, False)]


def test_an_error_of_the_scaler_is_told_without_a_traceback(
    scaler: StubScaler, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler.outcome = ConfigError("pools is missing", remedy="add a pool")
    assert ended("serve", "--config", "a.yaml") == ConfigError.exit_code
    assert capsys.readouterr().err == "runner-pool: pools is missing\n  remedy: add a pool\n"


def test_an_error_of_the_command_is_told_in_three_lines(
    scaler: StubScaler, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler.outcome = errors.WorldError("it broke", cause="the wind", remedy="wait")
    assert ended("once", "--config", "a.yaml") == 20
    assert capsys.readouterr().err == "runner-pool: it broke\n  cause: the wind\n  remedy: wait\n"


def test_a_fault_of_ours_keeps_its_traceback_and_says_whose_it_is(
    scaler: StubScaler, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler.outcome = ZeroDivisionError("ours")
    assert ended("once", "--config", "a.yaml") == 70
    told = capsys.readouterr().err
    assert "a fault of the program itself" in told
    assert "ZeroDivisionError: ours" in told


def test_an_interruption_ends_with_130(scaler: StubScaler, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(scaler, "serve", interrupted)
    assert ended("serve", "--config", "a.yaml") == 130


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["srve"], "Did you mean 'serve'?"),
        (["plan", "--conifg", "x"], "Did you mean '--config'?"),
        (["serve"], "Missing option '--config'"),
        (["demo", "--timeout", "0"], "0"),
    ],
)
def test_a_mistyped_command_names_the_near_one(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*arguments) == 2
    assert text in capsys.readouterr().err


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("version") == 0
    assert capsys.readouterr().out == f"runner-pool {metadata.version('runner-pool')}\n"


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    text = capsys.readouterr().out
    for verb in ("serve", "once", "plan", "check-config", "demo", "emulator", "version"):
        assert f"  {verb} " in text


def test_every_error_of_the_command_has_a_code_of_its_own_that_the_docs_name() -> None:
    kinds = errors.CommandError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(kinds) > 0
    page = (Path(__file__).parents[2] / "docs" / "reference" / "command.md").read_text()
    for code in codes:
        assert f"| {code} |" in page
