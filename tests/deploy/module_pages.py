"""Write the tables of inputs and outputs into the page of each module: `python -m tests.deploy.module_pages`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2

from tests.deploy import tree

BEGIN, END = "<!-- inputs and outputs: written from the .tf files -->", "<!-- end -->"


def tables(path: str) -> str:
    """The tables of the folder `path` below `deploy/terraform`, as they stand between the two marks of its page."""
    read = tree.folder(path)
    inputs = [
        f"| `{name}` | {_type(body)} | {_default(body)} | {tree.text(body['description'])} |"
        for name, body in read.variables.items()
    ]
    outputs = [f"| `{name}` | {tree.text(body['description'])} |" for name, body in read.outputs.items()]
    return "\n".join(
        [
            "| input | type | default | meaning |",
            "|---|---|---|---|",
            *inputs,
            "",
            "| output | meaning |",
            "|---|---|",
            *outputs,
        ]
    )


def page(path: str) -> Path:
    """The page of the folder `path` below `deploy/terraform`."""
    return tree.TERRAFORM / path / "README.md"


def _type(body: Mapping[str, Any]) -> str:
    written = str(body["type"])
    return re.split(r"\W", written.removeprefix("${"))[0] if "object(" in written else _code(written)


def _default(body: Mapping[str, Any]) -> str:
    if "default" not in body:
        return "(must be given)"
    value = body["default"]
    return _code(
        tree.text(value) if isinstance(value, str) else hcl2.dumps({"x": value}).partition("=")[2].strip()
    )


def _code(written: str) -> str:
    expression = re.fullmatch(r"\$\{(.*)\}", written, re.DOTALL)
    return f"`{expression[1] if expression else written}`"


def main() -> None:
    for path in tree.FOLDERS:
        before, _, rest = page(path).read_text().partition(BEGIN)
        page(path).write_text(f"{before}{BEGIN}\n{tables(path)}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
