"""The price table: what an instance costs, and that no amount is told without its date and source."""

import re
from decimal import Decimal

import pytest

from simulator.prices import (
    PRICES,
    WORKER_POOL,
    Certainty,
    Machine,
    Product,
    amount,
    an_hour,
    cost,
    cost_of_waiting,
    dollars,
)

FOUR = Machine(vcpu=4, memory_gib=Decimal(16))


@pytest.mark.parametrize(
    ("product", "usd"), [(Product.WORKER_POOL, "0.2330"), (Product.JOB, "0.3744")], ids=str
)
def test_an_hour_of_four_vcpu_and_sixteen_gib_costs_what_was_reckoned_by_hand(
    product: Product, usd: str
) -> None:
    """3,600 times the price of 4 vCPU-seconds and 16 GiB-seconds, to a hundredth of a cent."""
    assert abs(an_hour(FOUR, PRICES[product]) - Decimal(usd)) <= Decimal("0.0001")


def test_a_month_of_one_vcpu_costs_what_the_article_says() -> None:
    """2,628,000 seconds of a vCPU are 29.55 USD."""
    without_memory = WORKER_POOL.vcpu_second * 2_628_000
    assert dollars(without_memory) == "29.55 USD"


def test_a_job_costs_about_sixty_percent_more_than_a_worker_pool() -> None:
    for machine in (FOUR, Machine(vcpu=1, memory_gib=Decimal(1)), Machine(vcpu=8, memory_gib=Decimal(32))):
        ratio = an_hour(machine, PRICES[Product.JOB]) / an_hour(machine, WORKER_POOL)
        assert Decimal("1.59") < ratio < Decimal("1.63")


def test_cost_grows_with_time_and_machine_and_nothing_costs_nothing() -> None:
    two = Machine(vcpu=2, memory_gib=Decimal(8))
    assert cost(0.0, FOUR, WORKER_POOL) == 0
    assert cost(200.0, two, WORKER_POOL) == cost(100.0, FOUR, WORKER_POOL)


def test_floating_point_does_not_show_in_an_amount() -> None:
    """Ten times a tenth of a second is one second."""
    assert cost(sum([0.1] * 10), FOUR, WORKER_POOL) == cost(1.0, FOUR, WORKER_POOL)


def test_every_amount_is_printed_with_its_date_and_its_source() -> None:
    for price in PRICES.values():
        told = str(amount(3_600.0, FOUR, price))
        assert re.search(rf"USD \(list price of {price.as_of}, .*https://", told), told
        assert price.as_of in str(price)
        assert price.source in str(price)


def test_the_price_of_worker_pools_is_told_as_second_hand() -> None:
    """Nobody has read it on Google's page for this table."""
    assert WORKER_POOL.certainty is Certainty.SECOND_HAND
    assert "not seen on Google's own page" in str(amount(1.0, FOUR, WORKER_POOL))


def test_a_minute_of_waiting_is_a_sixtieth_of_the_price_of_an_hour() -> None:
    assert cost_of_waiting(60.0, Decimal(30)) == Decimal("0.5")


@pytest.mark.parametrize(("vcpu", "memory"), [(0, 1), (1, 0), (-1, 4)])
def test_a_machine_without_vcpu_or_memory_is_refused(vcpu: int, memory: int) -> None:
    with pytest.raises(ValueError, match="no machine has"):
        Machine(vcpu=vcpu, memory_gib=Decimal(memory))


@pytest.mark.parametrize(
    ("usd", "text"), [("0", "0.000 USD"), ("0.2330", "0.233 USD"), ("1234.565", "1,234.57 USD")]
)
def test_dollars_are_rounded_for_people(usd: str, text: str) -> None:
    assert dollars(Decimal(usd)) == text
