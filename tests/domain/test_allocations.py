"""Capacity X and allocations, as the organiser may set them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import allocations
from domain.errors import AllocationsExceedCapacity, CapacityTooSmall


def test_ac_t1_a_capacity_of_exactly_what_is_promised_will_do():
    allocations.check(capacity=12, promised=12, allocations=[])


def test_ac_t1_a_capacity_below_what_is_promised_is_refused_with_the_smallest_that_would_do():
    with pytest.raises(CapacityTooSmall) as refused:
        allocations.check(capacity=11, promised=12, allocations=[])
    assert refused.value.smallest == 12


@pytest.mark.parametrize("given", [[30], [10, 20], [0, 30], [30, None], [None, None], []])
def test_ac_t4_defined_allocations_up_to_the_capacity_are_allowed(given):
    allocations.check(capacity=30, promised=0, allocations=given)


def test_ac_t4_allocations_over_the_capacity_are_refused_with_both_numbers():
    with pytest.raises(AllocationsExceedCapacity) as refused:
        allocations.check(capacity=30, promised=0, allocations=[20, None, 11])
    assert (refused.value.total, refused.value.capacity) == (31, 30)


def test_ac_t5_one_type_may_have_everything_and_another_nothing():
    allocations.check(capacity=30, promised=0, allocations=[30, 0])


def test_ac_t3_no_allocation_at_all_is_no_limit():
    allocations.check_allocation(None, promised=500)


def test_ac_t3_an_allocation_below_what_its_type_has_promised_is_refused_with_the_smallest_that_would_do():
    allocations.check_allocation(7, promised=7)
    with pytest.raises(CapacityTooSmall) as refused:
        allocations.check_allocation(6, promised=7)
    assert refused.value.smallest == 7


def test_both_at_once_the_smallest_that_would_do_is_enough_for_both():
    with pytest.raises(CapacityTooSmall) as refused:
        allocations.check(capacity=5, promised=12, allocations=[20, None])
    assert refused.value.smallest == 20


@pytest.mark.parametrize(("others", "free"), [([], 60), ([20, None], 40), ([60], 0), ([61], 0)])
def test_ac_t4_what_the_others_leave_is_free_to_allocate(others, free):
    assert allocations.free_to_allocate(capacity=60, others=others) == free


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.none() | st.integers(0, 30), max_size=4))
def test_ac_t4_what_is_accepted_is_exactly_what_the_rule_allows(capacity, promised, given):
    allowed = promised <= capacity and sum(a or 0 for a in given) <= capacity
    try:
        allocations.check(capacity=capacity, promised=promised, allocations=given)
    except (CapacityTooSmall, AllocationsExceedCapacity):
        assert not allowed
    else:
        assert allowed
