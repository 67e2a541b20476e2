"""Holding tickets (AC 2, AC 3, AC 4, AC 7), and their end."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import (
    EventEnded,
    EventNotFound,
    InsufficientInventory,
    NothingChosen,
    QuantityOutOfBounds,
    RequestKeyReused,
    TicketTypeNotOnSale,
)
from models import database as db
from models.checkout import visit
from services import checkout, reservations
from tests.makers import hold, key, left, let_time_pass, let_time_run_out, make_event, statuses, ticket_type

pytestmark = pytest.mark.usefixtures("database")


async def reservation_of(checkout_id):
    return await db.fetchrow("SELECT * FROM reservation WHERE checkout_id = $1", checkout_id)


async def test_ac_2_starting_checkout_reserves_the_tickets():
    event = await make_event(capacity=5)
    checkout_id = await hold(event, General=2)
    reservation = await reservation_of(checkout_id)
    assert (reservation["status"], reservation["quantity"], reservation["unit_price"]) == ("ACTIVE", 2, 2400)
    assert await left(event) == 3


async def test_ac_4_a_reservation_alone_makes_no_order():
    await hold(await make_event())
    assert await db.fetchval("SELECT count(*) FROM orders") == 0


async def test_ac_7_a_hold_ends_fifteen_minutes_after_it_was_made():
    checkout_id = await hold(await make_event())
    reservation = await reservation_of(checkout_id)
    length = reservation["expires_at"] - reservation["created_at"]
    assert timedelta(minutes=14, seconds=59) < length <= timedelta(minutes=15)


async def test_2_1_the_timer_counts_down_on_the_database_s_clock():
    checkout_id = await hold(await make_event())
    assert 890 < (await visit(checkout_id)).seconds_left <= 900
    await let_time_pass(minutes=10)
    assert 290 < (await visit(checkout_id)).seconds_left <= 300
    await let_time_pass(minutes=10)
    assert (await visit(checkout_id)).seconds_left == 0


async def test_several_types_are_held_together_and_share_one_end():
    event = await make_event(ticket_type("Early Bird", price=1800), ticket_type(), capacity=9)
    checkout_id = await hold(event, Early_Bird=1, General=2)
    found = await visit(checkout_id)
    assert [(line["name"], line["quantity"]) for line in found.lines] == [("Early Bird", 1), ("General", 2)]
    assert (found.quantity, found.amount) == (3, 1800 + 2 * 2400)
    assert await db.fetchval("SELECT count(DISTINCT expires_at) FROM reservation") == 1


async def test_ac_3_a_wish_that_does_not_fit_is_refused_with_what_is_left_and_nothing_is_held():
    event = await make_event(capacity=3)
    await hold(event, General=2)
    with pytest.raises(InsufficientInventory) as refused:
        await hold(event, General=2)
    (short,) = refused.value.shortages
    assert (short.name, short.requested, short.available) == ("General", 2, 1)
    assert await left(event) == 1


async def test_ac_3_when_one_of_several_types_is_short_none_is_held():
    event = await make_event(ticket_type("Early Bird", allocation=1), ticket_type(), capacity=9)
    with pytest.raises(InsufficientInventory):
        await hold(event, Early_Bird=2, General=2)
    assert await db.fetchval("SELECT count(*) FROM checkout") == 0
    assert await left(event) == 9


async def test_ac_3_a_sold_out_event_says_that_nothing_is_left():
    event = await make_event(capacity=0)
    with pytest.raises(InsufficientInventory) as refused:
        await hold(event)
    assert refused.value.shortages[0].available == 0


async def test_1_4_a_draft_cannot_be_held_from():
    event = await make_event(status="DRAFT")
    with pytest.raises(EventNotFound):
        await hold(event)


async def test_an_unknown_event_cannot_be_held_from():
    with pytest.raises(EventNotFound):
        await reservations.hold_tickets(uuid.uuid4(), wish={uuid.uuid4(): 1}, request_key=key())


async def test_a_past_event_cannot_be_held_from():
    event = await make_event(start_date=datetime.now(UTC) - timedelta(minutes=1))
    with pytest.raises(EventEnded):
        await hold(event)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ({"is_enabled": False}, TicketTypeNotOnSale),
        ({"sales_start": datetime.now(UTC) + timedelta(days=1)}, TicketTypeNotOnSale),
        ({"sales_end": datetime.now(UTC) - timedelta(days=1)}, TicketTypeNotOnSale),
        ({"min_per_order": 2}, QuantityOutOfBounds),
    ],
)
async def test_what_is_not_on_sale_is_not_held(kind, refusal):
    event = await make_event(ticket_type("On sale"), ticket_type(**kind))
    with pytest.raises(refusal):
        await hold(event, General=1)
    assert await db.fetchval("SELECT held FROM event") == 0


@pytest.mark.parametrize("quantity", [-5, 11, 2**31 - 1, 2**31, 2**70])
async def test_no_strange_quantity_reaches_the_database(quantity):
    event = await make_event(capacity=100)
    with pytest.raises(QuantityOutOfBounds):
        await hold(event, General=quantity)
    assert await left(event) == 100


async def test_nothing_is_not_held():
    event = await make_event()
    with pytest.raises(NothingChosen):
        await reservations.hold_tickets(event.id, wish={}, request_key=key())


async def test_a_type_of_another_event_is_not_held():
    event, other = await make_event(), await make_event()
    with pytest.raises(TicketTypeNotOnSale):
        await reservations.hold_tickets(event.id, wish=other.wish(General=1), request_key=key())


async def test_i10_the_same_key_is_the_same_hold_however_often_it_comes():
    event, request_key = await make_event(), key()
    first = await hold(event, request_key, General=2)
    assert await hold(event, request_key, General=2) == first
    assert await left(event) == 28


async def test_i10_the_same_key_is_the_same_hold_even_when_it_has_ended_or_everything_is_sold_out():
    event, request_key = await make_event(capacity=2), key()
    first = await hold(event, request_key, General=2)
    assert await hold(event, request_key, General=2) == first, "the repeated request is no second buyer"
    await let_time_run_out(first)
    await checkout.expire_holds(event.id)
    assert await hold(event, request_key, General=2) == first
    assert await statuses(first) == ["EXPIRED"]


async def test_i10_the_same_key_with_another_wish_is_refused():
    event, request_key = await make_event(), key()
    await hold(event, request_key, General=2)
    with pytest.raises(RequestKeyReused):
        await hold(event, request_key, General=1)
    with pytest.raises(RequestKeyReused):
        await hold(await make_event(), request_key, General=2)
    assert await left(event) == 28


async def test_the_price_of_the_moment_is_kept_for_the_life_of_the_hold():
    event = await make_event()
    checkout_id = await hold(event, General=2)
    await db.execute("UPDATE ticket_type SET price = 9900")
    assert (await visit(checkout_id)).amount == 4800
    assert (await visit(await hold(event))).amount == 9900


async def test_ac_7_an_expired_hold_gives_its_tickets_back_before_any_sweep():
    event = await make_event(capacity=2)
    lapsed = await hold(event, General=2)
    await let_time_run_out(lapsed)
    assert await hold(event, General=2)
    assert await statuses(lapsed) == ["EXPIRED"]


async def test_lazy_release_ends_only_what_is_overdue():
    event = await make_event(capacity=3)
    lapsed, living = await hold(event), await hold(event)
    await let_time_run_out(lapsed)
    await hold(event, General=2)
    assert (await statuses(lapsed), await statuses(living)) == (["EXPIRED"], ["ACTIVE"])


async def test_nobody_writes_anything_while_there_is_enough():
    event = await make_event(capacity=30)
    lapsed = await hold(event)
    await let_time_run_out(lapsed)
    await hold(event)
    assert await statuses(lapsed) == ["ACTIVE"], "the sweeper's work is left to the sweeper"


async def test_ac_7_the_sweeper_gives_overdue_tickets_back():
    event = await make_event(capacity=5)
    lapsed, living = await hold(event, General=2), await hold(event)
    await let_time_run_out(lapsed)
    assert await reservations.events_with_overdue_holds() == [event.id]
    assert await checkout.expire_holds(event.id) == 2
    assert (await statuses(lapsed), await statuses(living)) == (["EXPIRED"], ["ACTIVE"])
    assert await reservations.events_with_overdue_holds() == []
    assert await checkout.expire_holds(event.id) == 0


async def test_a_request_made_inside_a_transaction_of_somebody_else_is_still_served():
    from services.transaction import transaction

    event = await make_event()
    async with transaction():
        assert await hold(event)


async def test_a_key_that_the_database_refuses_does_not_hurt_the_others():
    import asyncio

    event = await make_event()
    outcomes = await asyncio.gather(
        hold(event), hold(event, "too short"), hold(event), hold(event, "x" * 65), return_exceptions=True
    )
    assert [isinstance(o, uuid.UUID) for o in outcomes] == [True, False, True, False]
    assert await left(event) == 28
