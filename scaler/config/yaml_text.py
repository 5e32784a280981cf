"""A YAML text as plain data, with the line of every key. PURE: text in; data, places and problems out.

Knows no key. Stricter than YAML: a key stands once, keys are texts, no anchors, aliases, tags or second
documents.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

KeyPath = tuple[str | int, ...]
_DEEPEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong: where (`path` may be empty, `line` unknown), what, and what to do."""

    path: KeyPath
    line: int | None
    what: str
    remedy: str


@dataclass(slots=True, kw_only=True)
class Document:
    """What a YAML text holds. `lines` gives the line (from 1) of each key and list item."""

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: KeyPath) -> int | None:
        """The line of `path`, or of the nearest thing around it that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.lines.get(())


def shown(path: KeyPath) -> str:
    """`pools[0].labels[1]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_yaml(text: str) -> Document:
    """Everything in `text`, and everything about it that YAML or we do not allow."""
    document = Document()
    try:
        document.problems += _refused_by_us(text)
        if document.problems:
            return document
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            document.problems.append(
                Problem(
                    path=(),
                    line=None,
                    what="the file is empty",
                    remedy="Start from docs/examples/runner-pool.yaml.",
                )
            )
            return document
        document.lines[()] = _line(node.start_mark)
        document.data = _plain(node, (), document)
    except yaml.YAMLError as error:
        document.problems.append(_broken(error, text))
    return document


def _refused_by_us(text: str) -> list[Problem]:
    """What YAML allows, but would make this file hard to read or its reader easy to exhaust."""
    problems: list[Problem] = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                what = "the file is nested deeper than anything here"
                return [Problem(path=(), line=_line(event.start_mark), what=what, remedy="Flatten it.")]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            problems.append(
                Problem(
                    path=(),
                    line=_line(event.start_mark),
                    what=f"the alias *{event.anchor} is used",
                    remedy="Write the value out: one reader sees then what holds without searching for the anchor.",
                )
            )
    return problems


def _plain(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        values = []
        for index, item in enumerate(node.value):
            document.lines[*path, index] = _line(item.start_mark)
            values.append(_plain(item, (*path, index), document))
        return values
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node.start_mark)
        key: Hashable = key_node.value if isinstance(key_node.value, str) else None
        if not isinstance(key, str) or key_node.tag == "tag:yaml.org,2002:merge":
            document.problems.append(
                Problem(
                    path=path,
                    line=line,
                    what="a key is not a plain text",
                    remedy="Use the keys of the reference.",
                )
            )
            continue
        if key in values:
            first = document.lines[*path, key]
            document.problems.append(
                Problem(
                    path=(*path, key),
                    line=line,
                    what=f"the key stands twice (first in line {first})",
                    remedy="Keep one of them; YAML readers would silently drop the other.",
                )
            )
            continue
        document.lines[*path, key] = line
        values[key] = _plain(value_node, (*path, key), document)
    return values


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as error:
        # 2026-13-45 has the form of a date, but is none.
        raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error
    finally:
        loader.dispose()


def _line(mark: Any) -> int:
    """The line of a mark, from 1. The parser gives every node and event one, though its types allow for none."""
    return int(mark.line) + 1


def _broken(error: yaml.YAMLError, text: str) -> Problem:
    """The problem in words, without the parser's excerpt of the file: that may be a secret at the wrong
    place.
    """
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    line = mark.line + 1 if mark else None
    lines = text.splitlines()
    indentation = lines[mark.line][: mark.column + 1] if mark and mark.line < len(lines) else ""
    if "\t" in indentation:
        what, remedy = "a tab stands where YAML wants spaces", "Indent with spaces only."
    elif isinstance(error, yaml.constructor.ConstructorError):
        what, remedy = "a value cannot be read", "Put it in quotes, without a !tag."
    elif isinstance(error, yaml.reader.ReaderError):
        what, remedy = "the file holds characters that YAML does not allow", "Save it as plain UTF-8 text."
    elif isinstance(error, yaml.composer.ComposerError):
        what, remedy = (
            "the file holds more than one document",
            "Keep one document, without a second --- line.",
        )
    else:
        said = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
        what = f"the file is not YAML{f': {said}' if said else ''}"
        remedy = "Look at indentation, colons and quotes in this line and the one above."
    return Problem(path=(), line=line, what=what, remedy=remedy)
