"""Why a ticket type, or an event, is or is not on sale: one reason, and never another than the till's or the shop's."""

from copy import deepcopy
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import inventory
from domain.errors import Refusal
from domain.events import EventStatus
from domain.inventory import Level
from domain.standing import Standing, as_published, level_of_type, standing, standing_of_event
from models.stock import Shelf
from tests.makers import NOW, shelf_event, shelf_type
from web.admin.ticket_rows import why
from web.availability import event_pill, listed, type_pill

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
        ({"min_per_order": 2}, {"sold": 28}, Standing.ON_SALE),
        ({"min_per_order": 2}, {"sold": 29}, Standing.TOO_FEW),
        ({"min_per_order": 2, "allocation": 5, "sold": 4}, {"sold": 4}, Standing.TOO_FEW),
        ({"min_per_order": 2}, {"sold": 28, "held": 1}, Standing.HELD),
        ({"min_per_order": 2}, {"sold": 29, "held": 1}, Standing.TOO_FEW),
        ({"min_per_order": 2}, {"sold": 30}, Standing.EVENT_FULL),
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


ALL_SOLD = {"allocation": 5, "sold": 5}
LATER, PAST, OFF = {"sales_start": NOW + AN_HOUR}, {"sales_end": NOW}, {"is_enabled": False}
PAIRS = {"min_per_order": 2, "allocation": 6, "sold": 5}


@pytest.mark.parametrize(
    ("types", "of_event", "reason"),
    [
        ([ALL_SOLD, {}], {"sold": 5}, Standing.ON_SALE),
        ([ALL_SOLD, {"allocation": 0}], {"sold": 5}, Standing.EVENT_FULL),
        ([ALL_SOLD, OFF], {"sold": 5}, Standing.EVENT_FULL),
        ([ALL_SOLD, PAST], {"sold": 5}, Standing.EVENT_FULL),
        ([ALL_SOLD, LATER], {"sold": 5}, Standing.NOT_YET),
        ([ALL_SOLD, LATER], {"sold": 30}, Standing.EVENT_FULL),
        ([ALL_SOLD, PAIRS], {"sold": 10}, Standing.TOO_FEW),
        ([{}, {}], {"sold": 20, "held": 10}, Standing.HELD),
        ([LATER, PAST], {}, Standing.NOT_YET),
        ([PAST, PAST], {}, Standing.ENDED),
        ([OFF, OFF], {}, Standing.OFF),
        ([{"allocation": 0}, OFF], {}, Standing.OFF),
        ([{}], {"capacity": 0}, Standing.OFF),
        ([{}], {"start_date": NOW}, Standing.OVER),
        ([{}], {"status": EventStatus.DRAFT}, Standing.DRAFT),
    ],
)
def test_an_event_stands_as_the_best_of_its_types(types, of_event, reason):
    event = shelf_event(*(shelf_type(**values) for values in types), **of_event)
    assert standing_of_event(event, now=NOW) == reason


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
                min_per_order=draw(st.integers(1, 3)),
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
def test_on_sale_is_said_exactly_when_the_till_would_grant_the_smallest_order(drawn):
    event, kind = drawn
    assert (standing(event, kind, now=NOW) == Standing.ON_SALE) == would_be_granted(event, kind)


@given(shelves())
def test_an_event_is_on_sale_exactly_when_the_till_would_grant_something_of_it(drawn):
    event, _ = drawn
    said = standing_of_event(event, now=NOW) == Standing.ON_SALE
    assert said == any(would_be_granted(event, kind) for kind in event.types.values())


@given(shelves())
def test_held_is_said_exactly_when_nothing_is_on_sale_and_something_would_be_without_holds(drawn):
    event, _ = drawn
    free = deepcopy(event)
    free.give_back({kind.id: kind.held for kind in event.types.values()})
    held = standing_of_event(event, now=NOW) == Standing.HELD
    if standing_of_event(free, now=NOW) == Standing.ON_SALE:
        assert held == (standing_of_event(event, now=NOW) != Standing.ON_SALE)
    else:
        assert not held


@given(shelves())
def test_a_draft_stands_as_it_will_once_it_is_published(drawn):
    event, _ = drawn
    draft, event.status = deepcopy(event), EventStatus.PUBLISHED
    assert standing_of_event(as_published(draft), now=NOW) == standing_of_event(event, now=NOW)


def would_be_granted(event, kind):
    """By the till, to whom asks for as few as it takes."""
    try:
        inventory.grant(deepcopy(event), {kind.id: kind.min_per_order}, now=NOW)
    except Refusal:
        return False
    return True


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


@given(shelves())
def test_the_shop_offers_an_event_exactly_when_it_is_on_sale_and_calls_it_sold_out_only_when_it_is(drawn):
    event, _ = drawn
    reason, pill = standing_of_event(event, now=NOW), event_pill(Shelf(event, "EUR", NOW), "UTC")
    assert (pill.level in (Level.PLENTY, Level.FEW)) == (reason == Standing.ON_SALE) == (pill.left > 0)
    assert (pill.words == "Sold out") == (reason == Standing.EVENT_FULL)
    assert (pill.level == Level.HELD) == (reason == Standing.HELD)


@pytest.mark.parametrize(
    ("of_event", "to_buyers", "at_the_desk"),
    [
        ({"sold": 29}, "1 left, and it is sold from 2 on", "1 left, and it is sold from 2 on"),
        (
            {"sold": 28, "held": 1},
            "1 left, and it is sold from 2 on. The next may return at 20:09 UTC.",
            "1 left, and it is sold from 2 on; the rest is held until 20:09",
        ),
        ({"sold": 29, "held": 1}, "Sold out", "The last 1 held at checkout, and it is sold from 2 on"),
    ],
)
def test_fewer_than_an_order_takes_is_said_to_buyers_and_at_the_desk(of_event, to_buyers, at_the_desk):
    kind = shelf_type(min_per_order=2)
    shelf = Shelf(shelf_event(kind, **of_event), "EUR", NOW, {kind.id: NOW + timedelta(minutes=9)})
    assert type_pill(shelf, kind, "UTC").words == to_buyers
    assert why(shelf, kind, "UTC") == at_the_desk


def test_a_type_of_another_event_is_nobodys():
    with pytest.raises(Refusal):
        inventory.grant(shelf_event(), {uuid4(): 1}, now=NOW)
