"""What a Terraform resource says, in the form of the REST API behind it. PURE.

The provider mirrors the API: names turn from snake to camel case, and a block that cannot repeat is an object, not a list.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

# A block that cannot repeat in Terraform, and a list in the API.
LISTS = frozenset({"ports"})


def rest(
    values: Mapping[str, Any], schema: Mapping[str, Any], *, without: Collection[str] = (), path: str = ""
) -> dict[str, Any]:
    """The members of `values` that somebody set, by the `schema` of their block.

    `without`: dotted names of members to leave out, such as `template.labels`; `path`: where `values` stands, with a dot behind.
    """
    told: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        if value in (None, [], {}, "") or path + name in without:
            continue
        nested = schema["blocks"].get(name)
        if nested is not None:
            members = [rest(each, nested["block"], without=without, path=f"{path}{name}.") for each in value]
            single = nested["most"] == 1 and name not in LISTS
            told[camel(name)] = members[0] if single else members
        elif schema["attributes"][name]["is"] != ["computed"]:
            told[camel(name)] = value
    return told


def camel(name: str) -> str:
    """`a_word` as `aWord`."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)
