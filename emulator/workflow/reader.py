"""Reading typed parts out of a document, with an error at the key that is wrong. Knows no workflow keys."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from emulator.workflow.availability import Availability
from emulator.workflow.document import Document, Path
from emulator.workflow.errors import ExpressionError, UnsupportedError, WorkflowError
from emulator.workflow.expressions import check, condition, template_expression
from emulator.workflow.values import Value, as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Asks a document for values of a kind."""

    document: Document

    def error(self, path: Path, problem: str, remedy: str = "") -> WorkflowError:
        """An error at a key path."""
        return self.document.error(path, problem, remedy)

    def unsupported(self, path: Path, problem: str, remedy: str) -> WorkflowError:
        """Something that GitHub would do and we cannot."""
        return self.document.placed(UnsupportedError(problem, remedy=remedy), path)

    def mapping(self, value: Value, path: Path, keys: Iterable[str] | None = None) -> dict[str, Value]:
        """A mapping; with `keys`, one that has no other keys. The error names the nearest known one."""
        if not isinstance(value, dict):
            raise self.error(path, f"Expected a mapping, found {shown(value)}.", "Write `key: value` lines.")
        if keys is None:
            return value
        known = sorted(keys)
        for key in value:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
                raise self.error((*path, key), f"Unknown key {key!r}.", remedy)
        return value

    def sequence(self, value: Value, path: Path) -> list[Value]:
        """A list."""
        if not isinstance(value, list):
            raise self.error(path, f"Expected a list, found {shown(value)}.", "Start each item with a dash.")
        return value

    def text(self, value: Value, path: Path) -> str:
        """A text; numbers and booleans count as the text they print as."""
        if isinstance(value, list | dict) or value is None:
            raise self.error(path, f"Expected a text, found {shown(value)}.")
        return as_text(value)

    def texts(self, value: Value, path: Path) -> tuple[str, ...]:
        """One text or a list of texts."""
        if isinstance(value, list):
            return tuple(self.text(item, (*path, index)) for index, item in enumerate(value))
        return (self.text(value, path),)

    def checked_text(self, value: Value, path: Path, place: Availability) -> str:
        """A text whose expressions parse and use only what is known at this place."""
        text = self.text(value, path)
        self.check_templates(text, path, place)
        return text

    def checked_texts(self, value: Value, path: Path, place: Availability) -> Value:
        """A mapping of texts (`env`, `with`, `outputs`), or one expression that yields it. Null is empty."""
        if isinstance(value, str) and template_expression(value) is not None:
            return self.checked_text(value, path, place)
        entries = self.mapping({} if value is None else value, path)
        return {
            key: "" if item is None else self.checked_text(item, (*path, key), place)
            for key, item in entries.items()
        }

    def scalar_or_expression(
        self, value: Value, path: Path, place: Availability, kind: type[bool] | type[float]
    ) -> Value:
        """A boolean or number, or an expression that will yield one."""
        if isinstance(value, str) and template_expression(value) is not None:
            return self.checked_text(value, path, place)
        is_boolean = isinstance(value, bool)
        if (kind is bool and not is_boolean) or (kind is float and (is_boolean or not is_number(value))):
            wanted = "true or false" if kind is bool else "a number"
            raise self.error(path, f"Expected {wanted}, found {shown(value)}.")
        return value

    def check_templates(self, value: Value, path: Path, place: Availability) -> None:
        """Checks every template in a value of any shape."""
        if isinstance(value, dict):
            for key, item in value.items():
                self.check_templates(item, (*path, key), place)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.check_templates(item, (*path, index), place)
        elif isinstance(value, str):
            try:
                expression = template_expression(value)
                if expression is not None:
                    check(expression, contexts=place.contexts, functions=place.functions)
            except ExpressionError as error:
                raise self.document.placed(error, path) from None

    def condition(self, value: Value, path: Path, place: Availability) -> str:
        """The full condition of an `if:`, success() included where it is implied."""
        text = None if value is None else self.text(value, path)
        try:
            full = condition(text)
            check(full, contexts=place.contexts, functions=place.functions | {"success"})
        except ExpressionError as error:
            raise self.document.placed(error, path) from None
        return full


def is_number(value: Value) -> bool:
    """Whether a value is a number (a boolean is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Value) -> str:
    """A value in an error message: short, and by its kind where it is large."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
