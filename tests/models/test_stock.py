"""Stock as it is shown and as it is locked, on the real database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from domain.events import EventStatus
from domain.inventory import available_to_customer, event_remaining
from models import database as db
from models import stock
from services.transaction import transaction
from tests.makers import buy, hold, left, let_time_run_out, make_event, ticket_type

pytestmark = pytest.mark.usefixtures("database")


async def test_ac_1_availability_subtracts_active_reservations_at_once():
    event = await make_event(capacity=10)
    await hold(event, General=4)
    assert await left(event) == 6


async def test_ac_1_availability_subtracts_what_is_sold(stripe):
    event = await make_event(capacity=10)
    await buy(event, stripe, General=4)
    assert await left(event) == 6


async def test_ac_t6_availability_is_the_smaller_of_what_the_type_and_the_event_have_left(stripe):
    event = await make_event(ticket_type("Early Bird", allocation=5), ticket_type(max_per_order=50), capacity=10)
    await buy(event, stripe, Early_Bird=2)
    await hold(event, Early_Bird=1, General=3)
    assert await left(event, "Early Bird") == min(5 - (2 + 1), 10 - (2 + 1 + 3))
    assert await left(event) == 10 - (2 + 1 + 3)
    await hold(event, General=3)
    assert await left(event, "Early Bird") == 1, "an allocation caps, it does not reserve"


async def test_1_5_3_an_overdue_hold_is_shown_as_free_before_anybody_swept():
    event = await make_event(capacity=3)
    await let_time_run_out(await hold(event, General=2))
    assert await left(event) == 3
    assert await db.fetchval("SELECT held FROM event") == 2, "nobody has written anything"


async def test_looking_changes_nothing_and_takes_no_lock():
    event = await make_event(capacity=3)
    await let_time_run_out(await hold(event))
    async with transaction():
        await stock.lock(event.id)
        other = await db.engine().get_new_connection()
        try:
            assert await other.fetchval("SELECT held FROM event WHERE id = $1", event.id) == 1
            assert await other.fetch(stock.LOOK, [event.id], stock.HOLD)
        finally:
            await other.close()


async def test_the_next_return_is_the_end_of_the_first_hold_that_lives():
    event = await make_event(ticket_type("Early Bird"), ticket_type(), capacity=10)
    await let_time_run_out(await hold(event, Early_Bird=1))
    sooner, _later = await hold(event, General=1), await hold(event, General=1)
    await let_time_run_out(sooner, seconds_ago=-60)
    shelf = (await stock.look([event.id]))[event.id]
    assert list(shelf.next_return) == [event.types["General"]], "an overdue hold will not return: it has"
    ends = await db.fetchval("SELECT expires_at FROM reservation WHERE checkout_id = $1", sooner)
    assert shelf.next_return[event.types["General"]] == ends


async def test_a_pinned_hold_is_never_said_to_return():
    event = await make_event(capacity=10)
    await let_time_run_out(await hold(event), seconds_ago=-7 * 24 * 3600)
    assert (await stock.look([event.id]))[event.id].next_return == {}


async def test_looking_at_many_events_at_once_keeps_them_apart():
    events = [await make_event(capacity=n) for n in (1, 2, 3)]
    await hold(events[1])
    shelves = await stock.look([event.id for event in events])
    assert [event_remaining(shelves[event.id].stock) for event in events] == [1, 1, 3]


async def test_types_are_shown_in_the_order_that_the_organiser_gave_them():
    event = await make_event(ticket_type("C"), ticket_type("A"), ticket_type("B"))
    shelf = (await stock.look([event.id]))[event.id]
    assert [t.name for t in shelf.stock.types.values()] == ["C", "A", "B"]


async def test_an_event_without_types_can_be_looked_at_and_locked():
    async with transaction():
        event = await make_empty_event()
    looked = (await stock.look([event]))[event]
    async with transaction():
        locked = await stock.lock(event)
    for shelf in (looked, locked):
        assert (shelf.stock.id, shelf.stock.types, shelf.stock.status) == (event, {}, EventStatus.DRAFT)
        assert event_remaining(shelf.stock) == 7


async def test_looking_and_locking_tell_the_same():
    event = await make_event(ticket_type("Early Bird", allocation=4), ticket_type(), capacity=9)
    await hold(event, Early_Bird=2, General=1)
    looked = (await stock.look([event.id]))[event.id]
    async with transaction():
        locked = await stock.lock(event.id)
    assert looked.stock == locked.stock
    assert looked.currency == locked.currency == "EUR"
    assert [available_to_customer(locked.stock, t) for t in locked.stock.types.values()] == [2, 6]


async def test_no_event_is_no_shelf():
    nobody = uuid4()
    assert await stock.look([nobody]) == {}
    async with transaction():
        assert await stock.lock(nobody) is None


async def test_the_lock_is_waited_for_two_seconds_at_most():
    """One stuck session never takes the shop with it."""
    event = await make_event()
    assert db.SESSION["lock_timeout"] == "2000"
    other = await db.engine().get_new_connection()
    try:
        async with other.transaction():
            await other.execute("SELECT 1 FROM event WHERE id = $1 FOR NO KEY UPDATE", event.id)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await impatiently_lock(event.id)
    finally:
        await other.close()


async def test_the_lock_of_one_event_does_not_hold_up_another():
    busy, free = await make_event(), await make_event()
    async with transaction():
        await stock.lock(busy.id)
        other = await db.engine().get_new_connection()
        try:
            assert await other.fetchrow(stock.LOCK_EVENT, free.id)
        finally:
            await other.close()


async def make_empty_event():
    start = datetime.now(UTC) + timedelta(days=1)
    return await db.fetchval(
        """INSERT INTO event (id, slug, title, start_date, total_capacity)
           VALUES (gen_random_uuid(), 'empty', 'Empty', $1, 7) RETURNING id""",
        start,
    )


async def impatiently_lock(event_id):
    async with transaction():
        await db.execute("SET LOCAL lock_timeout = 50")
        await stock.lock(event_id)
