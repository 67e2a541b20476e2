"""The checkers are checked: each planted violation is reported by the invariant that is meant for it."""

from contextlib import asynccontextmanager

import pytest

from models import database as db
from models import invariants
from services.transaction import transaction
from tests.makers import buy, hold, make_event, ticket_type

I1 = "I1 sold and held never exceed the capacity"
I2_SOLD = "I2 sold and held never exceed an allocation"
I2_SUM = "I2 allocations never add up to more than the capacity"
I3_ORDER = "I3 a captured payment has exactly one order, any other has none"
I3_AMOUNT = "I3 an order is for what was paid"
I4_GOES_BACK = "I4 money that became no order goes back, all of it"
I4_TOO_MUCH = "I4 never more goes back than was taken"
I4_ON_LIST = "I4 a refund that was asked for is on the worker's list"
I3_WORD = "I3 what no provider took has somebody who says so"
I4_BY_HAND = "I4 by hand goes back what was taken by hand, and nothing else"
I13_NOBODY = "I13 an order whose money went back admits nobody"
I13_TICKET = "I13 a ticket is invalid only while its money has gone, or goes, back"
I13_SWEPT = "I13 a ticket that went with the last of the money is invalid only while all of it has gone"
I5 = "I5 consumed reservations and order lines are the same tickets"
I6 = "I6 an order's totals are the sums of its lines"
I9 = "I9 the counters equal the rows"
I12_TICKETS = "I12 a completed order has its tickets, a paid one has none yet"
I12_TYPE = "I12 a published event has a ticket type on sale"

# A second reservation beside an existing one: same checkout, same type, so many more tickets, in whatever state.
MORE_RESERVED = """
    INSERT INTO reservation (id, checkout_id, event_id, ticket_type_id, quantity, unit_price, status, expires_at)
    SELECT gen_random_uuid(), checkout_id, event_id, ticket_type_id, {quantity}, unit_price, '{status}', expires_at
    FROM reservation WHERE status = 'ACTIVE' LIMIT 1
"""

# A refund beside whatever is there, with its note for the worker left out.
REFUND = """
    INSERT INTO refund (id, payment_id, order_id, amount, currency, reason, status, reference)
    SELECT gen_random_uuid(), p.id, o.id, {amount}, p.currency, 'REQUESTED', '{status}', 're_1'
    FROM payment AS p JOIN orders AS o ON o.payment_id = p.id
"""
REFUNDED_WITHOUT_ORDER = (
    "DELETE FROM ticket; DELETE FROM order_item; DELETE FROM orders; UPDATE payment SET status = 'REFUNDED'"
)

# What is planted, and every invariant that it breaks.
PLANTED = {
    "more held than the house has seats": (MORE_RESERVED.format(quantity=30, status="ACTIVE"), {I1, I2_SOLD, I9}),
    "more held than was allocated": (MORE_RESERVED.format(quantity=8, status="ACTIVE"), {I2_SOLD, I9}),
    "an overdue hold counts all the same": (
        MORE_RESERVED.format(quantity=30, status="ACTIVE")
        + "; UPDATE reservation SET expires_at = now() - interval '1 h'",
        {I1, I2_SOLD, I9},
    ),
    "more sold than the house has seats": (
        "UPDATE order_item SET quantity = 31, line_total = 31 * unit_price",
        {I1, I2_SOLD, I5, I6, I9, I12_TICKETS},
    ),
    "more allocated than the house has seats": ("UPDATE ticket_type SET allocation = 31", {I2_SUM}),
    "a captured payment without an order": (
        "DELETE FROM ticket; DELETE FROM order_item; DELETE FROM orders",
        {I3_ORDER, I5, I9},
    ),
    "money taken, no order, and nothing on its way back": (REFUNDED_WITHOUT_ORDER, {I4_GOES_BACK, I5, I9}),
    "a refund of more than was taken": (REFUND.format(amount="p.captured + 1", status="SUCCEEDED"), {I4_TOO_MUCH}),
    "money that no provider took, and nobody who says that it was paid": (
        "UPDATE payment SET provider = 'manual', method = 'cash'; UPDATE orders SET payment_provider = 'manual'",
        {I3_WORD},
    ),
    "money that Stripe has taken, given back by hand": (
        REFUND.format(amount=1, status="SUCCEEDED") + "; UPDATE refund SET reference = NULL, by_hand = true",
        {I4_BY_HAND},
    ),
    "a refund that nobody will run": (REFUND.format(amount=1, status="REQUESTED"), {I4_ON_LIST}),
    "an order refunded whole whose tickets still admit": (
        REFUND.format(amount="p.captured", status="PENDING"),
        {I13_NOBODY},
    ),
    "a ticket that a failed refund keeps invalid": (
        REFUND.format(amount=1, status="FAILED") + "; UPDATE ticket SET refund_id = (SELECT id FROM refund)",
        {I13_TICKET},
    ),
    "a ticket swept along although money is still with us": (
        REFUND.format(amount=1, status="SUCCEEDED")
        + "; UPDATE ticket SET swept = true, refund_id = (SELECT id FROM refund)",
        {I13_SWEPT},
    ),
    "a seat returned to sale without being counted": (
        REFUND.format(amount=1, status="SUCCEEDED")
        + "; UPDATE ticket SET returned = true, refund_id = (SELECT id FROM refund)",
        {I9},
    ),
    "an order for a payment that was not captured": ("UPDATE payment SET status = 'OPEN'", {I3_ORDER}),
    "an order that names another intent": ("UPDATE orders SET payment_reference = 'pi_other'", {I3_ORDER}),
    "an order over another amount than was paid": ("UPDATE payment SET amount = amount + 1", {I3_AMOUNT}),
    "an order in another currency than was paid": ("UPDATE payment SET currency = 'USD'", {I3_AMOUNT}),
    "a reservation consumed without an order": (MORE_RESERVED.format(quantity=1, status="CONSUMED"), {I5}),
    "an order whose reservation came back to life": (
        "UPDATE reservation SET status = 'ACTIVE' WHERE status = 'CONSUMED'",
        {I5, I9},
    ),
    "an order whose reservation expired": ("UPDATE reservation SET status = 'EXPIRED' WHERE status = 'CONSUMED'", {I5}),
    "an order over other tickets than were held": (
        "UPDATE reservation SET quantity = 2 WHERE status = 'CONSUMED'",
        {I5},
    ),
    "an order with wrong totals": ("UPDATE orders SET total_quantity = total_quantity + 1", {I6}),
    "an order with a wrong sum": ("UPDATE orders SET total_amount = total_amount + 1", {I3_AMOUNT, I6}),
    "an order without lines": ("DELETE FROM ticket; DELETE FROM order_item", {I5, I6, I9, I12_TICKETS}),
    "an event that counts a hold too many": ("UPDATE event SET held = held + 1", {I9}),
    "an event that counts a sale too few": ("UPDATE event SET sold = sold - 1", {I9}),
    "a type that counts a hold too many": ("UPDATE ticket_type SET held = held + 1", {I9}),
    "counters that are wrong on both floors alike": (
        "UPDATE ticket_type SET sold = sold + 1; UPDATE event SET sold = sold + 1",
        {I9},
    ),
    "a hold that ended without being counted": (
        "UPDATE reservation SET status = 'EXPIRED' WHERE status = 'ACTIVE'",
        {I9},
    ),
    "a completed order without tickets": ("DELETE FROM ticket", {I12_TICKETS}),
    "a completed order with a ticket missing": ("DELETE FROM ticket WHERE position = 1", {I12_TICKETS}),
    "a paid order that already has tickets": ("UPDATE orders SET status = 'PAID', completed_at = NULL", {I12_TICKETS}),
    "a published event with nothing on sale": ("UPDATE ticket_type SET is_enabled = false", {I12_TYPE}),
    "a published event without any type": (
        "INSERT INTO event (id, slug, title, start_date, status) "
        "VALUES (gen_random_uuid(), 'x', 'X', now(), 'PUBLISHED')",
        {I12_TYPE},
    ),
}


@pytest.fixture
async def a_shop_at_work(database, stripe):
    """One order of three tickets, and one hold of two."""
    event = await make_event(ticket_type(allocation=10), capacity=30)
    await buy(event, stripe, General=3)
    await hold(event, General=2)


@pytest.mark.parametrize("violation", PLANTED)
async def test_a_planted_violation_is_reported_by_the_invariant_that_is_meant_for_it(a_shop_at_work, violation):
    sql, expected = PLANTED[violation]
    async with planted(sql):
        assert set(await invariants.broken()) == expected
    assert await invariants.broken() == {}


async def test_every_invariant_has_a_violation_planted_for_it():
    assert set.union(*(expected for _, expected in PLANTED.values())) == set(invariants.INVARIANTS)


async def test_a_report_names_the_rows(a_shop_at_work):
    async with planted("UPDATE ticket_type SET is_enabled = false"):
        slug = await db.fetchval("SELECT slug FROM event")
        assert await invariants.broken() == {I12_TYPE: [(slug,)]}


async def test_tickets_for_another_line_than_was_bought_are_reported(database, stripe):
    event = await make_event(ticket_type("Early Bird"), ticket_type(), capacity=30)
    await buy(event, stripe, Early_Bird=1, General=2)
    all_on_one_line = "UPDATE ticket SET order_item_id = (SELECT min(order_item_id::text)::uuid FROM ticket)"
    async with planted(all_on_one_line):
        assert await invariants.broken()


@asynccontextmanager
async def planted(sql):
    """What no guard would let in, for a moment."""
    held_back = transaction()
    await held_back.__aenter__()
    try:
        await db.execute("SET LOCAL session_replication_role = replica")
        for constraint in ("event_never_oversold", "ticket_type_never_oversold"):
            table = constraint.removesuffix("_never_oversold")
            await db.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        await db.execute("ALTER TABLE payment DROP CONSTRAINT payment_taken_is_known")
        for statement in sql.split("; "):
            await db.execute(statement)
        yield
    finally:
        await held_back.__aexit__(Undo, Undo(), None)


class Undo(Exception):
    pass
