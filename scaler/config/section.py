"""What all sections of the configuration share: frozen, strict, no unknown keys, and relations between keys. Knows no key."""

from collections.abc import Iterator
from typing import Self, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError


def relation(key: str, what: str, remedy: str) -> dict[str, str]:
    """Two keys that do not go together; `key` is the one to mark in the file."""
    return {"key": key, "what": what, "remedy": remedy}


class Section(BaseModel):
    """Frozen, strict, without unknown keys; `relations` yields what does not go together once each key is
    right by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    def relations(self) -> Iterator[dict[str, str]]:
        """Each a `relation(…)`."""
        yield from ()

    @model_validator(mode="after")
    def _related(self) -> Self:
        problems = list(self.relations())
        if problems:
            raise PydanticCustomError("relations", "keys do not go together", {"problems": problems})
        return self


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that stands at this key, alone or as the entries of a list; None for a plain value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None
