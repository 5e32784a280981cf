"""Another form of what customers write, as a severe Cloud Run might show it: same meaning, other text. Pure.

An empty text is left out, as proto3's JSON mapping does; amounts of CPU and memory stand in their largest unit; an image without
a tag has `:latest`. Whether Cloud Run does any of it is assumed: docs/reference/fidelity.md.
"""

import copy
import re
from typing import Any

BINARY_UNITS = ("", "Ki", "Mi", "Gi", "Ti")


def in_normal_form(config: dict[str, Any]) -> dict[str, Any]:
    """The same configuration in that form."""
    config = copy.deepcopy(config)
    for container in config["template"]["containers"]:
        container["image"] = _image(container["image"])
        for variable in container.get("env", []):
            if variable.get("value") == "":
                del variable["value"]
        limits = container.get("resources", {}).get("limits", {})
        for name, form in (("cpu", _cpu), ("memory", _memory)):
            if name in limits:
                limits[name] = form(str(limits[name]))
    return config


def _image(name: str) -> str:
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def _cpu(limit: str) -> str:
    milli = re.fullmatch(r"(\d+)000m", limit)
    return milli[1] if milli else limit


def _memory(limit: str) -> str:
    given = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti)?", limit)
    if given is None:
        return limit
    number, power = int(given[1]), BINARY_UNITS.index(given[2] or "")
    while number and number % 1024 == 0 and power + 1 < len(BINARY_UNITS):
        number, power = number // 1024, power + 1
    return f"{number}{BINARY_UNITS[power]}"
