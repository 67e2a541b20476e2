"""Tickets: issued once, when the order is paid. That completes the order (AC 6)."""

from uuid import UUID

from domain.orders import OrderStatus, ticket_number
from models import database
from models.ids import new_id
from services import outbox
from services.transaction import transaction

WRITE_TICKETS = """
    INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name)
    SELECT id, $1, item, position, number, $2
    FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::text[]) AS t (id, item, position, number)
"""

COMPLETE = "UPDATE orders SET status = 'COMPLETED', completed_at = clock_timestamp() WHERE id = $1"

ITEMS = """
    SELECT i.id, i.quantity FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE i.order_id = $1 ORDER BY t.position, t.id
"""


async def issue(order_id: UUID) -> None:
    """PAID → COMPLETED with one ticket per admission, and a confirmation mail on its way. Harmless when done twice."""
    async with transaction():
        order = await database.fetchrow(
            "SELECT status, number, buyer_name FROM orders WHERE id = $1 FOR UPDATE", order_id
        )
        if order is None or order["status"] == OrderStatus.COMPLETED:
            return
        await _write_tickets(order_id, order["number"], order["buyer_name"])
        await database.execute(COMPLETE, order_id)
        await outbox.write("confirmation_mail", order_id)
        await outbox.strike("complete", order_id)


async def _write_tickets(order_id: UUID, order_number: str, holder_name: str) -> None:
    items = [i["id"] for i in await database.fetch(ITEMS, order_id) for _ in range(i["quantity"])]
    positions = list(range(1, len(items) + 1))
    await database.execute(
        WRITE_TICKETS,
        order_id,
        holder_name,
        [new_id() for _ in items],
        items,
        positions,
        [ticket_number(order_number, position) for position in positions],
    )
