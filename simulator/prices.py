"""PURE: what an hour of an instance costs, by a dated table that says where each price was read.

List prices of the cheaper regions (tier 1), in US dollars, without the monthly free tier, committed-use discounts and taxes.
Google charges by tenths of a second, for every instance that a worker pool counts, working or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

_SECONDS_OF_AN_HOUR = Decimal(3_600)


class Product(StrEnum):
    """What Cloud Run has prices of its own for."""

    WORKER_POOL = "worker pool"
    JOB = "job"
    SERVICE_BY_INSTANCE = "service, billed by instance"
    SERVICE_BY_REQUEST = "service, billed by request"


class Certainty(StrEnum):
    """How well a price is known."""

    PUBLISHED = "read in a copy of Google's price page"
    SECOND_HAND = "quoted by others, not seen on Google's own page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The size of an instance. Cloud Run gives 1, 2, 4, 6 or 8 vCPU, each with a span of memory:
    https://cloud.google.com/run/docs/configuring/workerpools/cpu
    """

    vcpu: int
    memory_gib: Decimal

    def __post_init__(self) -> None:
        if self.vcpu < 1 or self.memory_gib <= 0:
            raise ValueError(f"no machine has {self.vcpu} vCPU and {self.memory_gib} GiB")

    def __str__(self) -> str:
        return f"{self.vcpu} vCPU / {self.memory_gib} GiB"


# The most memory that Cloud Run gives to four vCPU; there are no discs, so the work of a job lies in memory too.
# https://cloud.google.com/run/docs/configuring/workerpools/cpu
MACHINE = Machine(vcpu=4, memory_gib=Decimal(16))
"""The machine that is priced when nobody names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per vCPU-second and per GiB-second; `as_of` is the year and month that `source` speaks of."""

    product: Product
    vcpu_second: Decimal
    gib_second: Decimal
    as_of: str
    source: str
    certainty: Certainty

    def __str__(self) -> str:
        return (
            f"{self.product}: {self.vcpu_second} USD per vCPU-second, {self.gib_second} USD per GiB-second "
            f"({self.as_of}; {self.certainty}: {self.source})"
        )


_PAGE = "https://cloud.google.com/run/pricing"

PRICES = {
    Product.WORKER_POOL: Price(
        product=Product.WORKER_POOL,
        vcpu_second=Decimal("0.000011244"),
        gib_second=Decimal("0.000001235"),
        as_of="2025-09",
        source=f"an article of that month, 29.55 USD for a vCPU over 2,628,000 s; compare {_PAGE}",
        certainty=Certainty.SECOND_HAND,
    ),
    Product.JOB: Price(
        product=Product.JOB,
        vcpu_second=Decimal("0.000018"),
        gib_second=Decimal("0.000002"),
        as_of="2025",
        source=_PAGE,
        certainty=Certainty.PUBLISHED,
    ),
    Product.SERVICE_BY_INSTANCE: Price(
        product=Product.SERVICE_BY_INSTANCE,
        vcpu_second=Decimal("0.000018"),
        gib_second=Decimal("0.000002"),
        as_of="2025",
        source=_PAGE,
        certainty=Certainty.PUBLISHED,
    ),
    Product.SERVICE_BY_REQUEST: Price(
        product=Product.SERVICE_BY_REQUEST,
        vcpu_second=Decimal("0.000024"),
        gib_second=Decimal("0.0000025"),
        as_of="2025",
        source=_PAGE,
        certainty=Certainty.PUBLISHED,
    ),
}
"""The price of each product."""

WORKER_POOL = PRICES[Product.WORKER_POOL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """US dollars, and the price that they were reckoned with: no amount is told without its date and source."""

    usd: Decimal
    price: Price

    def __str__(self) -> str:
        return f"{dollars(self.usd)} (list price of {self.price.as_of}, {self.price.certainty}: {self.price.source})"


def cost(instance_seconds: float, machine: Machine, price: Price) -> Decimal:
    """US dollars for so many seconds of one instance of this size, not rounded."""
    a_second = machine.vcpu * price.vcpu_second + machine.memory_gib * price.gib_second
    return exactly(instance_seconds) * a_second


def an_hour(machine: Machine, price: Price) -> Decimal:
    """US dollars for an hour of one instance."""
    return cost(float(_SECONDS_OF_AN_HOUR), machine, price)


def amount(instance_seconds: float, machine: Machine, price: Price) -> Amount:
    """The same as `cost`, as it is to be printed."""
    return Amount(usd=cost(instance_seconds, machine, price), price=price)


def cost_of_waiting(waited_seconds: float, usd_per_hour: Decimal) -> Decimal:
    """What it is worth to somebody that these seconds had not been waited."""
    return exactly(waited_seconds) * usd_per_hour / _SECONDS_OF_AN_HOUR


def dollars(usd: Decimal) -> str:
    """In whole cents, as people read it; less than ten dollars with a tenth of a cent."""
    places = Decimal("0.01") if abs(usd) >= 10 else Decimal("0.001")
    return f"{usd.quantize(places, ROUND_HALF_UP):,} USD"


def exactly(seconds: float) -> Decimal:
    """Seconds to the millisecond, so that sums do not show what floating point makes of them."""
    return Decimal(str(round(seconds, 3)))
