"""The Terraform files of this repository, parsed, as values that tests ask: resources, variables, outputs, calls of modules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "deploy/terraform"
MODULES = tuple(sorted(path.name for path in (TERRAFORM / "modules").iterdir() if path.is_dir()))
EXAMPLES = tuple(sorted(path.name for path in (TERRAFORM / "examples").iterdir() if path.is_dir()))
FOLDERS = (*(f"modules/{name}" for name in MODULES), *(f"examples/{name}" for name in EXAMPLES))
_MARKS = frozenset({"__is_block__", "__comments__", "__inline_comments__"})


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource (or data source, when `data`): its body holds arguments as parsed and blocks as lists of bodies."""

    type: str
    name: str
    body: Mapping[str, Any]
    data: bool = False

    @property
    def address(self) -> str:
        return f"{'data.' if self.data else ''}{self.type}.{self.name}"


@dataclass(frozen=True, slots=True)
class Folder:
    """What stands in the `.tf` files of one folder."""

    resources: tuple[Resource, ...]
    variables: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]
    modules: Mapping[str, Mapping[str, Any]]

    def one(self, address: str) -> Resource:
        """The resource at `address`."""
        return next(each for each in self.resources if each.address == address)


@cache
def folder(path: str) -> Folder:
    """The folder `path` below `deploy/terraform`."""
    return parsed("\n".join(file.read_text() for file in sorted((TERRAFORM / path).glob("*.tf"))))


def parsed(text: str) -> Folder:
    """The blocks of a text in Terraform's language. Raises what the parser raises when it is none."""
    document = hcl2.loads(text)
    return Folder(
        resources=(
            *(Resource(kind, name, body) for (kind, name), body in _labelled(document, "resource", 2)),
            *(Resource(kind, name, body, data=True) for (kind, name), body in _labelled(document, "data", 2)),
        ),
        variables={name: body for (name,), body in _labelled(document, "variable", 1)},
        outputs={name: body for (name,), body in _labelled(document, "output", 1)},
        modules={name: body for (name,), body in _labelled(document, "module", 1)},
    )


def members(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a body says, without the parser's own marks."""
    return ((name, value) for name, value in body.items() if name not in _MARKS)


def is_block(value: Any) -> bool:
    """Whether a member of a body is a list of blocks, and not an argument."""
    return isinstance(value, list) and any(isinstance(each, dict) and _has_mark(each) for each in value)


def blocks(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The blocks `name` of a body; of `dynamic` ones the content."""
    plain = body.get(name, [])
    found = list(plain) if is_block(plain) else []
    return found + [content for label, content in dynamic_blocks(body) if label == name]


def dynamic_blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Of each `dynamic` block its name and the body of its content."""
    for each in body.get("dynamic", []):
        for label, generator in members(each):
            for content in generator["content"]:
                yield text(label), content


def text(value: str) -> str:
    """A literal string without the quotes that the parser leaves on; anything else as it is."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _has_mark(body: Mapping[str, Any]) -> bool:
    return "__is_block__" in body or any(isinstance(each, dict) and _has_mark(each) for each in body.values())


def _labelled(
    document: Mapping[str, Any], kind: str, labels: int
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for block in document.get(kind, []):
        for first, inner in members(block):
            if labels == 1:
                yield (text(first),), inner
            else:
                for second, body in members(inner):
                    yield (text(first), text(second)), body
