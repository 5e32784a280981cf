"""Hold an exchange against GitHub's published description (tests/schemas/github.json).

Used on both sides: what the stand-in GitHub answers, and what our client sends. Knows neither of them.
"""

import functools
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

DESCRIPTION: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("schemas").joinpath("github.json").read_text(encoding="utf-8")
)
PREFIX: Final = "/api/v3"

# GitHub answers these to any call, although the description lists them for few.
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
ERRORS_OF_EVERY_CALL: Final = frozenset({400, 401, 403, 404, 415, 429, 500, 502, 503, 504})
WITHOUT_BODY: Final = frozenset({204, 304})

# Query parameters that are described as a moment, while their prose and GitHub take a range of moments.
# https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository
RANGES: Final = frozenset({"created"})

FORMATS: Final = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    """RFC 3339 with a time zone, as GitHub writes it."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def is_absolute_uri(value: object) -> bool:
    """With a scheme and a host."""
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


class SchemaMismatchError(AssertionError):
    """An exchange that GitHub's description does not allow; the message says where."""


def check_exchange(
    method: str,
    path: str,
    request_body: Any,
    status: int,
    response_body: Any,
) -> str:
    """The operation's id, when request and response fit GitHub's description; else `SchemaMismatchError`.

    `path` may begin with `/api/v3` and carry a query, which is checked too. Bodies are parsed JSON; None (or
    empty text) stands for no body. An operation that is not in the description is refused.
    """
    parts = urlsplit(path)
    template, operation = _operation(method.lower(), parts.path.removeprefix(PREFIX) or "/")
    where = f"{method.upper()} {template}"
    _check_query(where, operation, parts.query)
    _check_request(where, operation, request_body, status)
    _check_response(where, operation, status, response_body)
    return str(operation["operationId"])


def check_event(action: str, payload: Any) -> None:
    """Hold the payload of a `workflow_job` webhook against its description; `action` as in the payload."""
    event = f"workflow-job-{action.replace('_', '-')}"
    if event not in DESCRIPTION["webhooks"]:
        raise SchemaMismatchError(f"the description has no webhook {event}")
    schema = DESCRIPTION["webhooks"][event]["application/json"]["schema"]
    _check(f"webhook {event}", schema, payload)


def _operation(method: str, path: str) -> tuple[str, Mapping[str, Any]]:
    for template, methods in DESCRIPTION["paths"].items():
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method in methods:
            operation: Mapping[str, Any] = methods[method]
            return template, operation
    raise SchemaMismatchError(
        f"{method.upper()} {path} is not among the extracted operations; "
        "if it is a real one, add it to tests/schemas/operations.py and run `make schemas`"
    )


def _check_query(where: str, operation: Mapping[str, Any], query: str) -> None:
    declared = {
        parameter["name"]: parameter["schema"]
        for parameter in map(_resolved, operation.get("parameters", ()))
        if parameter["in"] == "query"
    }
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in declared:
            raise SchemaMismatchError(f"{where} has no query parameter {name!r}; it has {sorted(declared)}")
        for part in _ends_of_range(value) if name in RANGES else (value,):
            _check(f"{where}?{name}", declared[name], _query_value(part, declared[name].get("type")))


def _ends_of_range(text: str) -> list[str]:
    """The moments that a range names: `A..B`, `A..*`, `>=A` and so on. Days become their first moment.

    https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
    """
    ends = [re.sub(r"^[<>]=?", "", end) for end in text.split("..")]
    return [
        f"{end}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", end) else end for end in ends if end != "*"
    ]


def _query_value(text: str, kind: str | None) -> object:
    match kind:
        case "integer" if text.lstrip("-").isdigit():
            return int(text)
        case "boolean" if text in {"true", "false"}:
            return text == "true"
        case _:
            return text


def _check_request(where: str, operation: Mapping[str, Any], body: Any, status: int) -> None:
    declared = operation.get("requestBody")
    empty = body is None or body in ("", b"")
    if declared is None:
        if not empty:
            raise SchemaMismatchError(f"{where} takes no request body, but one was sent")
        return
    if 400 <= status < 500:
        return  # the answer says that the request was refused: it need not fit
    if empty:
        if declared.get("required"):
            raise SchemaMismatchError(f"{where} needs a request body")
        return
    schema = declared["content"]["application/json"]["schema"]
    _check(f"{where} request", schema, body)
    unknown = set(body) - set(schema["properties"])
    if unknown:
        raise SchemaMismatchError(f"{where} request has fields that GitHub does not know: {sorted(unknown)}")


def _check_response(where: str, operation: Mapping[str, Any], status: int, body: Any) -> None:
    empty = body is None or body in ("", b"")
    declared = operation["responses"].get(str(status))
    if declared is None and status not in ERRORS_OF_EVERY_CALL | {304}:
        raise SchemaMismatchError(
            f"{where} never answers {status}; it answers {sorted(operation['responses'])}"
        )
    if status in WITHOUT_BODY:
        if not empty:
            raise SchemaMismatchError(f"{where} answered {status} with a body")
        return
    if empty:
        raise SchemaMismatchError(f"{where} answered {status} without a body")
    content = _resolved(declared).get("content") if declared is not None else None
    schema = (
        content["application/json"]["schema"] if content else {"$ref": "#/components/schemas/basic-error"}
    )
    _check(f"{where} {status}", schema, body)
    # The description requires nothing of a basic error; every real one says what happened and where to read.
    if status >= 400 and not {"message", "documentation_url"} <= set(body):
        raise SchemaMismatchError(f"{where} answered {status} without message or documentation_url: {body!r}")


def _check(where: str, schema: Mapping[str, Any], value: Any) -> None:
    errors = sorted(
        _validator(json.dumps(schema, sort_keys=True)).iter_errors(value), key=lambda e: e.json_path
    )
    if errors:
        told = "; ".join(f"{error.json_path}: {error.message[:300]}" for error in errors[:5])
        raise SchemaMismatchError(f"{where} does not fit GitHub's description: {told}")


@functools.cache
def _validator(schema_text: str) -> Draft202012Validator:
    schema = _json_schema(json.loads(schema_text))
    return Draft202012Validator({"allOf": [schema], "components": _components()}, format_checker=FORMATS)


@functools.cache
def _components() -> Any:
    return {
        kind: {name: _json_schema(component) for name, component in components.items()}
        for kind, components in DESCRIPTION["components"].items()
    }


def _json_schema(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: the two differ in `nullable`, which JSON Schema does not know."""
    if isinstance(node, list):
        return [_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _json_schema(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is not True:
        return schema
    return {"anyOf": [{"type": "null"}, schema]}


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """`node`, or what its `$ref` names."""
    target = node.get("$ref")
    if target is None:
        return node
    _, components, kind, name = target.split("/")
    found: Mapping[str, Any] = DESCRIPTION[components][kind][name]
    return found
