"""Who gets tickets: the whole wish or nothing, and the truth about why not."""

import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import inventory
from domain.errors import (
    EventEnded,
    EventNotFound,
    InsufficientInventory,
    NothingChosen,
    QuantityOutOfBounds,
    Refusal,
    Shortage,
    TicketTypeNotOnSale,
)
from domain.events import EventStatus
from tests.makers import NOW, shelf_event, shelf_type


def grant(event, **quantities):
    by_name = {t.name.replace(" ", "_"): t.id for t in event.types.values()}
    inventory.grant(event, {by_name[name]: n for name, n in quantities.items()}, now=NOW)


def test_ac_2_a_granted_wish_is_counted_as_held():
    event = shelf_event(capacity=5)
    grant(event, General=3)
    assert (event.held, inventory.event_remaining(event)) == (3, 2)


def test_ac_2_the_last_ticket_can_be_held():
    event = shelf_event(capacity=3)
    grant(event, General=3)
    assert inventory.event_remaining(event) == 0


def test_ac_3_more_than_is_available_is_refused_and_the_refusal_says_what_was_asked_and_what_is_left():
    general = shelf_type("General")
    event = shelf_event(general, capacity=5, sold=3)
    with pytest.raises(InsufficientInventory) as refused:
        grant(event, General=4)
    assert refused.value.shortages == (Shortage(general.id, "General", requested=4, available=2),)
    assert str(refused.value) == "Insufficient Inventory: 4 × General asked, 2 left"


def test_ac_3_a_refused_wish_takes_nothing_not_even_the_part_that_would_fit():
    event = shelf_event(shelf_type("Early Bird", allocation=1), shelf_type("General"), capacity=30)
    with pytest.raises(InsufficientInventory):
        grant(event, Early_Bird=2, General=5)
    assert event.held == 0
    assert [t.held for t in event.types.values()] == [0, 0]


def test_ac_3_the_shared_capacity_is_given_out_in_order_of_display_and_only_the_rest_is_short():
    early, general = shelf_type("Early Bird"), shelf_type("General")
    event = shelf_event(early, general, capacity=4)
    with pytest.raises(InsufficientInventory) as refused:
        grant(event, General=3, Early_Bird=3)
    assert refused.value.shortages == (Shortage(general.id, "General", requested=3, available=1),)


def test_ac_3_every_type_that_is_short_is_named():
    early, general = shelf_type("Early Bird", allocation=1), shelf_type("General")
    event = shelf_event(early, general, capacity=3)
    with pytest.raises(InsufficientInventory) as refused:
        grant(event, Early_Bird=2, General=3)
    assert refused.value.shortages == (
        Shortage(early.id, "Early Bird", requested=2, available=1),
        Shortage(general.id, "General", requested=3, available=2),
    )


def test_1_4_a_draft_cannot_be_bought():
    with pytest.raises(EventNotFound):
        grant(shelf_event(status=EventStatus.DRAFT), General=1)


def test_an_event_without_an_end_can_be_bought_until_it_starts():
    grant(shelf_event(start_date=NOW + timedelta(seconds=1)), General=1)
    with pytest.raises(EventEnded):
        grant(shelf_event(start_date=NOW), General=1)


def test_an_event_with_an_end_can_be_bought_while_it_lasts():
    start = NOW - timedelta(hours=1)
    grant(shelf_event(start_date=start, end_date=NOW + timedelta(seconds=1)), General=1)
    with pytest.raises(EventEnded):
        grant(shelf_event(start_date=start, end_date=NOW), General=1)


@pytest.mark.parametrize("quantities", [{}, {"General": 0}])
def test_a_wish_without_a_ticket_is_no_wish(quantities):
    with pytest.raises(NothingChosen):
        grant(shelf_event(), **quantities)


@pytest.mark.parametrize("quantity", [-5, -1, 1, 5, 2**31 - 1, 2**31, 10**30])
def test_a_quantity_outside_the_limits_per_order_is_refused_with_the_limits(quantity):
    event = shelf_event(shelf_type(min_per_order=2, max_per_order=4), capacity=100)
    with pytest.raises(QuantityOutOfBounds) as refused:
        grant(event, General=quantity)
    assert (refused.value.requested, refused.value.minimum, refused.value.maximum) == (quantity, 2, 4)
    assert event.held == 0


@pytest.mark.parametrize("quantity", [2, 3, 4])
def test_a_quantity_within_the_limits_per_order_is_granted(quantity):
    grant(shelf_event(shelf_type(min_per_order=2, max_per_order=4), capacity=100), General=quantity)


def test_a_ticket_type_of_another_event_is_not_on_sale_here():
    stranger = uuid.uuid4()
    with pytest.raises(TicketTypeNotOnSale) as refused:
        inventory.grant(shelf_event(), {stranger: 1}, now=NOW)
    assert refused.value.ticket_type_id == stranger


def test_a_disabled_ticket_type_is_not_on_sale():
    with pytest.raises(TicketTypeNotOnSale) as refused:
        grant(shelf_event(shelf_type(is_enabled=False)), General=1)
    assert refused.value.opens_at is None


def test_a_ticket_type_goes_on_sale_at_its_start_and_the_refusal_before_it_says_when():
    opens = NOW + timedelta(seconds=1)
    grant(shelf_event(shelf_type(sales_start=NOW)), General=1)
    with pytest.raises(TicketTypeNotOnSale) as refused:
        grant(shelf_event(shelf_type(sales_start=opens)), General=1)
    assert refused.value.opens_at == opens


def test_a_ticket_type_is_off_sale_from_its_end_on():
    grant(shelf_event(shelf_type(sales_end=NOW + timedelta(seconds=1))), General=1)
    with pytest.raises(TicketTypeNotOnSale) as refused:
        grant(shelf_event(shelf_type(sales_end=NOW)), General=1)
    assert refused.value.opens_at is None


# What must be true of every event, every wish and every sequence of them.

allocations = st.none() | st.integers(0, 12)
types = st.lists(
    st.builds(
        lambda allocation, least, more: shelf_type(
            f"{allocation}/{least}", allocation=allocation, min_per_order=least, max_per_order=least + more
        ),
        allocations,
        st.integers(1, 3),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=3,
)
events = st.builds(lambda kinds, capacity: shelf_event(*kinds, capacity=capacity), types, st.integers(0, 20))


@st.composite
def event_and_wishes(draw):
    event = draw(events)
    quantities = st.dictionaries(st.sampled_from(list(event.types)), st.integers(-1, 8), max_size=3)
    return event, draw(st.lists(quantities, min_size=1, max_size=25))


@given(event_and_wishes())
def test_ac_t6_no_sequence_of_wishes_ever_oversells_the_event_or_an_allocation(drawn):
    event, wishes = drawn
    granted = []
    for wish in wishes:
        try:
            inventory.grant(event, wish, now=NOW)
            granted.append(wish)
        except Refusal:
            pass
        assert event.held + event.sold <= event.capacity
        assert all(t.allocation is None or t.held + t.sold <= t.allocation for t in event.types.values())
    assert event.held == sum(sum(wish.values()) for wish in granted), "all of a wish is counted, or none of it"


@given(event_and_wishes())
def test_ac_3_what_a_refusal_says_is_left_can_be_had_and_one_more_can_not(drawn):
    event, wishes = drawn
    for wish in wishes:
        try:
            inventory.grant(event, wish, now=NOW)
        except InsufficientInventory as refusal:
            honest = wish | {s.ticket_type_id: s.available for s in refusal.shortages}
            assert inventory.shortages(event, honest) == ()
            for short in refusal.shortages:
                assert 0 <= short.available < short.requested == wish[short.ticket_type_id]
                assert inventory.shortages(event, honest | {short.ticket_type_id: short.available + 1})
        except Refusal:
            pass


@given(event_and_wishes())
def test_a_suggestion_is_always_something_that_would_be_granted(drawn):
    event, wishes = drawn
    for wish in wishes:
        try:
            inventory.grant(event, wish, now=NOW)
        except InsufficientInventory:
            offered = inventory.suggestions(event, wish, now=NOW)
            assert len(offered) <= 3
            assert len({tuple(sorted(s.items())) for s in offered}) == len(offered), "no suggestion twice"
            for suggestion in offered:
                held = {t.id: t.held for t in event.types.values()}
                inventory.grant(event, suggestion, now=NOW)
                event.give_back(suggestion)
                assert held == {t.id: t.held for t in event.types.values()}
        except Refusal:
            pass


def test_the_first_suggestion_is_the_same_tickets_as_far_as_they_go():
    general = shelf_type("General")
    event = shelf_event(general, capacity=2)
    assert inventory.suggestions(event, {general.id: 4}, now=NOW) == [{general.id: 2}]


def test_the_rest_is_suggested_in_another_type_and_then_everything_in_one():
    early, general = shelf_type("Early Bird", allocation=2), shelf_type("General")
    event = shelf_event(early, general, capacity=30)
    assert inventory.suggestions(event, {early.id: 4}, now=NOW) == [
        {early.id: 2},
        {early.id: 2, general.id: 2},
        {general.id: 4},
    ]


def test_a_sold_out_event_has_nothing_to_suggest():
    general = shelf_type("General")
    assert inventory.suggestions(shelf_event(general, capacity=3, sold=3), {general.id: 1}, now=NOW) == []


def test_nothing_is_suggested_that_is_not_on_sale_or_below_the_smallest_order():
    general = shelf_type("General", min_per_order=3)
    later = shelf_type("Later", sales_start=NOW + timedelta(days=1))
    event = shelf_event(general, later, capacity=2)
    assert inventory.suggestions(event, {general.id: 3}, now=NOW) == []


def test_an_event_that_ended_meanwhile_has_nothing_to_suggest():
    """The page asks for suggestions a moment after the refusal; the event may have ended or gone in between."""
    general = shelf_type("General")
    over = shelf_event(general, capacity=2, start_date=NOW)
    gone = shelf_event(general, capacity=2, status=EventStatus.DRAFT)
    assert inventory.suggestions(over, {general.id: 3}, now=NOW) == []
    assert inventory.suggestions(gone, {general.id: 3}, now=NOW) == []
