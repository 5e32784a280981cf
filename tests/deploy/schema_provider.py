"""A Terraform provider that knows its schema and nothing else, so that `terraform validate` and `terraform test` run without a
network.

Real providers cannot be fetched where these tests run, but Terraform needs only their schemas to check every argument, block
and reference, and to evaluate modules under `mock_provider`. The schemas are those of `tests/schemas/terraform.json`. Speaks the
part of protocol 6 that these two verbs use: https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol
Field numbers: https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol/tfplugin6.proto
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

SERVICE = "tfplugin6.Provider"
SILENT_CALLS = (
    "ValidateProviderConfig",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "StopProvider",
)
NESTING = {"single": 1, "list": 2, "set": 3}


@contextmanager
def serving(schemas: Mapping[str, Any], folder: Path) -> Iterator[dict[str, str]]:
    """Serve each provider of `schemas` on a socket below `folder`; yields the environment that leads Terraform there."""
    attached = {}
    with ExitStack() as servers:
        for name, provider in schemas.items():
            address = folder / f"{name.partition('/')[2]}.sock"
            servers.enter_context(_server(provider, address))
            attached[f"registry.terraform.io/{name}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "unix", "String": str(address)},
            }
        yield {"TF_REATTACH_PROVIDERS": json.dumps(attached)}


@contextmanager
def _server(provider: Mapping[str, Any], address: Path) -> Iterator[None]:
    answer = schema_answer(provider)
    handlers = {
        "GetProviderSchema": grpc.unary_unary_rpc_method_handler(lambda request, context: answer),
        **{call: grpc.unary_unary_rpc_method_handler(lambda request, context: b"") for call in SILENT_CALLS},
    }
    with ThreadPoolExecutor(max_workers=4) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        server.add_insecure_port(f"unix:{address}")
        server.start()
        try:
            yield
        finally:
            server.stop(None).wait()


def schema_answer(provider: Mapping[str, Any]) -> bytes:
    """The reply to GetProviderSchema: the provider's own arguments, its resources and its data sources."""
    own = {
        "attributes": {name: {"type": "string", "is": ["optional"]} for name in ("project", "region")},
        "blocks": {},
    }
    return b"".join(
        [
            _field(1, _schema(own)),
            *(_field(2, _entry(name, _schema(block))) for name, block in provider["resources"].items()),
            *(_field(3, _entry(name, _schema(block))) for name, block in provider["data_sources"].items()),
        ]
    )


def _schema(block: Mapping[str, Any]) -> bytes:
    return _field(2, _block(block))


def _block(block: Mapping[str, Any]) -> bytes:
    return b"".join(
        [
            *(_field(2, _attribute(name, said)) for name, said in block["attributes"].items()),
            *(_field(3, _nested(name, said)) for name, said in block["blocks"].items()),
        ]
    )


def _attribute(name: str, said: Mapping[str, Any]) -> bytes:
    flags = [(4, "required"), (5, "optional"), (6, "computed")]
    return b"".join(
        [
            _field(1, name.encode()),
            _field(2, json.dumps(said["type"]).encode()),
            *(_number(number, 1) for number, flag in flags if flag in said["is"]),
        ]
    )


def _nested(name: str, said: Mapping[str, Any]) -> bytes:
    single = said["nesting"] == "single"
    return b"".join(
        [
            _field(1, name.encode()),
            _field(2, _block(said["block"])),
            _number(3, NESTING[said["nesting"]]),
            _number(4, 0 if single else said["least"]),
            _number(5, 0 if single else said["most"] or 0),
        ]
    )


def _entry(key: str, value: bytes) -> bytes:
    return _field(1, key.encode()) + _field(2, value)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field: https://protobuf.dev/programming-guides/encoding/"""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    return bytes(_groups(value))


def _groups(value: int) -> Iterable[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
