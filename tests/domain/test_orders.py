"""Orders: one way from PAID to COMPLETED, and numbers that can be read aloud."""

import re

from domain import orders
from domain.orders import NEXT, NUMBER_ALPHABET, SOLD, OrderStatus


def test_ac_6_an_order_goes_from_paid_to_completed_and_nowhere_else():
    assert {OrderStatus.PAID: OrderStatus.COMPLETED} == NEXT


def test_ac_6_a_paid_order_counts_as_sold_before_its_tickets_exist():
    assert {OrderStatus.PAID, OrderStatus.COMPLETED} == SOLD


def test_an_order_number_holds_no_sign_that_looks_or_sounds_like_another():
    assert not set("01ILOU") & set(NUMBER_ALPHABET)
    assert len(set(NUMBER_ALPHABET)) == len(NUMBER_ALPHABET) == 30


def test_order_numbers_differ_and_have_one_form():
    numbers = {orders.new_number() for _ in range(500)}
    assert len(numbers) == 500
    assert all(re.fullmatch(rf"FY-[{NUMBER_ALPHABET}]{{4}}-[{NUMBER_ALPHABET}]{{4}}", number) for number in numbers)


def test_a_ticket_is_numbered_within_its_order():
    assert orders.ticket_number("FY-7K3M-Q2VX", 3) == "FY-7K3M-Q2VX-3"
