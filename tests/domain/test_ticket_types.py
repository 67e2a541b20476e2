"""What one ticket type may say about itself."""

from datetime import timedelta

import pytest

from domain.ticket_types import MinimumAboveMaximum, SalesEndBeforeStart, check, misfits, payable, too_small_alone
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


def test_all_that_does_not_fit_is_told_at_once_and_what_is_not_known_fits():
    found = misfits(NOW, NOW, 5, 4)
    assert [type(each) for each in found] == [SalesEndBeforeStart, MinimumAboveMaximum]
    assert not list(misfits(NOW, None, None, 4))


def test_an_order_of_the_fewest_is_too_small_below_what_cards_take():
    assert too_small_alone(49, "EUR", 1)
    assert not too_small_alone(50, "EUR", 1)
    assert not too_small_alone(10, "EUR", 5)
    assert not too_small_alone(0, "EUR", 1)
    assert not too_small_alone(1, "ISK", 1), "no least is published"


def test_cards_take_three_decimals_only_with_a_nought_at_the_end():
    assert payable(24_500, "KWD")
    assert not payable(24_505, "KWD")
    assert payable(2_405, "EUR")
    assert payable(2_405, "JPY")
