"""Capacity X and allocations: an allocation caps its type, it does not reserve (AC T1–T7)."""

from collections.abc import Iterable

from domain.errors import AllocationsExceedCapacity, CapacityTooSmall

# A stadium holds a tenth of it: above this a number is a typing error.
MOST = 1_000_000


def check(*, capacity: int, promised: int, allocations: Iterable[int | None]) -> None:
    """AC T3, T4 for a whole event. `promised` = sold + held of the event.

    Disabled types count too: enabling one later must not break the rule. Raises CapacityTooSmall with the smallest
    X that would do, or AllocationsExceedCapacity.
    """
    total = allocated(allocations)
    if capacity < promised:
        raise CapacityTooSmall(smallest=max(promised, total))
    if total > capacity:
        raise AllocationsExceedCapacity(total=total, capacity=capacity)


def check_allocation(allocation: int | None, *, promised: int) -> None:
    """An allocation never falls below its own type's sold + held."""
    if allocation is not None and allocation < promised:
        raise CapacityTooSmall(smallest=promised)


def allocated(allocations: Iterable[int | None]) -> int:
    """What the defined allocations add up to."""
    return sum(a for a in allocations if a is not None)


def free_to_allocate(*, capacity: int, others: Iterable[int | None]) -> int:
    """The largest allocation that one type could have beside the others (AC T4)."""
    return max(0, capacity - allocated(others))
