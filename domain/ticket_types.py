"""What one ticket type may say about itself: its price, when it is sold, how many go into one order.

Amounts in minor units, times with their zone.
"""

from collections.abc import Iterator
from datetime import datetime

from domain.errors import Refusal
from domain.money import SMALLEST_CHARGE, THREE_DECIMAL

MOST_PER_ORDER = 100
LONGEST_NAME, LONGEST_DESCRIPTION = 80, 500


class SalesEndBeforeStart(Refusal):
    """A sales window ends after it starts."""


class MinimumAboveMaximum(Refusal):
    """The most per order is at least the fewest."""


def check(*, sales_start: datetime | None, sales_end: datetime | None, min_per_order: int, max_per_order: int) -> None:
    """What must fit together, whoever set which half of it. Raises SalesEndBeforeStart, MinimumAboveMaximum."""
    for refusal in misfits(sales_start, sales_end, min_per_order, max_per_order):
        raise refusal


def misfits(
    sales_start: datetime | None, sales_end: datetime | None, min_per_order: int | None, max_per_order: int | None
) -> Iterator[Refusal]:
    """All of what does not fit together. None stands for no limit, or for one that is not known."""
    if sales_start is not None and sales_end is not None and sales_end <= sales_start:
        yield SalesEndBeforeStart()
    if min_per_order is not None and max_per_order is not None and min_per_order > max_per_order:
        yield MinimumAboveMaximum()


def payable(price: int, currency: str) -> bool:
    """Cards know three decimals only with a 0 at the end: 24.500 dinars can be charged, 24.505 cannot."""
    return currency not in THREE_DECIMAL or price % 10 == 0


def too_small_alone(price: int, currency: str, min_per_order: int) -> bool:
    """An order of the fewest that may be bought costs something, and less than cards take."""
    return 0 < price * min_per_order < SMALLEST_CHARGE.get(currency, 0)
