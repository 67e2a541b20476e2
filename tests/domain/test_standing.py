"""Why a ticket type is, or is not, on sale: one reason, and never another than the till's or the shop's."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import inventory
from domain.errors import Refusal
from domain.events import EventStatus
from domain.inventory import Level
from domain.standing import Standing, level_of_type, standing
from models.stock import Shelf
from tests.makers import NOW, shelf_event, shelf_type
from web.availability import listed, type_pill

AN_HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("of_type", "of_event", "reason"),
    [
        ({}, {}, Standing.ON_SALE),
        ({}, {"status": EventStatus.DRAFT}, Standing.DRAFT),
        ({"is_enabled": False}, {}, Standing.OFF),
        ({"is_enabled": False}, {"status": EventStatus.DRAFT}, Standing.OFF),
        ({"sales_start": NOW + AN_HOUR}, {}, Standing.NOT_YET),
        ({"sales_end": NOW}, {}, Standing.ENDED),
        ({}, {"start_date": NOW - AN_HOUR}, Standing.OVER),
        ({"sales_end": NOW}, {"start_date": NOW - AN_HOUR}, Standing.OVER),
        ({"allocation": 5, "sold": 5}, {"sold": 5}, Standing.TYPE_FULL),
        ({"allocation": 0}, {}, Standing.TYPE_FULL),
        ({"sold": 30}, {"sold": 30}, Standing.EVENT_FULL),
        ({"allocation": 5}, {"sold": 30}, Standing.EVENT_FULL),
        ({}, {"capacity": 0}, Standing.EVENT_FULL),
        ({"allocation": 5, "sold": 4, "held": 1}, {"sold": 4, "held": 1}, Standing.HELD),
        ({"sold": 29}, {"sold": 29, "held": 1}, Standing.HELD),
    ],
)
def test_each_type_has_the_first_reason_that_a_buyer_would_run_into(of_type, of_event, reason):
    kind = shelf_type(**of_type)
    assert standing(shelf_event(kind, **of_event), kind, now=NOW) == reason


def test_t5_early_bird_has_everything_and_general_with_nought_is_full_of_its_own():
    early, general = shelf_type("Early Bird", allocation=30), shelf_type("General", allocation=0)
    event = shelf_event(early, general, capacity=30)
    assert standing(event, early, now=NOW) == Standing.ON_SALE
    assert standing(event, general, now=NOW) == Standing.TYPE_FULL


@st.composite
def shelves(draw):
    """Any event that the database would accept."""
    capacity = draw(st.integers(0, 6))
    kinds, left = [], capacity
    for name in "ABC"[: draw(st.integers(1, 3))]:
        sold = draw(st.integers(0, left))
        held = draw(st.integers(0, left - sold))
        left -= sold + held
        kinds.append(
            shelf_type(
                name,
                sold=sold,
                held=held,
                allocation=draw(st.none() | st.integers(sold + held, 7)),
                is_enabled=draw(st.booleans()),
                sales_start=draw(st.sampled_from([None, NOW - AN_HOUR, NOW, NOW + AN_HOUR])),
                sales_end=draw(st.sampled_from([None, NOW, NOW + 2 * AN_HOUR])),
            )
        )
    event = shelf_event(
        *kinds,
        capacity=capacity,
        sold=sum(k.sold for k in kinds),
        held=sum(k.held for k in kinds),
        status=draw(st.sampled_from(EventStatus)),
        start_date=NOW + draw(st.sampled_from([-AN_HOUR, AN_HOUR])),
    )
    return event, draw(st.sampled_from(kinds))


@given(shelves())
def test_on_sale_is_said_exactly_when_the_till_would_grant_a_ticket(drawn):
    event, kind = drawn
    said = standing(event, kind, now=NOW) == Standing.ON_SALE
    try:
        inventory.grant(event, {kind.id: 1}, now=NOW)
    except Refusal:
        assert not said
    else:
        assert said


@given(shelves())
def test_the_desk_and_the_shop_say_the_same(drawn):
    event, kind = drawn
    reason = standing(event, kind, now=NOW)
    seen = kind in listed(event)
    assert seen == (reason not in (Standing.OFF, Standing.DRAFT))
    if seen:
        level = type_pill(Shelf(event, "EUR", NOW), kind, "UTC").level
        assert level == level_of_type(event, kind, now=NOW)
        assert (level in (Level.PLENTY, Level.FEW)) == (reason == Standing.ON_SALE)
        assert (level == Level.HELD) == (reason == Standing.HELD)


def test_a_type_of_another_event_is_nobodys():
    with pytest.raises(Refusal):
        inventory.grant(shelf_event(), {uuid4(): 1}, now=NOW)
