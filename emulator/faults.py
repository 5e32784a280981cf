"""The switchboard of what can be made to go wrong, by name; everything is off until it is asked for.

Pure: chance and time come from the caller. Knows which faults of a catalogue are on and how often each has struck;
must not know what a stroke does, which is written where the normal course is. Each stand-in has a catalogue of its own.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, Generic, TypeVar

Given = Mapping[str, Mapping[str, Any]]
"""Fault -> parameter -> number, as it comes from a control door or the command line."""

Name = TypeVar("Name", bound=StrEnum)


class WrongFault(ValueError):
    """A fault, a parameter or a number that cannot be; the message names it and what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number of a fault; its name carries the unit, but for shares (0 to 1) and plain counts."""

    name: str
    default: float
    least: float = 0
    most: float = math.inf
    whole: bool = False

    def value(self, given: Any) -> float:
        """Raises WrongFault for what is no such number."""
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise WrongFault(f"{given!r} is not a number")
        fits = self.least <= given <= self.most and math.isfinite(given)
        if not fits or (self.whole and given != int(given)):
            kind = "a whole number" if self.whole else "a number"
            limit = (
                f"of at least {self.least:g}"
                if self.most == math.inf
                else f"from {self.least:g} to {self.most:g}"
            )
            raise WrongFault(f"{given!r} is not {kind} {limit}")
        return given


AFTER = Parameter(name="after", default=0, whole=True)
"""So many occasions pass unharmed first."""
MOST = Parameter(name="most", default=0, whole=True)
"""It strikes at most so often while it is on; 0 is without limit."""
ONLY = "only"
"""The beginning of the names that an aimed fault may strike; without it, any. The one parameter that is a text."""
WHETHER = frozenset({"share", AFTER.name, MOST.name})
"""The parameters that say whether it strikes, and nothing about the stroke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One entry of a catalogue. The first parameter is the one that `--fault NAME=VALUE` sets. `aimed`: it takes `only`."""

    sentence: str
    parameters: tuple[Parameter, ...]
    source: str
    aimed: bool = False


def share(default: float) -> Parameter:
    """The probability of a stroke at each occasion."""
    return Parameter(name="share", default=default, most=1)


def seconds(default: float) -> Parameter:
    """Real seconds, which the time factor leaves alone."""
    return Parameter(name="seconds", default=default)


def spread_seconds(default: float) -> Parameter:
    """Up to so much more than `seconds`, evenly: `Faults.drawn_seconds`."""
    return Parameter(name="spread_seconds", default=default)


def per_minute(default: float) -> Parameter:
    """How often it strikes on average, at random moments."""
    return Parameter(name="per_minute", default=default)


def on_occasion(sentence: str, source: str, *parameters: Parameter, aimed: bool = False) -> Description:
    """A fault that may strike whenever something happens: `strike` asks."""
    shares = () if any(each.name == "share" for each in parameters) else (share(1),)
    return Description(
        sentence=sentence, source=source, parameters=(*parameters, *shares, AFTER, MOST), aimed=aimed
    )


def at_a_rate(sentence: str, source: str, *parameters: Parameter) -> Description:
    """A fault that strikes by itself: `due` tells."""
    return Description(sentence=sentence, source=source, parameters=(*parameters, MOST))


@dataclass(slots=True, kw_only=True)
class _On:
    """A fault that is switched on: its numbers, whom it may strike, and what happened since."""

    values: Mapping[str, float]
    only: str = ""
    occasions: int = 0
    struck: int = 0
    next_at: float = math.inf

    @property
    def exhausted(self) -> bool:
        return 0 < self.values.get("most", 0) <= self.struck


@dataclass(slots=True, kw_only=True)
class Faults(Generic[Name]):
    """Which faults are on with which numbers, and how often each has struck since the world began.

    While a fault is off no chance is drawn for it: a world without faults repeats exactly.
    """

    catalogue: Mapping[Name, Description]
    chance: Random
    struck: dict[Name, int] = field(default_factory=dict)
    _on: dict[Name, _On] = field(default_factory=dict)

    def replace(self, given: Given, *, now: float) -> None:
        """Exactly these are on from `now`, counting anew. Raises WrongFault and changes nothing then."""
        checked = checked_faults(given, self.catalogue)
        self._on = {
            fault: _On(values=values, only=given[fault.value].get(ONLY, ""))
            for fault, values in checked.items()
        }
        for on in self._on.values():
            self._draw_next(on, now=now)

    def switched_on(self) -> dict[str, dict[str, float | str]]:
        return {
            fault.value: {**on.values, **({ONLY: on.only} if on.only else {})}
            for fault, on in self._on.items()
        }

    def report(self) -> dict[str, Any]:
        """All of it as the control doors show it."""
        return {
            "faults": self.switched_on(),
            "struck": {fault.value: self.struck.get(fault, 0) for fault in self.catalogue},
            "catalogue": {
                fault.value: {
                    "sentence": each.sentence,
                    "parameters": {parameter.name: parameter.default for parameter in each.parameters},
                    "source": each.source,
                }
                for fault, each in self.catalogue.items()
            },
        }

    def numbers(self, fault: Name) -> Mapping[str, float] | None:
        """The numbers of a fault; None while it is off."""
        on = self._on.get(fault)
        return None if on is None else on.values

    def only(self, fault: Name) -> str:
        """The beginning of the names that the fault may strike; empty for any."""
        on = self._on.get(fault)
        return "" if on is None else on.only

    def strike(self, fault: Name, *, at: str = "") -> Mapping[str, float] | None:
        """An occasion: the fault's numbers if it strikes now, which is counted; None if all goes well. `at`: the name of what it
        would strike.
        """
        on = self._on.get(fault)
        if on is None or not at.startswith(on.only):
            return None
        on.occasions += 1
        if on.occasions <= on.values["after"] or on.exhausted:
            return None
        if on.values["share"] < 1 and self.chance.random() >= on.values["share"]:
            return None
        self.count(fault)
        return on.values

    def count(self, fault: Name) -> None:
        """It has struck."""
        self.struck[fault] = self.struck.get(fault, 0) + 1
        if fault in self._on:
            self._on[fault].struck += 1

    def drawn_seconds(self, numbers: Mapping[str, float]) -> float:
        """`seconds` and, by chance, up to `spread_seconds` more."""
        return numbers["seconds"] + self.chance.uniform(0, numbers["spread_seconds"])

    def due(self, now: float) -> Iterator[tuple[Name, Mapping[str, float]]]:
        """The faults with a rate whose time has come; whoever finds a victim counts the stroke."""
        for fault, on in self._on.items():
            if on.next_at <= now:
                yield fault, on.values
                self._draw_next(on, now=now)

    def due_times(self) -> Iterator[float]:
        yield from (on.next_at for on in self._on.values() if on.next_at < math.inf)

    def _draw_next(self, on: _On, *, now: float) -> None:
        rate = on.values.get("per_minute", 0)
        resting = on.exhausted or not rate
        on.next_at = math.inf if resting else now + self.chance.expovariate(rate / 60)


def checked_faults(given: Given, catalogue: Mapping[Name, Description]) -> dict[Name, dict[str, float]]:
    """Every parameter of every fault that was named. Raises WrongFault, which names what is wrong."""
    return {_named(name, catalogue): _values(name, numbers, catalogue) for name, numbers in given.items()}


def fault_argument(text: str, catalogue: Mapping[Name, Description]) -> tuple[str, dict[str, Any]]:
    """`NAME`, `NAME=NUMBER` (its first parameter) or `NAME=PARAMETER=NUMBER,…`. Raises WrongFault."""
    name, _, rest = text.partition("=")
    first = catalogue[_named(name, catalogue)].parameters[0].name
    numbers: dict[str, Any] = {}
    for part in rest.split(",") if rest else []:
        parameter, equals, number = part.partition("=")
        if not equals:
            parameter, number = first, part
        if parameter == ONLY:
            numbers[parameter] = number
            continue
        try:
            numbers[parameter] = float(number)
        except ValueError:
            raise WrongFault(f"Fault '{name}': {number!r} is not a number.") from None
    checked_faults({name: numbers}, catalogue)
    return name, numbers


def _named(name: str, catalogue: Mapping[Name, Description]) -> Name:
    for fault in catalogue:
        if fault.value == name:
            return fault
    known = ", ".join(catalogue)
    raise WrongFault(f"There is no fault '{name}': name one of {known}.")


def _values(name: str, numbers: Any, catalogue: Mapping[Name, Description]) -> dict[str, float]:
    description = catalogue[_named(name, catalogue)]
    parameters = {each.name: each for each in description.parameters}
    if not isinstance(numbers, Mapping):
        raise WrongFault(f"Fault '{name}': give an object of parameters, which may be empty.")
    allowed = [*parameters, *([ONLY] if description.aimed else [])]
    unknown = sorted(set(numbers) - set(allowed))
    if unknown:
        known = ", ".join(allowed)
        raise WrongFault(f"Fault '{name}' has no parameter '{unknown[0]}': it has {known}.")
    if not isinstance(numbers.get(ONLY, ""), str):
        raise WrongFault(f"Fault '{name}': {ONLY} is the beginning of a name.")
    try:
        return {
            key: each.value(numbers[key]) if key in numbers else each.default
            for key, each in parameters.items()
        }
    except WrongFault as error:
        raise WrongFault(f"Fault '{name}': {error}.") from None
