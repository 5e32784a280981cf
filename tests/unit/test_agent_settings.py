"""The agent's environment: defaults, problems with remedy, and the document for people."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner_agent import settings as names
from runner_agent.contract import ExitReason
from runner_agent.errors import SettingsError
from runner_agent.setting_values import duration_seconds
from runner_agent.settings import DEFAULTS, DirectSettings, LeasedSettings, load_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "agent.md"
LEASED = {
    "RUNNER_POOL_SCALER_URL": "https://scaler.example",
    "RUNNER_POOL_CELL_SECRET": "not-to-be-shown",
    "CLOUD_RUN_WORKER_POOL": "linux-a1",
}
DIRECT = {
    "RUNNER_POOL_REGISTRATION": "direct",
    "RUNNER_POOL_DEPLOYMENT": "main",
    "RUNNER_POOL_POOL": "linux",
    "RUNNER_POOL_RECORDS": "sqlite:/tmp/records.db",
    "RUNNER_POOL_GITHUB_APP_ID": "Iv1.x",
    "RUNNER_POOL_GITHUB_APP_KEY": "env:APP_KEY",
    "RUNNER_POOL_GITHUB_SCOPE": "acme",
    "RUNNER_POOL_LABELS": "self-hosted, linux,",
    "CLOUD_RUN_WORKER_POOL": "linux-a1",
}


def problems(env: Mapping[str, str]) -> tuple[str, ...]:
    """What is wrong with an environment."""
    with pytest.raises(SettingsError) as caught:
        load_settings(env)
    return caught.value.problems


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the document."""
    section = DOCUMENT.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_documents_settings_are_the_programs_settings() -> None:
    """Every variable has its row, every row its variable, and the defaults agree."""
    documented: dict[str, str] = {}
    for variables, default, _ in rows("Settings"):
        for variable in re.findall(r"`([A-Z_]+)`", variables):
            documented[variable] = default
    assert documented.keys() == DEFAULTS.keys()
    told = {
        name: match[1] for name, text in documented.items() if (match := re.fullmatch(r"`([^`]*)`", text))
    }
    assert told.pop("RUNNER_POOL_CELL") == names.WORKER_POOL, "its default is the value of another variable"
    assert told == {name: default for name, default in DEFAULTS.items() if default}


def test_the_documents_exit_codes_are_the_programs_exit_codes() -> None:
    documented = {(int(code), reason.strip("`")) for code, reason, _ in rows("Exit codes")}
    assert documented == {(reason.value, reason.word) for reason in ExitReason}


def test_leased_needs_little() -> None:
    settings = load_settings(LEASED)
    assert settings.registration == LeasedSettings(
        scaler_url="https://scaler.example", audience="https://scaler.example", cell_secret="not-to-be-shown"
    )
    assert (settings.cell, settings.max_lifetime_seconds) == ("linux-a1", 43_200)
    assert settings.runner_command == ("/home/runner/run.sh",)
    assert "not-to-be-shown" not in repr(settings)


@pytest.mark.parametrize("named", ["", " ", "linux-a1"])
def test_cloud_run_says_which_cell_this_is(named: str) -> None:
    assert load_settings({**LEASED, "RUNNER_POOL_CELL": named}).cell == "linux-a1"


def test_outside_cloud_run_the_cell_is_named_by_hand() -> None:
    assert load_settings({**LEASED, "CLOUD_RUN_WORKER_POOL": "", "RUNNER_POOL_CELL": "b2"}).cell == "b2"


@pytest.mark.parametrize("env", [LEASED, DIRECT], ids=["leased", "direct"])
def test_the_name_of_another_cell_is_refused_with_its_likely_cause(env: Mapping[str, str]) -> None:
    """It would lease in the other cell's record, and its own cell could be closed under the running job."""
    (problem,) = problems({**env, "RUNNER_POOL_CELL": "b2"})
    assert problem == (
        "RUNNER_POOL_CELL: it is 'b2', but Cloud Run started this instance in 'linux-a1' (CLOUD_RUN_WORKER_POOL), so the "
        "template was probably copied from another cell; leave RUNNER_POOL_CELL out of the template"
    )


def test_direct_reads_its_own_variables_and_needs_no_scaler() -> None:
    registration = load_settings(DIRECT).registration
    assert isinstance(registration, DirectSettings)
    assert registration.labels == ("self-hosted", "linux")
    assert (registration.job_timeout_seconds, registration.listen_max_seconds) == (21_600, 300)
    assert registration.runner_group == 1


def test_the_command_is_split_as_a_shell_would() -> None:
    settings = load_settings({**LEASED, "RUNNER_POOL_RUNNER_COMMAND": "python3 -m 'my runner'"})
    assert settings.runner_command == ("python3", "-m", "my runner")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNNER_POOL_REGISTRATION", "lease"),
        ("RUNNER_POOL_SCALER_URL", ""),
        ("RUNNER_POOL_SCALER_URL", "scaler.example"),
        ("RUNNER_POOL_SCALER_URL", "http://scaler.example"),
        ("RUNNER_POOL_CELL_SECRET", ""),
        ("RUNNER_POOL_CELL_SECRET", " \n"),
        ("RUNNER_POOL_RUNNER_COMMAND", "run.sh 'half"),
        ("RUNNER_POOL_RUNNER_HOME", "home/runner"),
        ("RUNNER_POOL_ALLOW_SAME_USER", "true"),
        ("RUNNER_POOL_MAX_LIFETIME", "12"),
        ("RUNNER_POOL_MAX_LIFETIME", "0s"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(name: str, value: str) -> None:
    (problem,) = problems({**LEASED, name: value})
    assert problem.startswith(f"{name}: ")
    assert "; " in problem


@pytest.mark.parametrize(
    "secret",
    [
        "AAAA\nBBBB",
        "AAAABBBB\n",
        " AAAABBBB",
        "AAAA BBBB",
        "AAAA\tBBBB",
        "AAAA\x7fBBBB",
        "AAAAéBBBB",
        "AAAA√BBBB",
    ],
)
def test_a_secret_that_no_header_carries_is_refused_and_not_repeated(secret: str) -> None:
    """Cut off at its ends it would be another secret than that of the template: refused by the scaler, for ever."""
    (problem,) = problems({**LEASED, "RUNNER_POOL_CELL_SECRET": secret})
    assert problem.startswith("RUNNER_POOL_CELL_SECRET: it holds white space, a line break or")
    assert "openssl rand -hex 32" in problem
    assert not re.search("AAAA|BBBB", problem)


def test_every_visible_character_of_a_secret_reaches_the_scaler() -> None:
    secret = "".join(map(chr, range(0x21, 0x7F)))
    registration = load_settings({**LEASED, "RUNNER_POOL_CELL_SECRET": secret}).registration
    assert isinstance(registration, LeasedSettings)
    assert registration.cell_secret == secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNNER_POOL_GITHUB_APP_KEY", "-----BEGIN RSA PRIVATE KEY-----"),
        ("RUNNER_POOL_RUNNER_GROUP", "default"),
        ("RUNNER_POOL_LABELS", " , "),
        ("RUNNER_POOL_GITHUB_URL", "ftp://api.github.com"),
        ("RUNNER_POOL_SECRET_MANAGER_ENDPOINT", "http://secrets.example"),
        ("RUNNER_POOL_JOB_TIMEOUT", "6 hours"),
    ],
)
def test_a_wrong_direct_setting_is_named_and_a_pasted_key_is_not_repeated(name: str, value: str) -> None:
    (problem,) = problems({**DIRECT, name: value})
    assert problem.startswith(f"{name}: ")
    assert "BEGIN" not in problem


def test_all_problems_come_at_once() -> None:
    assert len(problems({})) == 3
    assert len(problems({"RUNNER_POOL_REGISTRATION": "direct"})) == 8


def test_plain_http_is_for_this_machine_only() -> None:
    registration = load_settings({**LEASED, "RUNNER_POOL_SCALER_URL": "http://127.0.0.1:8080"}).registration
    assert isinstance(registration, LeasedSettings)
    assert registration.audience == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("12h", 43_200), ("1h30m", 5_400), ("2d", 172_800), ("0.5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m5", "5 m", "1m1h", "-5m", "5min"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration_seconds(text)
