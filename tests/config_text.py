"""Configuration files for tests: the smallest that holds, and the error that a changed one gives."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scaler.config import Config, load_config
from scaler.errors import ConfigError

SMALLEST = """\
deployment: acme-ci
github:
  app_id: Iv23abc
  private_key: file:/run/secrets/key
  organization: acme
cloud_run:
  project: my-project
  region: us-central1
records: sqlite:/tmp/records.db
service:
  url: https://scaler.example.com
pools:
  - name: linux
    labels: [self-hosted, linux]
    max: 3
"""


def config_from(folder: Path, text: str | bytes, env: Mapping[str, str] | None = None) -> Config:
    file = folder / "rp.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(file, env or {})


def told(folder: Path, text: str | bytes, env: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the error, each without the file's folder."""
    with pytest.raises(ConfigError) as refused:
        config_from(folder, text, env)
    return [line.strip().removeprefix(f"{folder}/") for line in str(refused.value).splitlines()[1:]]


def replaced(old: str, new: str) -> str:
    """The smallest configuration with one piece exchanged."""
    assert SMALLEST.count(old) == 1, f"{old!r} stands {SMALLEST.count(old)} times"
    return SMALLEST.replace(old, new)
