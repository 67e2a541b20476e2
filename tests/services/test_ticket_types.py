"""Ticket types at the desk: rows that are added, edited, moved and taken off sale (AC T2–T5)."""

import asyncio
from datetime import UTC, datetime

import pytest

from domain.errors import (
    AllocationsExceedCapacity,
    CapacityTooSmall,
    EventNotFound,
    LastTypeOnSale,
    OtherTerms,
    Overtaken,
    TicketTypeInUse,
    TicketTypeNotOnSale,
)
from domain.ticket_types import MinimumAboveMaximum, SalesEndBeforeStart
from models import database as db
from models.ids import new_id
from services import settlement, ticket_types
from services.audit import Actor
from tests.makers import hold, hold_with_buyer, let_time_run_out, make_event, start_paying, ticket_type

pytestmark = pytest.mark.usefixtures("database")
ANA = Actor(new_id(), "Ana")


async def add(event, name, **values):
    given = {"description": "", "price": 1000, "allocation": None, **values}
    return await ticket_types.add(event.id, name=name, actor=ANA, **given)


async def change(event, name, **fields):
    await ticket_types.change(event.id, event.types[name], fields, actor=ANA)


async def names(event):
    rows = await db.fetch("SELECT name FROM ticket_type WHERE event_id = $1 ORDER BY position, id", event.id)
    return [row["name"] for row in rows]


async def test_t2_a_type_is_added_last_edited_and_put_off_sale():
    event = await make_event()
    type_id = await add(event, "Early Bird")
    assert await names(event) == ["General", "Early Bird"]
    await ticket_types.change(event.id, type_id, {"price": (1000, 1200), "is_enabled": (True, False)}, actor=ANA)
    stored = await db.fetchrow("SELECT price, is_enabled FROM ticket_type WHERE id = $1", type_id)
    assert tuple(stored) == (1200, False)
    event.types["Early Bird"] = type_id
    with pytest.raises(TicketTypeNotOnSale):
        await hold(event, Early_Bird=1)


async def test_t4_the_sum_of_allocations_never_exceeds_the_capacity():
    event = await make_event(ticket_type(allocation=20), capacity=30)
    with pytest.raises(AllocationsExceedCapacity) as refusal:
        await add(event, "Early Bird", allocation=11)
    assert (refusal.value.total, refusal.value.capacity) == (31, 30)
    with pytest.raises(AllocationsExceedCapacity):
        await change(event, "General", allocation=(20, 31))


async def test_t4_two_admins_at_once_do_not_slip_past_each_other():
    event = await make_event(capacity=30)
    answers = await asyncio.gather(*(add(event, f"Type {n}", allocation=20) for n in range(4)), return_exceptions=True)
    assert sorted(type(a).__name__ for a in answers) == ["AllocationsExceedCapacity"] * 3 + ["UUID"]


async def test_t5_early_bird_may_have_everything_and_general_nothing():
    event = await make_event(ticket_type("Early Bird"), ticket_type(), capacity=30)
    await change(event, "Early Bird", allocation=(None, 30))
    await change(event, "General", allocation=(None, 0))


async def test_t3_an_allocation_never_falls_below_what_its_type_has_promised():
    event = await make_event(ticket_type(allocation=10), capacity=30)
    checkout_id = await hold(event, General=4)
    with pytest.raises(CapacityTooSmall) as refusal:
        await change(event, "General", allocation=(10, 3))
    assert refusal.value.smallest == 4
    await let_time_run_out(checkout_id)
    await change(event, "General", allocation=(10, 3))


async def test_whoever_holds_keeps_the_price_that_was_held():
    event = await make_event()
    await hold(event)
    await change(event, "General", price=(2400, 9900))
    assert await db.fetchval("SELECT unit_price FROM reservation") == 2400


async def test_two_admins_at_once_are_told_and_lose_nothing():
    event = await make_event()
    await change(event, "General", price=(2400, 2500))
    with pytest.raises(Overtaken) as told:
        await change(event, "General", price=(2400, 2600))
    assert told.value.theirs == {"price": 2500}
    await change(event, "General", price=(2400, 2500))  # both meant the same
    await change(event, "General", description=("", "Seated"))  # another field is no quarrel


@pytest.mark.parametrize("typed_in", [{"currency": "USD"}, {"timezone": "America/New_York"}])
async def test_a_price_and_a_time_typed_on_other_terms_mean_nothing(typed_in):
    event = await make_event(timezone="Europe/Vienna")
    with pytest.raises(OtherTerms):
        await ticket_types.change(event.id, event.types["General"], {"price": (2400, 3000)}, actor=ANA, **typed_in)
    with pytest.raises(OtherTerms):
        await add(event, "Early Bird", **typed_in)
    await add(event, "Early Bird", currency="EUR", timezone="Europe/Vienna")


async def test_types_are_moved_one_place_at_a_time_and_stay_at_the_end():
    event = await make_event(ticket_type("A"), ticket_type("B"), ticket_type("C"))
    await ticket_types.move(event.id, event.types["C"], by=-1, actor=ANA)
    assert await names(event) == ["A", "C", "B"]
    await ticket_types.move(event.id, event.types["B"], by=+1, actor=ANA)
    await ticket_types.move(event.id, event.types["A"], by=-1, actor=ANA)
    assert await names(event) == ["A", "C", "B"]
    with pytest.raises(EventNotFound):
        await ticket_types.move(event.id, new_id(), by=1, actor=ANA)


async def test_two_admins_who_move_at_once_both_move():
    event = await make_event(ticket_type("A"), ticket_type("B"), ticket_type("C"), ticket_type("D"))
    await asyncio.gather(
        ticket_types.move(event.id, event.types["A"], by=+1, actor=ANA),
        ticket_types.move(event.id, event.types["D"], by=-1, actor=ANA),
    )
    assert await names(event) == ["B", "A", "D", "C"]


async def test_t2_the_same_form_sent_twice_adds_one_type():
    event, type_id = await make_event(), new_id()
    for _ in range(2):
        assert await add(event, "Early Bird", type_id=type_id) == type_id
    assert await names(event) == ["General", "Early Bird"]
    with pytest.raises(EventNotFound):
        await add(await make_event(), "Early Bird", type_id=type_id)


async def test_halves_set_by_two_admins_still_fit_together():
    start = datetime(2027, 1, 1, tzinfo=UTC)
    event = await make_event(ticket_type(sales_start=start, min_per_order=4))
    with pytest.raises(SalesEndBeforeStart):
        await change(event, "General", sales_end=(None, start))
    with pytest.raises(MinimumAboveMaximum):
        await change(event, "General", max_per_order=(10, 3))
    with pytest.raises(SalesEndBeforeStart):
        await add(event, "Late", sales_start=start, sales_end=start)


async def test_t2_a_type_switched_off_while_somebody_holds_it_may_still_be_paid(stripe):
    event = await make_event(ticket_type(), ticket_type("Late"))
    checkout_id = await hold_with_buyer(event)
    await change(event, "General", is_enabled=(True, False))
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
    with pytest.raises(TicketTypeNotOnSale):
        await hold(event)


async def test_every_change_is_written_down_with_its_author():
    event = await make_event(ticket_type("A"), ticket_type("B"))
    await change(event, "A", price=(2400, 2500))
    await ticket_types.move(event.id, event.types["A"], by=1, actor=ANA)
    await ticket_types.remove(event.id, event.types["A"], actor=ANA)
    written = await db.fetch("SELECT actor_name, action FROM audit_entry ORDER BY id")
    assert [tuple(entry) for entry in written] == [
        ("Ana", "ticket type changed"),
        ("Ana", "ticket types moved"),
        ("Ana", "ticket type removed"),
    ]


async def test_1_4_a_published_event_keeps_one_type_on_sale():
    event = await make_event()
    with pytest.raises(LastTypeOnSale):
        await change(event, "General", is_enabled=(True, False))
    with pytest.raises(LastTypeOnSale):
        await ticket_types.remove(event.id, event.types["General"], actor=ANA)


async def test_a_type_is_removed_only_while_nobody_has_ever_held_it():
    event = await make_event(ticket_type("A"), ticket_type("B"))
    await hold(event, A=1)
    with pytest.raises(TicketTypeInUse):
        await ticket_types.remove(event.id, event.types["A"], actor=ANA)
    await ticket_types.remove(event.id, event.types["B"], actor=ANA)
    assert await names(event) == ["A"]


async def test_a_type_of_another_event_is_not_touched():
    event, other = await make_event(), await make_event()
    with pytest.raises(EventNotFound):
        await ticket_types.change(event.id, other.types["General"], {"price": (2400, 1)}, actor=ANA)
