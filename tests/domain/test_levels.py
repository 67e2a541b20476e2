"""The honest words about a number of tickets: plenty, few, all held, sold out, not yet, ended."""

import pytest

from domain.events import Sale
from domain.inventory import Level, level


@pytest.mark.parametrize(
    ("available", "capacity", "said"),
    [
        (100, 100, Level.PLENTY),
        (11, 100, Level.PLENTY),
        (10, 100, Level.FEW),
        (7, 30, Level.PLENTY),
        (6, 30, Level.FEW),
    ],
)
def test_a_tenth_of_the_house_or_six_tickets_are_few(available, capacity, said):
    assert level(available=available, would_return=available, capacity=capacity, sale=Sale.OPEN) == said


def test_2_1_tickets_that_are_only_held_may_come_back_and_that_is_not_sold_out():
    assert level(available=0, would_return=2, capacity=30, sale=Sale.OPEN) == Level.HELD


def test_2_1_sold_out_is_said_only_when_no_hold_could_return():
    assert level(available=0, would_return=0, capacity=30, sale=Sale.OPEN) == Level.OUT


def test_a_sale_that_has_not_begun_says_so_however_many_are_left():
    assert level(available=30, would_return=30, capacity=30, sale=Sale.NOT_YET) == Level.NOT_YET


def test_a_sale_that_is_over_says_so_however_many_are_left():
    assert level(available=30, would_return=30, capacity=30, sale=Sale.ENDED) == Level.ENDED
