"""What the database refuses, whoever asks: direct SQL against every wall."""

import asyncio
import re
import uuid
from urllib.parse import urlsplit

import asyncpg
import pytest

from domain import refunds
from models import database as db
from services import settlement, tickets
from services.transaction import transaction
from tests.conftest import ROOT
from tests.makers import buy, hold, hold_with_buyer, make_event, start_paying, ticket_type

pytestmark = pytest.mark.usefixtures("database")

REFUSED = asyncpg.IntegrityConstraintViolationError


async def refused(sql, *args, because=None):
    with pytest.raises(REFUSED, match=because):
        await db.execute(sql, *args)


# Stock


async def test_the_counters_cannot_promise_more_than_the_capacity():
    event = await make_event(capacity=3)
    await refused("UPDATE event SET held = 4 WHERE id = $1", event.id, because="event_never_oversold")
    await refused("UPDATE event SET sold = 4 WHERE id = $1", event.id, because="event_never_oversold")
    await refused("UPDATE event SET held = 2, sold = 2 WHERE id = $1", event.id, because="event_never_oversold")


async def test_the_counters_cannot_promise_more_than_an_allocation():
    event = await make_event(ticket_type(allocation=3), capacity=30)
    await refused("UPDATE ticket_type SET held = 2, sold = 2 WHERE event_id = $1", event.id, because="never_oversold")


async def test_counters_that_would_overflow_when_added_are_refused_as_too_many():
    event = await make_event(capacity=2**31 - 1)
    await refused("UPDATE event SET held = $2, sold = $2 WHERE id = $1", event.id, 2**31 - 1, because="never_oversold")


@pytest.mark.parametrize("table", ["event", "ticket_type"])
@pytest.mark.parametrize("counter", ["held", "sold"])
async def test_a_counter_does_not_fall_below_nought(table, counter):
    await make_event()
    await refused(f"UPDATE {table} SET {counter} = -1", because=f"{table}_{counter}_check")


async def test_case_34_a_capacity_below_what_is_promised_is_refused():
    event = await make_event(capacity=5)
    await hold(event, General=3)
    await db.execute("UPDATE event SET total_capacity = 3 WHERE id = $1", event.id)
    await refused("UPDATE event SET total_capacity = 2 WHERE id = $1", event.id, because="event_never_oversold")


async def test_an_allocation_below_what_its_type_has_promised_is_refused():
    event = await make_event(ticket_type(allocation=5), capacity=30)
    await hold(event, General=3)
    await refused("UPDATE ticket_type SET allocation = 2 WHERE event_id = $1", event.id, because="never_oversold")


@pytest.mark.parametrize("quantity", [-5, -1, 0, 101])
async def test_a_reservation_of_no_tickets_or_fewer_is_refused(quantity):
    event = await make_event()
    await refused(*await _new_reservation(event, quantity=quantity), because="quantity")


async def test_a_quantity_that_no_integer_holds_is_refused():
    event = await make_event()
    with pytest.raises((asyncpg.DataError, REFUSED)):
        await db.execute(*await _new_reservation(event, quantity=2**31))


async def test_a_reservation_of_a_type_of_another_event_is_refused():
    event, other = await make_event(), await make_event()
    await refused(*await _new_reservation(event, type_id=other.types["General"]), because="foreign key")


@pytest.mark.parametrize("status", ["EXPIRED", "CONSUMED"])
async def test_1_5_1_a_reservation_is_born_active(status):
    event = await make_event()
    await refused(*await _new_reservation(event, status=status), because="born ACTIVE")


@pytest.mark.parametrize("ended", ["EXPIRED", "CONSUMED"])
@pytest.mark.parametrize(
    "attempt", ["status = 'ACTIVE'", "status = 'EXPIRED'", "status = 'CONSUMED'", "expires_at = now()"]
)
async def test_case_25_a_reservation_that_has_ended_never_changes_again(ended, attempt):
    event = await make_event()
    await hold(event)
    async with undone():
        await db.execute("UPDATE reservation SET status = $1", ended)
        await refused(f"UPDATE reservation SET {attempt}", because="for ever")


@pytest.mark.parametrize("change", ["quantity = 20", "unit_price = 1", "id = gen_random_uuid()"])
async def test_what_a_reservation_holds_does_not_change(change):
    await hold(await make_event())
    await refused(f"UPDATE reservation SET {change}", because="does not change")


async def test_a_reservation_is_replaced_once():
    event = await make_event()
    first = await hold(event)
    reservation_id = await db.fetchval("SELECT id FROM reservation WHERE checkout_id = $1", first)
    async with undone():
        await db.execute(*await _new_reservation(event, replaces=reservation_id))
        await refused(*await _new_reservation(event, replaces=reservation_id), because="replaces")


@pytest.mark.parametrize("request_key", ["short", "x" * 65, ""])
async def test_a_request_key_is_long_enough_not_to_be_hit_by_chance_and_not_longer(request_key):
    event = await make_event()
    await refused(
        "INSERT INTO checkout (id, event_id, request_key, expires_at) VALUES ($1, $2, $3, now())",
        uuid.uuid4(),
        event.id,
        request_key,
        because="request_key",
    )


async def test_one_request_key_is_one_checkout():
    event = await make_event()
    await hold(event, "k" * 32)
    await refused(
        "INSERT INTO checkout (id, event_id, request_key, expires_at) VALUES ($1, $2, $3, now())",
        uuid.uuid4(),
        event.id,
        "k" * 32,
        because="checkout_once_per_request",
    )


# Configuration


async def test_ac_t4_allocations_over_the_capacity_are_refused_at_commit():
    event = await make_event(ticket_type(allocation=20), ticket_type("Late", allocation=10), capacity=30)
    await refused("UPDATE ticket_type SET allocation = 11 WHERE name = 'Late'", because="add up to 31, capacity is 30")
    await refused("UPDATE event SET total_capacity = 29 WHERE id = $1", event.id, because="capacity is 29")


async def test_ac_t4_a_new_type_whose_allocation_does_not_fit_is_refused_at_commit():
    event = await make_event(ticket_type(allocation=20), capacity=30)
    await refused(*_new_type(event, allocation=11), because="add up to 31")
    await db.execute(*_new_type(event, allocation=10))


async def test_ac_t4_allocations_count_whether_their_type_is_enabled_or_not():
    event = await make_event(
        ticket_type(allocation=20), ticket_type("Off", allocation=10, is_enabled=False), capacity=30
    )
    await refused(*_new_type(event, allocation=1), because="add up to 31")


async def test_ac_t4_capacity_and_allocations_may_change_together():
    event = await make_event(ticket_type(allocation=20), capacity=30)
    async with transaction():
        await db.execute("UPDATE ticket_type SET allocation = 40 WHERE event_id = $1", event.id)
        await db.execute("UPDATE event SET total_capacity = 40 WHERE id = $1", event.id)
    async with transaction():
        await db.execute("UPDATE event SET total_capacity = 10 WHERE id = $1", event.id)
        await db.execute("UPDATE ticket_type SET allocation = 10 WHERE event_id = $1", event.id)


async def test_ac_t4_an_unlimited_type_that_gets_an_allocation_is_counted():
    event = await make_event(ticket_type(allocation=20), ticket_type("Late"), capacity=30)
    await refused("UPDATE ticket_type SET allocation = 11 WHERE name = 'Late'", because="add up to 31")
    await db.execute("UPDATE ticket_type SET allocation = NULL WHERE event_id = $1", event.id)


async def test_ac_t4_a_type_does_not_move_to_an_event_whose_capacity_it_exceeds():
    await make_event(ticket_type("Big", allocation=30), capacity=30)
    small = await make_event(ticket_type(allocation=5), capacity=5)
    await refused("UPDATE ticket_type SET event_id = $1 WHERE name = 'Big'", small.id)


@pytest.mark.parametrize("capacity", [-1, -30])
async def test_ac_t1_a_capacity_is_not_negative(capacity):
    await make_event()
    await refused("UPDATE event SET total_capacity = $1", capacity)


@pytest.mark.parametrize(
    "change",
    [
        "allocation = -1",
        "price = -1",
        "price = 10000001",
        "min_per_order = 0",
        "max_per_order = 0",
        "min_per_order = 11",
        "max_per_order = 101",
        "name = '  '",
        "sales_start = now(), sales_end = now() - interval '1 hour'",
    ],
)
async def test_ac_t3_a_ticket_type_that_makes_no_sense_is_refused(change):
    await make_event()
    await refused(f"UPDATE ticket_type SET {change}")


@pytest.mark.parametrize(
    "change",
    [
        "title = ' '",
        "slug = 'Two Words'",
        "slug = '-x'",
        "slug = ''",
        "currency = 'eur'",
        "status = 'GONE'",
        "end_date = start_date - interval '1 second'",
    ],
)
async def test_ac_a2_an_event_that_makes_no_sense_is_refused(change):
    await make_event()
    await refused(f"UPDATE event SET {change}")


async def test_ac_a3_an_event_is_a_draft_until_somebody_says_otherwise():
    async with undone():
        await db.execute(
            "INSERT INTO event (id, slug, title, start_date) VALUES (gen_random_uuid(), 'new', 'New', now())"
        )
        assert await db.fetchval("SELECT status FROM event WHERE slug = 'new'") == "DRAFT"


# Payments


async def test_case_25_a_checkout_has_one_live_payment(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await start_paying(checkout_id)
    await refused(*_new_payment(checkout_id), because="payment_one_live_per_checkout")


async def test_a_voided_payment_makes_room_for_another():
    checkout_id = await hold_with_buyer(await make_event())
    await db.execute(*_new_payment(checkout_id))
    await db.execute("UPDATE payment SET status = 'VOIDED'")
    await db.execute(*_new_payment(checkout_id))
    assert await db.fetchval("SELECT count(*) FROM payment") == 2


@pytest.mark.parametrize("status", ["OPEN", "CAPTURING", "CAPTURED", "VOIDING", "VOIDED", "REFUNDED"])
async def test_a_payment_is_born_creating(status):
    checkout_id = await hold_with_buyer(await make_event())
    await refused(*_new_payment(checkout_id, status=status, reference="pi_1"), because="born CREATING")


ALLOWED = {
    ("CREATING", "OPEN"),
    ("CREATING", "VOIDED"),
    ("OPEN", "CAPTURING"),
    ("OPEN", "VOIDING"),
    ("OPEN", "VOIDED"),
    ("CAPTURING", "CAPTURED"),
    ("CAPTURING", "VOIDING"),
    ("CAPTURING", "VOIDED"),
    ("VOIDING", "VOIDED"),
    ("OPEN", "REFUNDED"),
    ("CAPTURING", "REFUNDED"),
    ("VOIDING", "REFUNDED"),
    ("VOIDED", "REFUNDED"),
}
STATUSES = ("CREATING", "OPEN", "CAPTURING", "CAPTURED", "VOIDING", "VOIDED", "REFUNDED")


@pytest.mark.parametrize("old", STATUSES)
async def test_case_25_a_payment_only_goes_where_the_rules_let_it(old):
    from domain.payments import NEXT

    checkout_id = await hold_with_buyer(await make_event())
    for new in STATUSES:
        if new == old:
            continue
        async with undone():
            await db.execute(*_new_payment(checkout_id, reference="pi_1"))
            await _bring_payment_to(old)
            if (old, new) in ALLOWED:
                assert await db.execute(MOVE_PAYMENT, new) == "UPDATE 1"
            else:
                await refused(MOVE_PAYMENT, new, because="does not become")
        assert ((old, new) in ALLOWED) == (new in NEXT.get(old, ())), "the rule and the wall are the same"


@pytest.mark.parametrize(
    "change", ["amount = 1", "currency = 'USD'", "provider = 'free'", "reference = 'pi_other'", "reference = NULL"]
)
async def test_what_a_payment_is_for_does_not_change(stripe, change):
    await start_paying(await hold_with_buyer(await make_event()))
    await refused(f"UPDATE payment SET {change}")


async def test_a_payment_of_nothing_is_free_and_a_free_one_costs_nothing():
    checkout_id = await hold_with_buyer(await make_event())
    await refused(*_new_payment(checkout_id, amount=0))
    await refused(*_new_payment(checkout_id, provider="free", amount=1))
    await refused(*_new_payment(checkout_id, amount=-1))


async def test_a_payment_without_a_reference_cannot_be_open():
    checkout_id = await hold_with_buyer(await make_event())
    await db.execute(*_new_payment(checkout_id))
    await refused("UPDATE payment SET status = 'OPEN'")


async def test_one_intent_belongs_to_one_payment(stripe):
    intent = await start_paying(await hold_with_buyer(await make_event()))
    other = await hold_with_buyer(await make_event())
    await refused(*_new_payment(other, reference=intent.reference), because="payment_provider_reference")


# Orders and tickets


async def test_ac_6_an_order_is_never_born_completed(stripe):
    await _paid_order(stripe)
    await refused(*_copy_of_the_order(status="COMPLETED", completed_at="now()"), because="born PAID")


async def test_ac_6_a_completed_order_never_goes_back(stripe):
    await buy(await make_event(), stripe)
    await refused("UPDATE orders SET status = 'PAID', completed_at = NULL", because="never goes back")


async def test_ac_6_an_order_is_not_completed_without_saying_when(stripe):
    await _paid_order(stripe)
    await refused("UPDATE orders SET status = 'COMPLETED'")
    await refused("UPDATE orders SET completed_at = now()")


async def test_case_25_a_checkout_has_one_order_and_a_payment_has_one(stripe):
    await buy(await make_event(), stripe)
    await refused(*_copy_of_the_order(), because="orders_")
    await refused(*_copy_of_the_order(payment_reference="'pi_other'"), because="orders_(checkout|payment)_id")


@pytest.mark.parametrize(
    "change",
    [
        "total_amount = 1",
        "total_quantity = 1",
        "currency = 'USD'",
        "payment_reference = 'pi_other'",
        "payment_provider = 'free'",
        "number = 'FY-2222-2222'",
        "checkout_id = gen_random_uuid()",
    ],
)
async def test_what_an_order_says_was_paid_does_not_change(stripe, change):
    await buy(await make_event(), stripe, General=2)
    await refused(f"UPDATE orders SET {change}", because="does not change")


@pytest.mark.parametrize("table", ["orders", "order_item", "ticket", "payment", "reservation", "checkout", "event"])
async def test_case_25_what_was_sold_is_never_deleted(stripe, table):
    await buy(await make_event(), stripe)
    await refused(f"DELETE FROM {table}")


async def test_an_order_line_is_its_price_times_its_quantity(stripe):
    order_id = await _paid_order(stripe)
    await refused(
        """INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total)
           SELECT gen_random_uuid(), $1, id, 2, 2400, 4799 FROM ticket_type LIMIT 1""",
        order_id,
        because="check",
    )


async def test_an_order_line_does_not_change(stripe):
    await buy(await make_event(), stripe)
    await refused("UPDATE order_item SET quantity = 2, line_total = 4800", because="do not change")


async def test_a_ticket_number_and_a_place_in_an_order_exist_once(stripe):
    order_id = await _paid_order(stripe)
    columns = "INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name)"
    new = f"{columns} SELECT gen_random_uuid(), order_id, id, $2, $3, 'Ana' FROM order_item WHERE order_id = $1"
    async with undone():
        await db.execute(new, order_id, 1, "FY-1")
        await refused(new, order_id, 2, "FY-1", because="ticket_number")
        await refused(new, order_id, 1, "FY-2", because="ticket_order_id_position")


@pytest.mark.parametrize(
    "attack",
    [
        """INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total)
           SELECT gen_random_uuid(), orders.id, y.id, 1, 0, 0 FROM orders, ticket_type AS y WHERE name = 'Other'""",
        """INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name)
           SELECT gen_random_uuid(), order_id, order_item_id, 9, 'FY-9', 'Eve' FROM ticket""",
        "UPDATE ticket SET order_item_id = order_item_id, number = 'FY-9'",
    ],
)
async def test_a_completed_order_gets_nothing_added_to_it(stripe, attack):
    await buy(await make_event(ticket_type(), ticket_type("Other")), stripe)
    async with undone():
        await refused(attack)


async def test_one_deed_is_noted_once():
    subject = uuid.uuid4()
    async with undone():
        await db.execute("INSERT INTO outbox (kind, subject) VALUES ('complete', $1)", subject)
        await refused("INSERT INTO outbox (kind, subject) VALUES ('complete', $1)", subject, because="outbox_kind")


async def test_ac_t4_two_organisers_do_not_slip_past_each_other():
    """One lowers X, the other raises an allocation, both under the event's lock: one of them is refused."""
    event = await make_event(ticket_type(allocation=10), capacity=30)

    async def change(sql):
        async with transaction():
            await db.execute("SELECT 1 FROM event WHERE id = $1 FOR NO KEY UPDATE", event.id)
            await db.execute(sql, event.id)

    outcomes = await asyncio.gather(
        change("UPDATE event SET total_capacity = 15 WHERE id = $1"),
        change("UPDATE ticket_type SET allocation = 20 WHERE event_id = $1"),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, asyncpg.CheckViolationError) for outcome in outcomes) == 1


# Money that goes back


async def test_no_more_goes_back_than_was_taken(stripe):
    await buy(await make_event(), stripe, General=2)
    await refused(_new_refund(amount=4801), because="took 4800, 0 has gone back: not 4801 more")
    async with undone():
        await db.execute(_new_refund(amount=4000))
        await refused(_new_refund(amount=801), because="took 4800, 4000 has gone back")
        await db.execute(_new_refund(amount=800))
        await refused(_new_refund(amount=1), because="took 4800, 4800 has gone back")
        await db.execute(_new_refund(amount=0, status="SUCCEEDED"))


async def test_what_failed_does_not_count_as_gone_back(stripe):
    await buy(await make_event(), stripe)
    async with undone():
        await db.execute(_new_refund(amount=2400))
        await db.execute("UPDATE refund SET status = 'FAILED'")
        await db.execute(_new_refund(amount=9999, status="FAILED"))
        await db.execute(_new_refund(amount=2400))


async def test_money_that_was_not_taken_cannot_go_back(stripe):
    await start_paying(await hold_with_buyer(await make_event()))
    async with undone():
        for status in ("OPEN", "CAPTURING"):
            await db.execute("UPDATE payment SET status = $1", status)
            await refused(_new_refund(amount=1, order_id="NULL"), because="took <NULL>")


async def test_a_refund_is_in_the_currency_and_of_the_order_that_was_paid(stripe):
    event = await make_event()
    await buy(event, stripe)
    other = await buy(event, stripe)
    await refused(_new_refund(currency="'USD'"), because="is not of what")
    await refused(_new_refund(order_id="NULL"), because="is not of what")
    await refused(
        _new_refund(order_id=f"(SELECT id FROM orders WHERE id <> o.id AND id = '{other}')"), because="not of"
    )


REFUND_WAYS = {
    "REQUESTED": (),
    "PENDING": ("PENDING",),
    "SUCCEEDED": ("SUCCEEDED",),
    "FAILED": ("FAILED",),
}


@pytest.mark.parametrize("old", REFUND_WAYS)
async def test_a_refund_only_goes_where_the_rules_let_it(stripe, old):
    await buy(await make_event(), stripe)
    move = "UPDATE refund SET status = $1, reference = coalesce(reference, 're_1')"
    for new in REFUND_WAYS:
        if old == new:
            continue
        async with undone():
            await db.execute(_new_refund())
            for step in REFUND_WAYS[old]:
                await db.execute(move, step)
            if new in refunds.NEXT.get(old, ()):
                assert await db.execute(move, new) == "UPDATE 1"
            else:
                await refused(move, new, because="does not become")


@pytest.mark.parametrize(
    "change",
    [
        "id = gen_random_uuid()",
        "payment_id = gen_random_uuid()",
        "order_id = NULL",
        "request_key = 'another-key-of-16'",
        "amount = 1",
        "currency = 'USD'",
        "reason = 'GOODWILL'",
        "reference = 're_2'",
        "reference = NULL",
    ],
)
async def test_what_a_refund_gives_back_does_not_change(stripe, change):
    await buy(await make_event(), stripe)
    async with undone():
        await db.execute(_new_refund(status="SUCCEEDED", reference="'re_1'"))
        await refused(f"UPDATE refund SET {change}")


async def test_a_refund_that_makes_no_sense_is_refused(stripe):
    await buy(await make_event(), stripe)
    for nonsense in (
        {"amount": -1},
        {"reason": "'WHATEVER'"},
        {"status": "MAYBE"},
        {"request_key": "'short'"},
        {"status": "PENDING"},
        {"status": "SUCCEEDED"},
    ):
        await refused(_new_refund(**nonsense), because="check")


async def test_one_refund_of_the_provider_and_one_request_key_are_one_refund(stripe):
    await buy(await make_event(), stripe)
    async with undone():
        await db.execute(_new_refund(amount=1, reference="'re_1'", request_key=f"'{'k' * 16}'"))
        await refused(_new_refund(amount=1, reference="'re_1'"), because="refund_reference")
        await refused(_new_refund(amount=1, request_key=f"'{'k' * 16}'"), because="refund_once_per_request")


async def test_a_ticket_does_not_go_back_with_another_order(stripe):
    event = await make_event()
    await buy(event, stripe)
    other = await buy(event, stripe)
    async with undone():
        await db.execute(_new_refund())
        await refused(f"{GO_BACK} WHERE order_id = '{other}'", because="another order")


async def test_a_seat_is_sold_again_only_when_its_money_has_gone_back_and_then_until_that_fails(stripe):
    await buy(await make_event(), stripe)
    await refused("UPDATE ticket SET returned = true", because="returned_was_refunded")
    async with undone():
        await db.execute(_new_refund())
        await db.execute(GO_BACK)
        await refused("UPDATE ticket SET returned = true", because="still with us")
        await db.execute("UPDATE refund SET status = 'PENDING', reference = 're_1'")
        await db.execute("UPDATE ticket SET returned = true")
        await refused("UPDATE ticket SET refund_id = NULL, returned = false", because="goes back")
        await db.execute("UPDATE refund SET status = 'FAILED'")
        await refused("UPDATE ticket SET returned = false", because="on sale again")
        await refused("UPDATE ticket SET refund_id = NULL", because="returned_was_refunded")
        await db.execute("UPDATE ticket SET refund_id = NULL, returned = false")
    async with undone():
        await db.execute(_new_refund())
        await db.execute(GO_BACK)
        await db.execute("UPDATE refund SET status = 'FAILED'")
        await refused("UPDATE ticket SET returned = true", because="still with us")


async def test_a_refunded_ticket_admits_again_only_when_its_refund_has_failed(stripe):
    await buy(await make_event(), stripe)
    for step in ("REQUESTED", "PENDING", "SUCCEEDED"):
        async with undone():
            await db.execute(_new_refund())
            await db.execute(GO_BACK)
            if step != "REQUESTED":
                await db.execute("UPDATE refund SET status = $1, reference = 're_1'", step)
            await refused("UPDATE ticket SET refund_id = NULL", because="goes back")
            await db.execute("UPDATE refund SET status = 'FAILED'")
            await db.execute("UPDATE ticket SET refund_id = NULL")


async def test_what_was_taken_is_known_and_does_not_change(stripe):
    await buy(await make_event(), stripe)
    await refused("UPDATE payment SET captured = captured - 1")
    await refused("UPDATE payment SET captured = NULL")
    await start_paying(await hold_with_buyer(await make_event()))
    await refused("UPDATE payment SET captured = 1 WHERE status = 'OPEN'", because="payment_taken_is_known")
    async with undone():
        refunded = "UPDATE payment SET status = 'REFUNDED', captured = $1 WHERE status = 'OPEN'"
        await refused(refunded, None, because="payment_taken_is_known")
        await refused(refunded, 0, because="payment_taken_is_known")
        await db.execute(refunded, 1)
    async with undone():
        await db.execute("UPDATE payment SET status = 'CAPTURING' WHERE status = 'OPEN'")
        await refused(
            "UPDATE payment SET status = 'CAPTURED', captured = amount - 1 WHERE status = 'CAPTURING'",
            because="payment_taken_is_known",
        )


async def test_a_payment_that_was_sent_back_makes_room_for_another():
    checkout_id = await hold_with_buyer(await make_event())
    async with undone():
        await db.execute(*_new_payment(checkout_id, reference="pi_1"))
        await _bring_payment_to("REFUNDED")
        await db.execute(*_new_payment(checkout_id))


@pytest.mark.parametrize("table", ["refund", "dispute"])
async def test_what_happened_to_money_is_never_deleted(stripe, table):
    await buy(await make_event(), stripe)
    async with undone():
        await db.execute(_new_refund())
        await db.execute(
            """INSERT INTO dispute (id, payment_id, amount, currency, reason, status)
               SELECT 'du_1', id, amount, currency, 'fraudulent', 'lost' FROM payment"""
        )
        await refused(f"DELETE FROM {table}", because="may not be deleted")


async def test_one_difference_is_kept_once_until_it_is_cleared():
    found = """INSERT INTO discrepancy (id, kind, reference, theirs, ours)
               VALUES (gen_random_uuid(), 'amount', 'pi_1', 'one', 'other')"""
    async with undone():
        await db.execute(found)
        await refused(found, because="discrepancy_open")
        await db.execute("UPDATE discrepancy SET cleared_at = now()")
        await db.execute(found)


@pytest.mark.parametrize(
    "attack", ["UPDATE audit_entry SET actor_name = 'Eve'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
async def test_i8_what_was_written_down_about_who_did_what_stays(attack):
    async with undone():
        await db.execute(
            """INSERT INTO audit_entry (actor_name, action, subject_kind, subject_id)
               VALUES ('Mira', 'refund requested', 'order', '1')"""
        )
        await refused(attack, because="stays")


@pytest.fixture
async def shop_role(postgres_url):
    """The role of docs/operations.md, made as it says there."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (snippet,) = re.findall(r"```\n(CREATE ROLE shop .*?)```", text, re.DOTALL)
    await db.execute(snippet.replace("…", "secret"))
    yield urlsplit(postgres_url)
    await db.execute("DROP OWNED BY shop; DROP ROLE shop")


async def test_a_role_of_its_own_may_sell_and_write_the_audit_and_never_rewrite_it(shop_role):
    event = await make_event()
    await db.execute("CREATE TABLE of_a_later_migration (id int)")
    shop = await asyncpg.connect(shop_role.geturl(), user="shop", password="secret")
    try:
        await shop.execute(
            "INSERT INTO audit_entry (actor_name, action, subject_kind, subject_id) VALUES ('M', 'd', 'e', '1')"
        )
        await shop.execute("UPDATE event SET title = 'Summer Light' WHERE id = $1", event.id)
        await shop.execute("INSERT INTO of_a_later_migration VALUES (1)")
        for attack in (
            "UPDATE audit_entry SET actor_name = 'Eve'",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
            "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await shop.execute(attack)
    finally:
        await shop.close()
        await db.execute("DROP TABLE of_a_later_migration")


# Makers


class undone:
    """What happens inside has not happened afterwards. Refusals inside do not end the transaction."""

    async def __aenter__(self):
        self._transaction = transaction()
        await self._transaction.__aenter__()
        self._honest, connection = db._run, self._transaction.connection

        async def run(method, sql, *args):
            async with connection.transaction():
                return await getattr(connection, method)(sql, *args)

        db._run = run

    async def __aexit__(self, *error):
        db._run = self._honest
        await self._transaction.__aexit__(*(error if error[0] else (_Undo, _Undo(), None)))


class _Undo(Exception):
    pass


async def _new_reservation(event, *, quantity=1, status="ACTIVE", type_id=None, replaces=None):
    checkout_id = await db.fetchval("SELECT id FROM checkout WHERE event_id = $1", event.id) or await hold(event)
    return (
        """INSERT INTO reservation (id, checkout_id, event_id, ticket_type_id, quantity, unit_price, status, expires_at,
                                    replaces)
           VALUES ($1, $2, $3, $4, $5::bigint, 2400, $6, now(), $7)""",
        uuid.uuid4(),
        checkout_id,
        event.id,
        type_id or event.types["General"],
        quantity,
        status,
        replaces,
    )


def _new_type(event, *, allocation):
    return (
        "INSERT INTO ticket_type (id, event_id, name, price, allocation) VALUES ($1, $2, 'New', 100, $3)",
        uuid.uuid4(),
        event.id,
        allocation,
    )


def _new_payment(checkout_id, *, status="CREATING", reference=None, provider="stripe", amount=2400):
    return (
        """INSERT INTO payment (id, checkout_id, provider, reference, amount, currency, status)
           VALUES ($1, $2, $3, $4, $5, 'EUR', $6)""",
        uuid.uuid4(),
        checkout_id,
        provider,
        reference,
        amount,
        status,
    )


WAYS = {
    "CREATING": (),
    "OPEN": ("OPEN",),
    "CAPTURING": ("OPEN", "CAPTURING"),
    "CAPTURED": ("OPEN", "CAPTURING", "CAPTURED"),
    "VOIDING": ("OPEN", "VOIDING"),
    "VOIDED": ("VOIDED",),
    "REFUNDED": ("OPEN", "REFUNDED"),
}
# Money that was taken has an amount.
MOVE_PAYMENT = """
    UPDATE payment SET status = $1::text,
        captured = CASE WHEN $1::text IN ('CAPTURED', 'REFUNDED') THEN coalesce(captured, amount) END
"""


GO_BACK = "UPDATE ticket SET refund_id = (SELECT id FROM refund ORDER BY created_at DESC LIMIT 1)"


def _new_refund(*, amount=1000, status="REQUESTED", **columns):
    """Of the first payment there is, for its order."""
    values = {
        "id": "gen_random_uuid()",
        "payment_id": "p.id",
        "order_id": "o.id",
        "amount": amount,
        "currency": "p.currency",
        "reason": "'REQUESTED'",
        "status": f"'{status}'",
    } | columns
    return f"""INSERT INTO refund ({", ".join(values)}) SELECT {", ".join(map(str, values.values()))}
               FROM payment AS p LEFT JOIN orders AS o ON o.payment_id = p.id ORDER BY p.created_at LIMIT 1"""


async def _bring_payment_to(status):
    for step in WAYS[status]:
        await db.execute(MOVE_PAYMENT, step)


async def _paid_order(stripe):
    """PAID, its tickets not yet issued; they are at the end of the test, so that the invariants hold."""
    intent = await start_paying(await hold_with_buyer(await make_event()))
    await stripe.pay(intent.client_secret)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tickets, "issue", _later)
        await settlement.settle(intent.reference)
    return await db.fetchval("SELECT id FROM orders WHERE status = 'PAID'")


async def _later(_):
    pass


def _copy_of_the_order(**changes):
    columns = {
        "id": "gen_random_uuid()",
        "number": "'FY-9999-9999'",
        "event_id": "event_id",
        "checkout_id": "checkout_id",
        "payment_id": "payment_id",
        "status": "'PAID'",
        "total_quantity": "total_quantity",
        "total_amount": "total_amount",
        "currency": "currency",
        "payment_provider": "payment_provider",
        "payment_reference": "payment_reference",
        "buyer_name": "buyer_name",
        "buyer_email": "buyer_email",
        "completed_at": "NULL",
    }
    if "status" in changes:
        changes["status"] = f"'{changes['status']}'"
    columns |= changes
    return (f"INSERT INTO orders ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM orders",)
