"""The scaler's configuration: one YAML file, read strictly, every problem told at once with file, line, key
and remedy.

`model` says what may stand there (and is the source of docs/reference/configuration.md), `yaml_text` reads
YAML with its line numbers (pure), `load` puts both together. Knows no vendor and no secret: secrets stay
references.
"""

from scaler.config.load import load_config
from scaler.config.model import (
    CloudRunSection,
    Config,
    GitHubSection,
    Mode,
    PoolSection,
    SecretManagerSection,
    ServiceSection,
)
from scaler.config.times import TimesSection

__all__ = [
    "CloudRunSection",
    "Config",
    "GitHubSection",
    "Mode",
    "PoolSection",
    "SecretManagerSection",
    "ServiceSection",
    "TimesSection",
    "load_config",
]
