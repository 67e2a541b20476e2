"""What one ticket type may say about itself."""

from datetime import timedelta

import pytest

from domain.ticket_types import MinimumAboveMaximum, SalesEndBeforeStart, check, payable
from tests.makers import NOW

A_MINUTE = timedelta(minutes=1)
USUAL = {"sales_start": None, "sales_end": None, "min_per_order": 1, "max_per_order": 10}


@pytest.mark.parametrize("given", [{}, {"sales_start": NOW}, {"sales_end": NOW}, {"min_per_order": 10}])
def test_half_a_window_and_equal_limits_will_do(given):
    check(**{**USUAL, **given})


def test_sales_end_after_they_start():
    check(**{**USUAL, "sales_start": NOW, "sales_end": NOW + A_MINUTE})
    for end in (NOW, NOW - A_MINUTE):
        with pytest.raises(SalesEndBeforeStart):
            check(**{**USUAL, "sales_start": NOW, "sales_end": end})


def test_the_fewest_per_order_are_no_more_than_the_most():
    with pytest.raises(MinimumAboveMaximum):
        check(**{**USUAL, "min_per_order": 11})


def test_cards_take_three_decimals_only_with_a_nought_at_the_end():
    assert payable(24_500, "KWD")
    assert not payable(24_505, "KWD")
    assert payable(2_405, "EUR")
    assert payable(2_405, "JPY")
