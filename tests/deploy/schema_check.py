"""Holds a parsed resource against its provider's published schema. PURE: bodies in, sentences about faults out."""

import re
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from tests.deploy import tree

# Arguments and blocks that Terraform itself gives to every resource.
META_ARGUMENTS = frozenset({"count", "for_each", "depends_on", "provider"})
META_BLOCKS = frozenset({"lifecycle", "dynamic", "provisioner", "connection"})
_EXPRESSION = re.compile(r"^\$\{.*\}$", re.DOTALL)


def faults(resource: tree.Resource, providers: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource or data source, one sentence for each fault; empty when it fits its schema."""
    kind = "data_sources" if resource.data else "resources"
    schema = next(
        (each[kind][resource.type] for each in providers.values() if resource.type in each[kind]), None
    )
    if schema is None:
        return [
            f"{resource.address}: no schema was extracted for it; add it to tests/schemas/extract_terraform.py"
        ]
    return list(_in_body(resource.address, resource.body, schema, top=True))


def _in_body(where: str, body: Mapping[str, Any], schema: Mapping[str, Any], *, top: bool) -> Iterator[str]:
    plain, repeated = _split(body, top=top)
    yield from (f"{where}: {fault}" for fault in _in_arguments(plain, schema))
    yield from (f"{where}: {fault}" for fault in _in_blocks(repeated, schema["blocks"]))
    for name, bodies in repeated.items():
        if name in schema["blocks"]:
            for number, each in enumerate(bodies):
                yield from _in_body(
                    f"{where}.{name}[{number}]", each, schema["blocks"][name]["block"], top=False
                )


def _in_arguments(plain: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    attributes = schema["attributes"]
    for name, value in plain.items():
        if name in schema["blocks"]:
            yield f"{name} is a block, not an argument"
        elif name not in attributes or attributes[name]["is"] == ["computed"]:
            yield f"{name} is no argument"
        elif not _fits(value, attributes[name]["type"]):
            yield f"{name} = {value!r} is not of type {attributes[name]['type']}"
    for name, said in attributes.items():
        if said["is"] == ["required"] and name not in plain:
            yield f"the argument {name} is missing"


def _in_blocks(repeated: Mapping[str, Sized], blocks: Mapping[str, Any]) -> Iterator[str]:
    for name, bodies in repeated.items():
        if name not in blocks:
            yield f"{name} is no block"
        elif blocks[name]["most"] is not None and len(bodies) > blocks[name]["most"]:
            yield f"there are {len(bodies)} blocks {name}, at most {blocks[name]['most']} is allowed"
    for name, said in blocks.items():
        if said["least"] and name not in repeated:
            yield f"the block {name} is missing"


def _split(
    body: Mapping[str, Any], *, top: bool
) -> tuple[dict[str, Any], dict[str, list[Mapping[str, Any]]]]:
    """The arguments of a body, and its blocks by name with the dynamic ones among them."""
    plain: dict[str, Any] = {}
    repeated: dict[str, list[Mapping[str, Any]]] = {}
    for name, value in tree.members(body):
        if name == "dynamic" or (top and name in META_BLOCKS) or (top and name in META_ARGUMENTS):
            continue
        if tree.is_block(value):
            repeated[name] = list(value)
        else:
            plain[name] = value
    for name, content in tree.dynamic_blocks(body):
        repeated.setdefault(name, []).append(content)
    return plain, repeated


def _fits(value: Any, kind: Any) -> bool:
    """Whether a literal is of a type; an expression may be anything."""
    if isinstance(value, str) and (_EXPRESSION.match(value) or value == "null"):
        return True
    if kind == "string":
        return isinstance(value, str | int | float)  # Terraform turns numbers and booleans into strings
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "bool":
        return isinstance(value, bool)
    return isinstance(value, dict) if kind[0] == "map" else isinstance(value, list)
