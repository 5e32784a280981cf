"""From a file to a `Config`, or to one ConfigError that tells every problem with file, line, key, what was
given and the remedy.

Knows YAML's lines and pydantic's errors, no key's meaning.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from scaler.config.model import Config
from scaler.config.section import section_of
from scaler.config.yaml_text import Document, KeyPath, Problem, read_yaml, shown
from scaler.errors import ConfigError
from scaler.secrets import SecretReference

_LARGEST_BYTES = 1024 * 1024
_LONGEST_GIVEN = 60
_LIKE_A_SECRET = re.compile(r"-----BEGIN|\bgh[a-z]_|github_pat_|\bey[A-Za-z0-9_-]{8,}\.")
_SAMPLE = "docs/examples/runner-pool.yaml shows every key."

_QUOTE = (
    "Put it in quotes: YAML reads plain numbers, dates, yes/no and true/false as something else than text."
)
_WORDS: dict[str, tuple[str, str]] = {
    "string_type": ("it should be a text", _QUOTE),
    "int_type": ("it should be a whole number", "Write digits without quotes."),
    "int_from_float": ("it should be a whole number", "Write it without a fraction."),
    "int_parsing_size": ("the number is too large", "Write a number that fits the limit in the reference."),
    "bool_type": ("it should be true or false", "Write true or false, without quotes."),
    "tuple_type": ("it should be a list", "Write [a, b], or one line with - per entry."),
    "model_type": ("it should be a section", "Write its keys below it, indented."),
}


def load_config(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`. Raises ConfigError.

    Of `env` only PORT matters, where Cloud Run says on which port a service must listen
    (https://cloud.google.com/run/docs/container-contract#port); it is the default of `service.port`.
    """
    document = read_yaml(_content(path))
    problems = list(document.problems)
    config: Config | None = None
    if document.data is not None and not isinstance(document.data, dict):
        problems.append(
            Problem(
                path=(),
                line=document.line_of(()),
                what="the file should hold keys and values",
                remedy=_SAMPLE,
            )
        )
    elif document.data is not None:
        problems += _port_problems(document.data, env)
        try:
            config = Config.model_validate(document.data)
        except ValidationError as error:
            problems += [problem for detail in error.errors() for problem in _problems(detail, document)]
    if config is None or problems:
        raise _config_error(path, problems)
    return config


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read: {error.strerror or type(error).__name__}",
            remedy=f"Give the path of the file with --config; {_SAMPLE}",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"The configuration {path} is not UTF-8 text", remedy="Save it as plain UTF-8 text."
        ) from error
    if len(content) > _LARGEST_BYTES:
        raise ConfigError(
            f"The configuration {path} is larger than 1 MiB", remedy="Check that the path is right."
        )
    return text


def _port_problems(data: dict[str, Any], env: Mapping[str, str]) -> list[Problem]:
    """Put PORT where the file says nothing about the port; a PORT that is none is a problem."""
    service = data.get("service", {})
    if "PORT" not in env or not isinstance(service, dict) or "port" in service:
        return []
    port = env["PORT"]
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        return [
            Problem(
                path=("service", "port"),
                line=None,
                what=f"the environment variable PORT is not a port (given: {_given(port)})",
                remedy="Unset it, or set service.port in the file.",
            )
        ]
    data["service"] = {**service, "port": int(port)}
    return []


def _problems(detail: ErrorDetails, document: Document) -> Iterator[Problem]:
    """What pydantic found, in our words."""
    path: KeyPath = detail["loc"]
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "relations":
        for related in context["problems"]:
            at = (*path, *(int(part) if part.isdecimal() else part for part in related["key"].split(".")))
            yield Problem(path=at, line=document.line_of(at), what=related["what"], remedy=related["remedy"])
        return
    if kind == "too_short" and detail["input"]:
        return  # pydantic counts the entries that were right; each wrong one has its own line already
    if kind == "missing":
        what, remedy = "the key is missing", f"Add it. {_description(path)}."
    elif kind == "extra_forbidden":
        what, remedy = "there is no such key", _nearest(path)
    else:
        what, remedy = _judged(kind, detail, context)
        what = f"{what} (given: {'not shown' if _is_secret(path) else _given(detail['input'])})"
    yield Problem(path=path, line=document.line_of(path), what=what, remedy=remedy)


def _judged(kind: str, detail: ErrorDetails, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "wrong":
        return str(context["what"]), str(context["remedy"])
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "enum":
        return "it is none of the choices", f"Write one of: {context['expected'].replace(chr(39), '')}."
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return (
            f"it must be {'at least' if 'ge' in context else 'at most'} {bound}",
            "See the limits in the reference.",
        )
    if kind in ("too_short", "string_too_short"):
        return "it is empty", "Give at least one value."
    if kind in ("too_long", "string_too_long"):
        return f"it is too long: {context['max_length']} at most", "Shorten it."
    return detail["msg"], _SAMPLE


def _given(value: object) -> str:
    """The value for a message: one line, short, and nothing that looks like a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a section" if isinstance(value, dict) else "a list"
    text = str(value)
    if _LIKE_A_SECRET.search(text) or "\n" in text:
        return "not shown"
    return repr(text if len(text) <= _LONGEST_GIVEN else text[:_LONGEST_GIVEN] + "…")


def _nearest(path: KeyPath) -> str:
    section = _section_at(path[:-1])
    keys = list(section.model_fields) if section else []
    near = difflib.get_close_matches(str(path[-1]), keys, n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"Keys that may stand here: {', '.join(keys)}."


def _description(path: KeyPath) -> str:
    found = _field_at(path)
    return (found.description if found else None) or "It is a section with keys of its own"


def _is_secret(path: KeyPath) -> bool:
    found = _field_at(path)
    return found is not None and SecretReference in (found.annotation, *get_args(found.annotation))


def _field_at(path: KeyPath) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    section = _section_at(tuple(names[:-1])) if names else None
    return section.model_fields.get(names[-1]) if section else None


def _section_at(path: KeyPath) -> type[BaseModel] | None:
    """The model whose keys stand at `path`."""
    section: type[BaseModel] = Config
    for name in (part for part in path if isinstance(part, str)):
        found = section.model_fields.get(name)
        if found is None:
            return None
        inner = section_of(found)
        if inner is None:
            return None
        section = inner
    return section


def _config_error(path: Path, problems: list[Problem]) -> ConfigError:
    told = []
    for problem in sorted(problems, key=lambda problem: (problem.line or 0, shown(problem.path))):
        place = f"{path}:{problem.line}" if problem.line else str(path)
        key = f"{shown(problem.path)}: " if problem.path else ""
        told.append(_printable(f"{place}: {key}{problem.what}. {problem.remedy}"))
    count = f"{len(told)} problems" if len(told) > 1 else "a problem"
    return ConfigError(f"The configuration has {count}:\n" + "\n".join(f"  {line}" for line in told))


def _printable(line: str) -> str:
    """`line` without what would move a terminal's cursor: keys and values come from anybody's file."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
