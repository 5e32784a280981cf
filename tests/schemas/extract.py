"""Cut GitHub's published OpenAPI description down to the operations in use: `python -m tests.schemas.extract`.

The description comes from the npm package named below, fetched with the plain npm client into a temporary
folder. What is kept is kept word for word; prose, examples and vendor extensions are dropped, since they are most
of its 12 MB and decide nothing.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.schemas.operations import EVENTS, OPERATIONS

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
LICENCE: Final = "MIT"
DESCRIPTION: Final = "package/generated/api.github.com.json"
PROSE: Final = frozenset({"description", "summary", "title", "example", "examples", "externalDocs", "tags"})
OUTPUT: Final = Path(__file__).with_name("github.json")


class ExtractionError(Exception):
    """The package could not be had, or is not what this program expects; the message names the remedy."""


def fetch_description(folder: Path) -> dict[str, Any]:
    """The published description as parsed JSON. Raises `ExtractionError` when npm cannot deliver it."""
    try:
        subprocess.run(
            ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise ExtractionError("npm is not installed; install Node.js and try again") from None
    except subprocess.CalledProcessError as error:
        raise ExtractionError(
            f"npm could not fetch {PACKAGE}@{VERSION} (exit {error.returncode}); its message stands above"
        ) from error
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ExtractionError(f"npm pack left {len(archives)} archives in {folder}; one was expected")
    with tarfile.open(archives[0]) as archive:
        member = archive.extractfile(DESCRIPTION)
        if member is None:
            raise ExtractionError(f"{PACKAGE}@{VERSION} has no {DESCRIPTION}; look for its new place")
        parsed: dict[str, Any] = json.load(member)
    licence = parsed["info"]["license"]["name"]
    if (parsed["info"]["version"], licence) != (VERSION, LICENCE):
        raise ExtractionError(
            f"the description calls itself {parsed['info']['version']} under {licence}, "
            f"{VERSION} under {LICENCE} was expected; correct the constants here after reading the licence"
        )
    return parsed


def without_prose(node: Any, *, names: bool = False) -> Any:
    """`node` without what only people read. `names`: the keys are names of things, so none is dropped."""
    if isinstance(node, dict):
        return {
            key: without_prose(value, names=not names and key in {"properties", "schemas", "headers"})
            for key, value in node.items()
            if names or not (key in PROSE or key.startswith("x-"))
        }
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    return node


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Every `(kind, name)` of `#/components/kind/name` that `node` points to."""
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str):
            _, components, kind, name = target.split("/")
            if components != "components":
                raise ExtractionError(f"{target} points outside the components; teach this program about it")
            yield kind, name
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def extracted(description: dict[str, Any]) -> dict[str, Any]:
    """The operations and events in use with every component that they reach."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path in OPERATIONS:
        paths.setdefault(path, {})[method] = without_prose(description["paths"][path][method])
    webhooks = {
        event: without_prose(description["x-webhooks"][event]["post"]["requestBody"]["content"])
        for event in EVENTS
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = [*references(paths), *references(webhooks)]
    while waiting:
        kind, name = waiting.pop()
        if name in components.setdefault(kind, {}):
            continue
        component = without_prose(description["components"][kind][name])
        components[kind][name] = component
        waiting.extend(references(component))
    return {
        "about": {
            "source": f"npm package {PACKAGE}, generated/api.github.com.json",
            "version": VERSION,
            "license": LICENCE,
            "made_by": "make schemas",
            "dropped": "prose, examples and x- extensions; all else is word for word",
            "operations": [f"{method.upper()} {path}" for method, path in OPERATIONS],
            "events": list(EVENTS),
        },
        "paths": paths,
        "webhooks": webhooks,
        "components": components,
    }


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="github-description-") as folder:
            result = extracted(fetch_description(Path(folder)))
    except ExtractionError as error:
        print(f"schemas: {error}", file=sys.stderr)
        return 1
    OUTPUT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"schemas: {len(OPERATIONS)} operations, {len(EVENTS)} events written to {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
