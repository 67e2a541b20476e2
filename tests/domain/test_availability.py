"""How many tickets a customer is offered: the owner's formulas, number by number."""

import pytest

from domain.inventory import available_to_customer, event_remaining, ticket_type_remaining
from tests.makers import shelf_event, shelf_type


def test_ac_4_event_remaining_is_the_capacity_less_what_is_sold_and_held_of_all_types():
    event = shelf_event(shelf_type("Early Bird"), shelf_type("General"), capacity=30, sold=11, held=4)
    assert event_remaining(event) == 30 - (11 + 4)


def test_ac_4_ticket_type_remaining_is_the_allocation_less_what_is_sold_and_held_of_that_type():
    assert ticket_type_remaining(shelf_type(allocation=10, sold=3, held=2)) == 10 - (3 + 2)


def test_ac_4_a_type_without_allocation_has_no_limit_of_its_own():
    assert ticket_type_remaining(shelf_type(allocation=None, sold=3, held=2)) is None


@pytest.mark.parametrize(
    ("capacity", "event_taken", "allocation", "type_taken", "available"),
    [
        (30, 0, None, 0, 30),  # without an allocation: what the event has left
        (30, 12, None, 5, 18),
        (30, 30, None, 7, 0),
        (30, 0, 10, 0, 10),  # with one: the smaller of the two
        (30, 12, 10, 3, 7),
        (30, 25, 10, 3, 5),
        (30, 30, 10, 3, 0),
        (30, 12, 10, 10, 0),
        (30, 0, 0, 0, 0),  # AC T5: an allocation of nought
        (0, 0, None, 0, 0),
    ],
)
def test_ac_t6_availability_follows_the_formula(capacity, event_taken, allocation, type_taken, available):
    kind = shelf_type(allocation=allocation, sold=type_taken)
    event = shelf_event(kind, capacity=capacity, sold=event_taken)
    assert available_to_customer(event, kind) == available


def test_ac_t6_held_and_sold_tickets_count_alike():
    held = shelf_type(allocation=10, held=4)
    sold = shelf_type(allocation=10, sold=4)
    assert available_to_customer(shelf_event(held, held=4), held) == 6
    assert available_to_customer(shelf_event(sold, sold=4), sold) == 6


def test_ac_t6_an_allocation_caps_and_does_not_reserve():
    early_bird, general = shelf_type("Early Bird", allocation=10), shelf_type("General")
    event = shelf_event(early_bird, general, capacity=30)
    event.take({general.id: 30})
    assert available_to_customer(event, early_bird) == 0, "the shared capacity is gone, allocation or not"


def test_ac_t7_every_type_shares_the_capacity_whatever_was_allocated():
    early_bird, general = shelf_type("Early Bird", allocation=10), shelf_type("General")
    event = shelf_event(early_bird, general, capacity=30)
    event.take({early_bird.id: 10})
    assert available_to_customer(event, early_bird) == 0
    assert available_to_customer(event, general) == 20


def test_ac_t5_a_type_with_no_allocation_left_beside_one_with_all_of_it():
    early_bird, general = shelf_type("Early Bird", allocation=30), shelf_type("General", allocation=0)
    event = shelf_event(early_bird, general, capacity=30)
    assert available_to_customer(event, early_bird) == 30
    assert available_to_customer(event, general) == 0


def test_availability_is_never_shown_below_nought():
    kind = shelf_type(allocation=2, sold=3)
    assert available_to_customer(shelf_event(kind, capacity=5, sold=3), kind) == 0


def test_what_is_given_back_is_available_again():
    kind = shelf_type(allocation=5)
    event = shelf_event(kind, capacity=9)
    event.take({kind.id: 4})
    event.give_back({kind.id: 3})
    assert (event.held, kind.held, available_to_customer(event, kind)) == (1, 1, 4)
