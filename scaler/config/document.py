"""Writes docs/reference/configuration.md from the models: `python -m scaler.config.document > FILE`.

A unit test holds the page against the output, so a key cannot change without its line.
"""

import sys
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from scaler.config.durations import FORMS as DURATION_FORMS
from scaler.config.model import Config
from scaler.config.section import Section, section_of
from scaler.config.summary import shown_value
from scaler.secrets import FORMS as SECRET_FORMS

_HEAD = f"""# The scaler's configuration

One YAML file, given with `--config`; [a commented example](../examples/runner-pool.yaml). It is read strictly: an unknown key,
a key that stands twice, a value of another type or two keys that do not go together are errors, all told at once with file,
line, key and remedy. `runner-pool check-config --config FILE` says what holds.

* Durations are {DURATION_FORMS}.
* Secrets never stand in this file, only where they are: {SECRET_FORMS}. A line end after the secret is dropped.
* URLs are https; http is accepted for loopback addresses only.
* Keys without a default must be given.

This page is written from the models in `scaler/config/model.py`.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(f"\n{part}" for part in _tables("", Config))


def _tables(path: str, section: type[Section]) -> Iterator[str]:
    inner: list[tuple[str, type[Section]]] = []
    rows: list[str] = []
    for name, found in section.model_fields.items():
        below = section_of(found)
        if below is not None:
            inner.append((f"{path}{name}", below))
        else:
            rows.append(f"| `{name}` | {_default(found)} | {found.description} |")
    title = f"## `{path.rstrip('.')}`" if path else "## The top"
    yield "\n".join([title, "", "| key | default | meaning |", "|---|---|---|", *rows, ""])
    for name, below in inner:
        yield from _tables(f"{name}.", below)


def _default(found: FieldInfo) -> str:
    if found.is_required():
        return "(must be given)"
    if found.default in (None, ()):
        return ""
    return f"`{shown_value(found.default)}`"


if __name__ == "__main__":
    sys.stdout.write(page())
