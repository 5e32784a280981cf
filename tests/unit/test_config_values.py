"""What a right configuration means, and that the sample, the reference page and the models agree."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from github_api.values import Scope
from runner_agent.contract import LONG_POLL_TIMEOUT_SECONDS, REPLY_WITHIN_SECONDS
from scaler.cloud_run.client import CredentialKind
from scaler.config import Config, Mode, load_config
from scaler.config.document import page
from scaler.config.durations import parsed_duration
from scaler.config.summary import summary
from scaler.config.times import CLIENT_TIMEOUT, REPLY_WITHIN, TimesSection
from tests.config_text import SMALLEST, config_from, replaced

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs/examples/runner-pool.yaml"


def test_the_smallest_configuration_gets_the_defaults(tmp_path: Path) -> None:
    config = config_from(tmp_path, SMALLEST)
    assert config.mode is Mode.LEASED
    assert config.cloud_run.credentials is CredentialKind.APPLICATION_DEFAULT
    assert config.github.scope == Scope.named("acme")
    assert config.times.settle == timedelta(seconds=80)
    assert config.service.callers == ()
    assert config.pools[0].labels == ("self-hosted", "linux")
    assert config.pools[0].job_timeout == timedelta(hours=6)


def test_the_sample_loads_and_shows_every_key_with_its_default() -> None:
    config = load_config(SAMPLE, {})
    written = yaml.safe_load(SAMPLE.read_text())

    def keys(model: type[BaseModel], data: dict[str, object], ways: set[str]) -> set[str]:
        return set(model.model_fields) - set(data) - ways

    assert keys(Config, written, set()) == set()
    assert keys(type(config.github), written["github"], {"repository"}) == set()
    for name in ("cloud_run", "service", "times", "secret_manager", "storage"):
        assert keys(type(getattr(config, name)), written[name], set()) == set()
    assert keys(type(config.pools[0]), written["pools"][0], set()) == set()
    assert config.times == config_default("times")
    assert config.secret_manager == config_default("secret_manager")


def config_default(name: str) -> object:
    return Config.model_fields[name].default


def test_the_reference_page_is_the_one_that_the_models_write() -> None:
    """Refresh it: python -m scaler.config.document > docs/reference/configuration.md"""
    assert (ROOT / "docs/reference/configuration.md").read_text() == page()


def test_what_an_instance_waits_is_what_the_agent_waits() -> None:
    """The two programs share no code, so the numbers stand twice."""
    assert timedelta(seconds=LONG_POLL_TIMEOUT_SECONDS) == CLIENT_TIMEOUT
    assert timedelta(seconds=REPLY_WITHIN_SECONDS) == REPLY_WITHIN


@pytest.mark.parametrize("key", ["client_timeout", "reply_within"])
def test_what_only_the_agent_decides_is_no_key(key: str) -> None:
    """A key that changes one side only would be a promise that nobody keeps."""
    assert key not in TimesSection.model_fields


def test_an_app_id_may_be_a_plain_number(tmp_path: Path) -> None:
    assert config_from(tmp_path, replaced("Iv23abc", "12345")).github.app_id == "12345"


def test_the_environments_port_holds_where_the_file_is_silent(tmp_path: Path) -> None:
    assert config_from(tmp_path, SMALLEST, {"PORT": "9000"}).service.port == 9000
    said = SMALLEST.replace("service:\n", "service:\n  port: 7000\n")
    assert config_from(tmp_path, said, {"PORT": "9000"}).service.port == 7000


def test_direct_mode_needs_no_service(tmp_path: Path) -> None:
    text = replaced("service:\n  url: https://scaler.example.com\n", "mode: direct\n")
    assert config_from(tmp_path, text).mode is Mode.DIRECT


@pytest.mark.parametrize("records", ["sqlite:/a/b.db", "sqlite:///a/b.db", "sqlite:records.db"])
def test_records_are_named_in_either_way(tmp_path: Path, records: str) -> None:
    assert config_from(tmp_path, replaced("sqlite:/tmp/records.db", records)).records == records


@pytest.mark.parametrize("url", ["http://127.0.0.1:4001/api/v3", "http://localhost:1", "http://[::1]:8080"])
def test_loopback_needs_no_encryption(tmp_path: Path, url: str) -> None:
    text = SMALLEST.replace("github:\n", f"github:\n  url: {url}/\n", 1)
    assert config_from(tmp_path, text).github.url == url


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = config_from(tmp_path, SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        config.max_instances = 3  # type: ignore[misc]  # that it is refused is the point


def test_the_summary_shows_references_and_durations_as_written(tmp_path: Path) -> None:
    lines = summary(config_from(tmp_path, SMALLEST))
    assert "github.private_key: file:/run/secrets/key" in lines
    assert "pools[0].job_timeout: 6h" in lines
    assert "pools[0].labels: [self-hosted, linux]" in lines
    assert "github.webhook_secret: not set" in lines


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("2d", 172800), ("0s", 0)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parsed_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 s", "5S", "1m1h", "1s1s", "36d", "1e3s", "٣s", "5s\n", "999999999d", "."]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed_duration(text)
