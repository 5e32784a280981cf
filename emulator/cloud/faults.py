"""What can be made to go wrong in the stand-in Google Cloud, by name; everything is off until it is asked for.

Pure: chance and time come from the caller. Knows which faults are on and how often each has struck; must not know
what a stroke does, which is written where the normal course is (`world`, `fleet`, `worker_pool_routes`).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any

from emulator.cloud.errors import InvalidArgumentError

Given = Mapping[str, Mapping[str, Any]]
"""Fault -> parameter -> number, as it comes from the control door or the command line."""

WORKER_POOLS = "https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.workerPools"
CONTRACT = "https://cloud.google.com/run/docs/container-contract"
QUOTAS = "https://cloud.google.com/run/quotas"
ERRORS = "https://cloud.google.com/apis/design/errors#handling_errors"
ETAGS = "https://google.aip.dev/154"
ASSUMED = "assumed: Google promises nothing here"


class Fault(StrEnum):
    SLOW_START = "slow-start"
    FAILED_START = "failed-start"
    CPU_QUOTA = "cpu-quota"
    WRITE_QUOTA = "write-quota"
    STALE_ETAG = "stale-etag"
    UNAVAILABLE = "unavailable"
    REPLY_LOST = "reply-lost"
    PATCH_TWICE = "patch-twice"
    OPERATION_STUCK = "operation-stuck"
    OPERATION_FAILED = "operation-failed"
    SETTLED_EARLY = "settled-early"
    LATE_EFFECT = "late-effect"
    INSTANCE_DIES = "instance-dies"
    EARLY_REPLACEMENT = "early-replacement"
    FOREIGN_WRITE = "foreign-write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number of a fault; its name carries the unit, but for `share` (0 to 1) and plain counts."""

    name: str
    default: float
    most: float = math.inf
    whole: bool = False

    def value(self, given: Any) -> float:
        """Raises ValueError for what is no such number."""
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise ValueError(f"{given!r} is not a number")
        if not (0 <= given <= self.most and math.isfinite(given)) or (self.whole and given != int(given)):
            kind = "a whole number" if self.whole else "a number"
            limit = "of at least 0" if self.most == math.inf else f"from 0 to {self.most:g}"
            raise ValueError(f"{given!r} is not {kind} {limit}")
        return given


AFTER = Parameter(name="after", default=0, whole=True)
"""So many occasions pass unharmed first."""
MOST = Parameter(name="most", default=0, whole=True)
"""It strikes at most so often while it is on; 0 is without limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One entry of the catalogue. The first parameter is the one that `--fault NAME=VALUE` sets."""

    sentence: str
    parameters: tuple[Parameter, ...]
    source: str


def _share(default: float) -> Parameter:
    return Parameter(name="share", default=default, most=1)


def _seconds(default: float) -> Parameter:
    return Parameter(name="seconds", default=default)


def _per_minute(default: float) -> Parameter:
    return Parameter(name="per_minute", default=default)


def _on_occasion(sentence: str, source: str, *parameters: Parameter) -> Description:
    share = () if any(each.name == "share" for each in parameters) else (_share(1),)
    return Description(sentence=sentence, source=source, parameters=(*parameters, *share, AFTER, MOST))


def _at_a_rate(sentence: str, source: str, *parameters: Parameter) -> Description:
    return Description(sentence=sentence, source=source, parameters=(*parameters, MOST))


CATALOGUE: Mapping[Fault, Description] = MappingProxyType(
    {
        Fault.SLOW_START: _on_occasion("A container's process starts so much later.", ASSUMED, _seconds(30)),
        Fault.FAILED_START: _on_occasion(
            "A container ends with 1 before its process runs, and is replaced.", CONTRACT, _share(0.5)
        ),
        Fault.CPU_QUOTA: _on_occasion(
            (
                "A write that asks for more instances is accepted, but starts none: its operation fails "
                "with `CpuAllocPerProjectRegion … allowed: 0`."
            ),
            QUOTAS,
            _share(1),
        ),
        Fault.WRITE_QUOTA: Description(
            sentence="Writes above so many a minute are refused with 429, if that is less than the quota.",
            source=QUOTAS,
            parameters=(Parameter(name="writes_per_minute", default=30, whole=True),),
        ),
        Fault.STALE_ETAG: _on_occasion(
            "The worker pool changes just before a write with an etag, which is refused with 409.",
            ETAGS,
            _share(0.3),
        ),
        Fault.UNAVAILABLE: _on_occasion(
            "A call of the Admin API is answered with 503, and nothing is done.", ERRORS, _share(0.3)
        ),
        Fault.REPLY_LOST: _on_occasion(
            "A write is done, and the connection breaks without a reply.", ERRORS, _share(0.3)
        ),
        Fault.PATCH_TWICE: _on_occasion(
            "A count that was written is written once more, later, whatever has been written since.",
            ASSUMED,
            _seconds(5),
        ),
        Fault.OPERATION_STUCK: _on_occasion(
            (
                "A write takes effect, but its operation and every later one of the worker pool are not "
                "done for so long."
            ),
            ASSUMED,
            _seconds(300),
        ),
        Fault.OPERATION_FAILED: _on_occasion(
            "A written count takes no effect, and its operation fails with INTERNAL.", ERRORS, _share(0.3)
        ),
        Fault.SETTLED_EARLY: _on_occasion(
            (
                "The operation of a lowered count is done and settled at once, while its victims get "
                "their SIGTERM so much later."
            ),
            ASSUMED,
            _seconds(5),
        ),
        Fault.LATE_EFFECT: _on_occasion(
            "A written count takes effect so long after its operation was done and settled.",
            ASSUMED,
            _seconds(3),
        ),
        Fault.INSTANCE_DIES: _at_a_rate(
            "A running instance, any of them, gets SIGKILL without a warning.", CONTRACT, _per_minute(1)
        ),
        Fault.EARLY_REPLACEMENT: _at_a_rate(
            (
                "A running instance, any of them, is moved: the new one is decided at once, the old one "
                "gets SIGTERM so much later."
            ),
            CONTRACT,
            _per_minute(1),
            _seconds(5),
        ),
        Fault.FOREIGN_WRITE: _at_a_rate(
            "Another hand sets the count of any worker pool to any number up to `most_instances`.",
            WORKER_POOLS,
            _per_minute(1),
            Parameter(name="most_instances", default=2, whole=True),
        ),
    }
)


@dataclass(slots=True, kw_only=True)
class _On:
    """A fault that is switched on: its numbers, and what happened since."""

    values: Mapping[str, float]
    occasions: int = 0
    struck: int = 0
    next_at: float = math.inf

    @property
    def exhausted(self) -> bool:
        return 0 < self.values.get("most", 0) <= self.struck


@dataclass(slots=True, kw_only=True)
class Faults:
    """The switchboard: which faults are on with which numbers, and how often each has struck since the world began.

    While a fault is off no chance is drawn for it: a world without faults repeats exactly.
    """

    chance: Random
    struck: dict[Fault, int] = field(default_factory=dict)
    _on: dict[Fault, _On] = field(default_factory=dict)

    def replace(self, given: Given, *, now: float) -> None:
        """Exactly these are on from `now`, counting anew. Raises InvalidArgumentError and changes nothing then."""
        checked = checked_faults(given)
        self._on = {fault: _On(values=values) for fault, values in checked.items()}
        for on in self._on.values():
            self._draw_next(on, now=now)

    def switched_on(self) -> dict[str, dict[str, float]]:
        return {fault.value: dict(on.values) for fault, on in self._on.items()}

    def numbers(self, fault: Fault) -> Mapping[str, float] | None:
        """The numbers of a fault; None while it is off."""
        on = self._on.get(fault)
        return None if on is None else on.values

    def strike(self, fault: Fault) -> Mapping[str, float] | None:
        """An occasion: the fault's numbers if it strikes now, which is counted; None if all goes well."""
        on = self._on.get(fault)
        if on is None:
            return None
        on.occasions += 1
        if on.occasions <= on.values["after"] or on.exhausted:
            return None
        if on.values["share"] < 1 and self.chance.random() >= on.values["share"]:
            return None
        self.count(fault)
        return on.values

    def count(self, fault: Fault) -> None:
        """It has struck."""
        self.struck[fault] = self.struck.get(fault, 0) + 1
        if fault in self._on:
            self._on[fault].struck += 1

    def due(self, now: float) -> Iterator[tuple[Fault, Mapping[str, float]]]:
        """The faults with a rate whose time has come; whoever finds a victim counts the stroke."""
        for fault, on in self._on.items():
            if on.next_at <= now:
                yield fault, on.values
                self._draw_next(on, now=now)

    def due_times(self) -> Iterator[float]:
        yield from (on.next_at for on in self._on.values() if on.next_at < math.inf)

    def _draw_next(self, on: _On, *, now: float) -> None:
        per_minute = on.values.get("per_minute", 0)
        resting = on.exhausted or not per_minute
        on.next_at = math.inf if resting else now + self.chance.expovariate(per_minute / 60)


def checked_faults(given: Given) -> dict[Fault, dict[str, float]]:
    """Every parameter of every fault that was named. Raises InvalidArgumentError, which names what is wrong."""
    return {_fault(name): _values(name, numbers) for name, numbers in given.items()}


def fault_argument(text: str) -> tuple[str, dict[str, float]]:
    """`NAME`, `NAME=NUMBER` (its first parameter) or `NAME=PARAMETER=NUMBER,…`. Raises InvalidArgumentError."""
    name, _, rest = text.partition("=")
    first = CATALOGUE[_fault(name)].parameters[0].name
    numbers: dict[str, float] = {}
    for part in rest.split(",") if rest else []:
        parameter, equals, number = part.partition("=")
        if not equals:
            parameter, number = first, part
        try:
            numbers[parameter] = float(number)
        except ValueError:
            raise InvalidArgumentError(f"Fault '{name}': {number!r} is not a number.") from None
    checked_faults({name: numbers})
    return name, numbers


def _fault(name: str) -> Fault:
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(Fault)
        raise InvalidArgumentError(f"There is no fault '{name}': name one of {known}.") from None


def _values(name: str, numbers: Any) -> dict[str, float]:
    parameters = {each.name: each for each in CATALOGUE[_fault(name)].parameters}
    if not isinstance(numbers, Mapping):
        raise InvalidArgumentError(f"Fault '{name}': give an object of parameters, which may be empty.")
    unknown = sorted(set(numbers) - set(parameters))
    if unknown:
        known = ", ".join(parameters)
        raise InvalidArgumentError(f"Fault '{name}' has no parameter '{unknown[0]}': it has {known}.")
    try:
        return {
            key: each.value(numbers[key]) if key in numbers else each.default
            for key, each in parameters.items()
        }
    except ValueError as error:
        raise InvalidArgumentError(f"Fault '{name}': {error}.") from None
