"""The lease API as an OpenAPI document, made from the models that the service itself uses.

`python -m scaler.lease_api` prints it; docs/reference/lease_api.openapi.json is that text, and tests hold both
programs against it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from scaler.lease_bodies import (
    AskBody,
    EndBody,
    EndReplyBody,
    ErrorBody,
    EventBody,
    EventReplyBody,
    GrantedBody,
    OfferBody,
)

ERRORS = {
    "401": "bad_identity: get a new identity token",
    "403": "bad_secret: the cell's secret is wrong",
    "404": "unknown_cell: no such cell in this deployment",
    "408": "too_slow: the body was not complete within 10 seconds",
    "410": "boot_retired or unknown_lease",
    "413": "too_large: more than 16 KiB",
    "422": "bad_request: the body does not fit",
    "503": "unavailable: ask again after Retry-After seconds",
}

Models = dict[type[BaseModel], dict[str, Any]]


def openapi() -> dict[str, Any]:
    """The document, as JSON values."""
    models = (AskBody, EventBody, EndBody, OfferBody, GrantedBody, EventReplyBody, EndReplyBody, ErrorBody)
    references, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas: Models = {model: references[(model, "validation")] for model in models}
    refused = {"409": "gate_closed, held, no_room or stale_ask: park again"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "runner-pool leases", "version": "1", "license": {"name": "Apache-2.0"}},
        "paths": {
            "/v1/leases": _post(
                "Park: wait for an offer", schemas, AskBody, OfferBody, {"204": "nothing now, ask again"}
            ),
            "/v1/leases/start": _post("Take a lease", schemas, AskBody, GrantedBody, refused),
            "/v1/leases/{lease}/events": _post("Say what happens", schemas, EventBody, EventReplyBody, {}),
            "/v1/leases/{lease}/end": _post("Give a lease back", schemas, EndBody, EndReplyBody, {}),
        },
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "identity": {"type": "http", "scheme": "bearer", "bearerFormat": "Google identity token"},
                "cell": {"type": "apiKey", "in": "header", "name": "X-Cell-Secret"},
            },
        },
        "security": [{"identity": [], "cell": []}],
    }


def _post(
    summary: str, schemas: Models, body: type[BaseModel], reply: type[BaseModel], others: dict[str, str]
) -> dict[str, Any]:
    errors = {
        status: {"description": text, "content": _json(schemas[ErrorBody])}
        for status, text in {
            **ERRORS,
            **{key: value for key, value in others.items() if key != "204"},
        }.items()
    }
    empty = {key: {"description": value} for key, value in others.items() if key == "204"}
    replies = {"200": {"description": "done", "content": _json(schemas[reply])}, **empty, **errors}
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(schemas[body])},
            "responses": dict(sorted(replies.items())),
        }
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(openapi(), indent=2) + "\n")
