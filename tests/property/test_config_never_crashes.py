"""Whatever stands in the file: a Config or a ConfigError, and durations read back as they are written."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaler.config import Config, load_config
from scaler.config.durations import parsed_duration, written
from scaler.config.yaml_text import read_yaml
from scaler.errors import ConfigError
from tests.config_text import SMALLEST

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=4)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = st.sampled_from(
    [(key,) for key in Config.model_fields]
    + [("github", "private_key"), ("github", "repositories"), ("service", "port"), ("times", "settle")]
    + [("pools", 0), ("pools", 0, "labels"), ("pools", 0, "max"), ("pools", 0, "linger"), ("zebra",)]
)


@given(place=PLACES, value=VALUES)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_at_any_key_gives_a_config_or_a_config_error(
    tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    """Every problem names the file, and the error has both halves: what and remedy."""
    data: Any = yaml.safe_load(SMALLEST)
    inner = data
    for part in place[:-1]:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    inner[place[-1]] = value
    file = tmp_path / "rp.yaml"
    file.write_text(yaml.safe_dump(data))
    try:
        assert isinstance(load_config(file, {}), Config)
    except ConfigError as error:
        lines = str(error).splitlines()
        assert len(lines) > 1
        assert all(line.startswith(f"  {file}") for line in lines[1:])


@given(text=st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@\n\t 01.~<"), max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_told_as_a_problem(text: str) -> None:
    document = read_yaml(text)
    assert document.problems or document.data is not None or document.lines


@given(milliseconds=st.integers(min_value=0, max_value=35 * 24 * 3600 * 1000))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parsed_duration(written(duration)) == duration


@given(text=st.text(alphabet="0123456789.dhms- ", max_size=14))
def test_a_duration_is_read_or_refused_and_never_negative(text: str) -> None:
    try:
        assert parsed_duration(text) >= timedelta()
    except ValueError:
        return
