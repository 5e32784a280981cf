"""PURE: amounts of CPU and memory as Cloud Run writes them; it may show one in another form than it was given in.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction

_SUFFIXES = {"": Fraction(1), "m": Fraction(1, 1000)}
_SUFFIXES |= {name: Fraction(1000**power) for power, name in enumerate("kMGTP", start=1)}
_SUFFIXES |= {f"{name}i": Fraction(1024**power) for power, name in enumerate("KMGTP", start=1)}
_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?)(m|k|[KMGTP]i|[MGTP])?")
_CPU = re.compile(r"[0-9]+(?:\.[0-9]+)?|[0-9]+m")
_MEMORY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:k|[KMGTP]i|[MGTP])")


def amount(text: str) -> Fraction | None:
    """The number of CPUs or bytes that a text stands for; None of one that is no quantity."""
    found = _QUANTITY.fullmatch(text)
    return None if found is None else Fraction(found[1]) * _SUFFIXES[found[2] or ""]


def same_amount(one: str, other: str) -> bool:
    """Whether two texts stand for the same: `8192Mi` and `8Gi`, `2000m` and `2`."""
    return one == other or (amount(one) is not None and amount(one) == amount(other))


def is_cpu(text: str) -> bool:
    """Whether a text can be asked for as CPU: `4`, `0.5` or `500m`."""
    return _CPU.fullmatch(text) is not None and bool(amount(text))


def is_memory(text: str) -> bool:
    """Whether a text can be asked for as memory: a number with its unit, since `8` would be eight bytes."""
    return _MEMORY.fullmatch(text) is not None and bool(amount(text))
