"""One purchase, from the hold to the tickets."""

from models import database
from tests.makers import buy, left, make_event, statuses


async def test_a_paid_purchase_becomes_a_completed_order_with_tickets(database, stripe):
    from models import database as db

    event = await make_event(capacity=5)
    order_id = await buy(event, stripe, General=2)
    order = await db.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert (order["status"], order["total_quantity"], order["total_amount"]) == ("COMPLETED", 2, 4800)
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE order_id = $1", order_id) == 2
    assert await statuses(order["checkout_id"]) == ["CONSUMED"]
    assert await left(event) == 3
