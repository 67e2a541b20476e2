"""Money: whole minor units."""

import pytest

from domain import money
from sandbox.stripe.amounts import LARGEST, SMALLEST


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


def test_ten_of_the_dearest_ticket_are_one_card_payment_and_the_next_dearer_ones_are_none():
    assert money.MAX_PRICE * 10 <= LARGEST < (money.MAX_PRICE + 1) * 10


def test_the_least_that_a_card_is_charged_is_what_the_sandbox_takes():
    """Two writings of one published list."""
    assert {currency.upper(): least for currency, least in SMALLEST.items()} == money.SMALLEST_CHARGE


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("24", "EUR", 2400),
        ("24.00", "EUR", 2400),
        ("24,00", "EUR", 2400),
        ("24.5", "EUR", 2450),
        (" 0,05 ", "EUR", 5),
        ("0", "EUR", 0),
        ("2400", "JPY", 2400),
        ("24.005", "KWD", 24005),
        ("24", "KWD", 24000),
        ("€5", "EUR", 500),
        ("€ 5,50", "EUR", 550),
        ("5 €", "EUR", 500),
        ("5,50\N{NO-BREAK SPACE}€", "EUR", 550),
        ("EUR 5", "EUR", 500),
        ("5 eur", "EUR", 500),
        ("$24.50", "USD", 2450),
        ("$24.50", "CAD", 2450),
        ("¥2400", "JPY", 2400),
        ("24 zł", "PLN", 2400),
        ("Fr. 24", "CHF", 2400),
        ("CHF\N{NO-BREAK SPACE}24.00", "CHF", 2400),
    ],
)
def test_an_amount_is_read_as_people_type_it(typed, currency, minor):
    assert money.parse(typed, currency) == minor


@pytest.mark.parametrize(
    ("typed", "currency"),
    [
        ("24.005", "EUR"),
        ("1,000", "EUR"),  # a thousand, or one? neither is guessed
        ("1.000,00", "EUR"),
        ("24.0", "JPY"),
        ("-1", "EUR"),
        ("+1", "EUR"),
        ("1e3", "EUR"),
        ("0x18", "EUR"),
        ("２４", "EUR"),
        ("٢٤", "EUR"),
        ("24.", "EUR"),
        (".50", "EUR"),
        ("$24", "EUR"),
        ("24 USD", "EUR"),
        ("€24", "USD"),
        ("€24€", "EUR"),
        ("€", "EUR"),
        ("EUR", "EUR"),
        ("€-5", "EUR"),
        ("-€5", "EUR"),
        ("24 00", "EUR"),
        ("24\n", "EUR"),
        ("", "EUR"),
        ("nan", "EUR"),
        ("9" * 40, "EUR"),
    ],
)
def test_what_is_no_amount_is_refused(typed, currency):
    assert money.parse(typed, currency) is None


@pytest.mark.parametrize(("minor", "currency"), [(2400, "EUR"), (5, "EUR"), (2400, "JPY"), (24005, "KWD")])
def test_what_we_write_into_a_field_reads_back_the_same(minor, currency):
    assert money.parse(money.major(minor, currency), currency) == minor
