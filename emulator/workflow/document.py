"""YAML text -> plain values and the line each stands on. Knows YAML, not what a workflow is.

YAML 1.2 scalars, as GitHub reads them: `on`, `yes` and `off` are texts, only true and false are booleans.
"""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from emulator.workflow.errors import WorkflowError
from emulator.workflow.values import Value, number_in

Path: TypeAlias = tuple[str | int, ...]

MOST_NODES = 50_000  # aliases multiply; a file this large is a mistake or an attack


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML document: its value, and for error messages the line (from 1) of every key path."""

    file: str
    root: Value
    lines: dict[Path, int]

    def error(self, path: Path, problem: str, remedy: str = "") -> WorkflowError:
        """An error at a key path of this document."""
        return self.placed(WorkflowError(problem, remedy=remedy), path)

    def placed(self, error: WorkflowError, path: Path) -> WorkflowError:
        """The error with file, key path and line filled in."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), ())
        return error.placed(file=self.file, where=path_text(path) or None, line=self.lines.get(known))


def path_text(path: Path) -> str:
    """A key path as people write it: `jobs.test.steps[0].run`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """YAML 1.1's resolvers replaced by those of the 1.2 core schema."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML declares it as a class attribute to be replaced


_INTEGER = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", _INTEGER, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_document(text: str, *, file: str) -> Document:
    """Reads one YAML document. Raises WorkflowError with the line."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise WorkflowError(
            f"Not YAML: {error.problem or error.context}.",
            remedy="Check indentation, quotes and colons.",
            file=file,
            line=mark.line + 1 if mark else None,
        ) from None
    except yaml.YAMLError as error:
        raise WorkflowError(f"Not YAML: {error}.", remedy="Save the file as UTF-8 text.", file=file) from None
    except RecursionError:
        raise WorkflowError("Nested too deeply.", remedy="Flatten the file.", file=file) from None
    if node is None:
        raise WorkflowError("The file is empty.", remedy="A workflow has `on:` and `jobs:`.", file=file)
    lines: dict[Path, int] = {}
    root = _Builder(file=file, lines=lines).built(node, (), ())
    return Document(file=file, root=root, lines=lines)


class _Builder:
    def __init__(self, *, file: str, lines: dict[Path, int]) -> None:
        self.file = file
        self.lines = lines
        self.count = 0

    def error(self, path: Path, node: yaml.Node, problem: str, remedy: str) -> WorkflowError:
        line = node.start_mark.line + 1
        return WorkflowError(problem, remedy=remedy, file=self.file, where=path_text(path) or None, line=line)

    def built(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Value:
        self.lines[path] = node.start_mark.line + 1
        self.count += 1
        if self.count > MOST_NODES:
            raise self.error(path, node, f"More than {MOST_NODES} values.", "Aliases may multiply them.")
        if id(node) in above:
            raise self.error(path, node, "An alias contains itself.", "Write the value out.")
        inner = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.built(item, (*path, index), inner) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, inner)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path, inner: tuple[int, ...]) -> Value:
        result: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(path, key_node, "A key is a list or mapping.", "Keys are texts.")
            key = str(key_node.value)
            if key == "<<" and key_node.style is None:
                raise self.error(path, key_node, "Merge keys (<<) are not read.", "GitHub refuses them too.")
            if key in result:
                raise self.error((*path, key), key_node, f"{key!r} is defined twice.", "Remove one.")
            result[key] = self.built(value_node, (*path, key), inner)
            self.lines[*path, key] = key_node.start_mark.line + 1
        return result

    def _scalar(self, node: yaml.Node, path: Path) -> Value:
        text = str(node.value)
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return _number(text)
            case _:
                raise self.error(path, node, f"The YAML tag {node.tag} is not read.", "Remove it.")


def _number(text: str) -> Value:
    special = text.lower().lstrip("+-")
    if special in {".inf", ".nan"}:
        return math.nan if special == ".nan" else math.copysign(math.inf, -1 if text[0] == "-" else 1)
    number = number_in(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
