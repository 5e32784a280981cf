"""PURE: what an admin wishes of a worker pool, and the field that makes it so. All that is not wished stays as it was read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scaler.cell_directory import SIZE_LABEL
from scaler.cloud_run.wire import CELL_SECRET
from scaler.rollout.quantities import amount, same_amount

Data = Mapping[str, Any]


class Wish(Protocol):
    """One change of a worker pool, as its JSON is."""

    @property
    def field(self) -> str:
        """The top-level field that is written: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools."""

    @property
    def fingerprint(self) -> str:
        """Eight digits that are the same for the same wish, and for two different ones hardly ever."""

    def differences(self, cell: str, data: Data) -> tuple[str, ...]:
        """What is not as wished, for people; nothing when all is. Cloud Run may show a value in another form than it got."""

    def value(self, cell: str, data: Data) -> Any:
        """The field as it is to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateWish:
    """What the first container of each cell shall be. Empty fields leave things as they are.

    `rotate`: draws a new secret for a cell; `rotated`: cells that have got theirs, which the wish cannot see in them.
    """

    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    unset_env: frozenset[str] = frozenset()
    cpu: str | None = None
    memory: str | None = None
    rotate: Callable[[], str] | None = field(default=None, repr=False)
    rotated: set[str] = field(default_factory=set)

    @property
    def field(self) -> str:
        """See Wish."""
        return "template"

    @property
    def fingerprint(self) -> str:
        """See Wish. Of a rotation only that there is one."""
        sizes = [None if each is None else str(amount(each) or each) for each in (self.cpu, self.memory)]
        rotates = self.rotate is not None
        return _digits([self.image, sorted(self.env.items()), sorted(self.unset_env), *sizes, rotates])

    def differences(self, cell: str, data: Data) -> tuple[str, ...]:
        """See Wish. A secret that is to be rotated is so once this very wish has been written. No variable's value is told."""
        first = (data.get("template", {}).get("containers") or [{}])[0]
        secret = (
            ["its secret is not a new one"] if self.rotate is not None and cell not in self.rotated else []
        )
        return (*secret, *self._others(first), *self._other_variables(first.get("env", [])))

    def _others(self, first: Data) -> Iterator[str]:
        image = first.get("image", "")
        if self.image not in (None, image):
            yield f"image is {image}, not {self.image}"
        limits = (first.get("resources") or {}).get("limits") or {}
        for name, wished in (("cpu", self.cpu), ("memory", self.memory)):
            shown = str(limits.get(name, ""))
            if wished is not None and not same_amount(wished, shown):
                yield f"{name} is {shown or 'not set'}, not {wished}"

    def _other_variables(self, env: list[dict[str, Any]]) -> Iterator[str]:
        for name, value in self.env.items():
            found = [each for each in env if each.get("name") == name]
            # Protobuf's JSON leaves an empty text out; a value by reference is another one whatever it leads to.
            if not found or any("valueSource" in each or each.get("value", "") != value for each in found):
                yield f"variable {name} has another value" if found else f"variable {name} is not there"
        for name in sorted(self.unset_env & {each.get("name") for each in env}):
            yield f"variable {name} is still there"

    def value(self, cell: str, data: Data) -> Any:  # noqa: ARG002 - of this wish all cells get the same
        """See Wish."""
        template = self._changed(data["template"])
        if self.rotate is None:
            return template
        first, *others = template["containers"]
        first = {**first, "env": _with_variable(first.get("env", []), CELL_SECRET, self.rotate())}
        return {**template, "containers": [first, *others]}

    def _changed(self, template: Data) -> dict[str, Any]:
        first, *others = template.get("containers") or [{}]
        first = dict(first)
        if self.image is not None:
            first["image"] = self.image
        if self.env or self.unset_env:
            env = [each for each in first.get("env", []) if each.get("name") not in self.unset_env]
            for name, value in self.env.items():
                env = _with_variable(env, name, value)
            first["env"] = env
        limits = {"cpu": self.cpu, "memory": self.memory}
        wished = {name: limit for name, limit in limits.items() if limit is not None}
        if wished:
            resources = first.get("resources") or {}
            first["resources"] = {**resources, "limits": {**(resources.get("limits") or {}), **wished}}
        return {**_without_revision(template), "containers": [first, *others]}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeWish:
    """Another size of some cells. `sizes`: cell -> the largest count."""

    sizes: Mapping[str, int]

    @property
    def field(self) -> str:
        """See Wish. Whether changed labels make a revision is not known, so they wait for a zero too."""
        return "labels"

    @property
    def fingerprint(self) -> str:
        """See Wish."""
        return _digits(sorted(self.sizes.items()))

    def differences(self, cell: str, data: Data) -> tuple[str, ...]:
        """See Wish."""
        shown, wished = (data.get("labels") or {}).get(SIZE_LABEL), str(self.sizes[cell])
        return () if shown == wished else (f"label {SIZE_LABEL} is {shown or 'not set'}, not {wished}",)

    def value(self, cell: str, data: Data) -> Any:
        """See Wish."""
        return {**(data.get("labels") or {}), SIZE_LABEL: str(self.sizes[cell])}


def _digits(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]


def _without_revision(template: Data) -> dict[str, Any]:
    """Cloud Run names a new revision itself; the name of the old one would be taken."""
    return {name: value for name, value in template.items() if name != "revision"}


def _with_variable(env: list[dict[str, Any]], name: str, value: str) -> list[dict[str, Any]]:
    """A variable keeps its place; a new one comes last."""
    variable = {"name": name, "value": value}
    if any(each.get("name") == name for each in env):
        return [variable if each.get("name") == name else each for each in env]
    return [*env, variable]
