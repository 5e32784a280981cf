"""A configuration as text for people: what `check-config` prints. Secrets are references, so there is nothing
to hide.
"""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel

from scaler.config.durations import written
from scaler.config.model import Config


def summary(config: Config) -> tuple[str, ...]:
    """One `key: value` line per key, defaults included, in the file's order."""
    return tuple(_lines("", config))


def shown_value(value: object) -> str:
    """A value as it would be written in the file."""
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, tuple):
        return f"[{', '.join(shown_value(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "not set" if value is None else str(value)


def _lines(prefix: str, section: BaseModel) -> Iterator[str]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _lines(f"{prefix}{name}.", value)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for index, item in enumerate(value):
                yield from _lines(f"{prefix}{name}[{index}].", item)
        else:
            yield f"{prefix}{name}: {shown_value(value)}"
