"""Money: whole minor units."""

import pytest

from domain import money


@pytest.mark.parametrize(
    ("currency", "digits"), [("EUR", 2), ("USD", 2), ("CHF", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3)]
)
def test_a_currency_has_its_own_number_of_decimals(currency, digits):
    assert money.decimals(currency) == digits


def test_no_currency_has_two_numbers_of_decimals():
    assert not money.ZERO_DECIMAL & money.THREE_DECIMAL


def test_a_line_costs_its_price_times_its_quantity_to_the_last_cent():
    assert money.line_total(unit_price=1999, quantity=3) == 5997
    assert money.line_total(unit_price=0, quantity=3) == 0


def test_the_dearest_ticket_is_one_that_the_database_takes():
    assert money.MAX_PRICE == 10_000_000
