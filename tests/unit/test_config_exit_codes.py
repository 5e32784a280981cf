"""The scaler's exit codes: one per fatal kind, and the page, the docstring and the classes agree."""

import re
from pathlib import Path

from scaler import errors
from scaler.errors import ScalerError

PAGE = Path(__file__).parents[2] / "docs/reference/exit_codes.md"


def kinds(root: type[ScalerError] = ScalerError) -> list[type[ScalerError]]:
    return [kind for child in root.__subclasses__() for kind in (child, *kinds(child))]


def codes() -> dict[str, int]:
    """Each error that sets a code of its own."""
    return {kind.__name__: kind.exit_code for kind in kinds() if "exit_code" in vars(kind)}


def test_no_two_errors_share_a_code_and_none_takes_one_with_a_meaning() -> None:
    values = list(codes().values())
    assert len(values) == len(set(values))
    assert not {0, 1, 70} & set(values)
    assert ScalerError.exit_code == 70
    assert max(values) < 64


def test_the_page_lists_the_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert {name: int(code) for code, name in rows} == codes()


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = {
        name: int(code) if code else None
        for name, code in re.findall(r"[├└]── (\w+) +(?:(\d{1,2}) )?", errors.__doc__)
    }
    assert drawn == {
        kind.__name__: vars(kind).get("exit_code") for kind in kinds() if kind.__module__ == errors.__name__
    }


def test_an_error_tells_what_and_then_the_remedy() -> None:
    assert str(errors.ConfigError("It is wrong", remedy="Correct it.")) == "It is wrong\n  Correct it."
    assert str(errors.ConfigError("It is wrong")) == "It is wrong"
