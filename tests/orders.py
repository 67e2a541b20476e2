"""Makers of many orders at once: paid at Stripe, or free, each of one General ticket, without asking anybody."""

from uuid import UUID

from models import database, stock
from services.transaction import transaction
from tests.makers import Made

# Each as the shop does it, so that the guards see every step.
STEPS = (
    """CREATE TEMP TABLE made ON COMMIT DROP AS
       SELECT i, gen_random_uuid() AS checkout_id, gen_random_uuid() AS payment_id, gen_random_uuid() AS order_id,
              gen_random_uuid() AS item_id FROM generate_series(1, {count}) AS i""",
    """INSERT INTO checkout (id, event_id, request_key, buyer_name, buyer_email, expires_at)
       SELECT checkout_id, $1, checkout_id::text, $3, $4, clock_timestamp() + interval '1 hour' FROM made""",
    """INSERT INTO reservation (id, checkout_id, event_id, ticket_type_id, quantity, unit_price, expires_at)
       SELECT gen_random_uuid(), checkout_id, $1, t.id, 1, t.price, clock_timestamp() + interval '1 hour'
       FROM made JOIN ticket_type AS t ON t.id = $2""",
    # So long ago that no comparison of the books asks Stripe about them.
    """INSERT INTO payment (id, checkout_id, provider, amount, currency, created_at)
       SELECT payment_id, checkout_id, CASE t.price WHEN 0 THEN 'free' ELSE 'stripe' END, t.price, e.currency,
              clock_timestamp() - interval '30 days'
       FROM made JOIN ticket_type AS t ON t.id = $2 JOIN event AS e ON e.id = $1""",
    """UPDATE payment AS p SET status = 'OPEN', reference = CASE provider WHEN 'free' THEN id::text
           ELSE 'pi_' || left(md5(id::text), 24) END FROM made WHERE p.id = made.payment_id""",
    "UPDATE payment AS p SET status = 'CAPTURING' FROM made WHERE p.id = made.payment_id",
    "UPDATE payment AS p SET status = 'CAPTURED', captured = amount FROM made WHERE p.id = made.payment_id",
    "UPDATE reservation AS r SET status = 'CONSUMED' FROM made WHERE r.checkout_id = made.checkout_id",
    """INSERT INTO orders (id, number, event_id, checkout_id, payment_id, total_quantity, total_amount, currency,
                           payment_provider, payment_reference, buyer_name, buyer_email)
       SELECT m.order_id, 'FY-' || upper(left(m.order_id::text, 4) || '-' || substr(m.order_id::text, 5, 4)),
              $1, m.checkout_id, p.id, 1, p.amount, p.currency, p.provider, p.reference, $3, $4
       FROM made AS m JOIN payment AS p ON p.id = m.payment_id ORDER BY m.i""",
    """INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total)
       SELECT item_id, order_id, t.id, 1, t.price, t.price FROM made JOIN ticket_type AS t ON t.id = $2""",
)
ISSUE = (
    """INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name)
       SELECT gen_random_uuid(), o.id, m.item_id, 1, o.number || '-1', o.buyer_name
       FROM made AS m JOIN orders AS o ON o.id = m.order_id""",
    """UPDATE orders AS o SET status = 'COMPLETED', completed_at = clock_timestamp()
       FROM made WHERE o.id = made.order_id""",
)


async def make_orders(
    event: Made,
    count: int,
    *,
    status: str = "COMPLETED",
    buyer_name: str = "Ana Kovač",
    buyer_email: str = "ana@example.org",
) -> list[UUID]:
    """The oldest first."""
    values = {"$1": event.id, "$2": event.types["General"], "$3": buyer_name, "$4": buyer_email}
    async with transaction():
        await stock.lock(event.id)
        for step in (*STEPS, *(ISSUE if status == "COMPLETED" else ())):
            await database.execute(*_with_values(step.replace("{count}", str(count)), values))
        for table, row in (("event", event.id), ("ticket_type", event.types["General"])):
            await database.execute(f"UPDATE {table} SET sold = sold + $2 WHERE id = $1", row, count)
        return [row["order_id"] for row in await database.fetch("SELECT order_id FROM made ORDER BY i")]


def _with_values(sql: str, values: dict[str, object]) -> tuple[object, ...]:
    """Only those that the statement names, numbered anew: the server refuses others."""
    used = [name for name in values if name in sql]
    for number, name in enumerate(used, 1):
        sql = sql.replace(name, f"${number}")
    return sql, *(values[name] for name in used)
