"""What the desk reads about orders: finding one, and all that decides about its refunds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models import database

SHOWN = 50

# Newest first by the order's id, which begins with its time.
SEARCH = f"""
    SELECT o.*, e.title, e.timezone, (
        SELECT coalesce(sum(r.amount), 0)::bigint FROM refund AS r WHERE r.order_id = o.id AND r.status <> 'FAILED'
    ) AS gone_back
    FROM orders AS o JOIN event AS e ON e.id = o.event_id
    WHERE $1 = '' OR o.number ILIKE $2 OR o.buyer_email ILIKE $2 OR o.buyer_name ILIKE $2 OR o.payment_reference = $1
       OR o.id = (SELECT k.order_id FROM ticket AS k WHERE k.number = upper($1))
    ORDER BY o.id DESC LIMIT {SHOWN + 1}
"""

ORDER = """
    SELECT o.*, e.title, e.slug, e.timezone, e.start_date, p.captured, (
        SELECT coalesce(sum(r.amount), 0)::bigint FROM refund AS r WHERE r.payment_id = p.id AND r.status <> 'FAILED'
    ) AS gone_back
    FROM orders AS o JOIN event AS e ON e.id = o.event_id JOIN payment AS p ON p.id = o.payment_id WHERE o.id = $1
"""

ITEMS = """
    SELECT i.*, t.name FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE i.order_id = $1 ORDER BY t.position, t.id
"""

TICKETS = """
    SELECT k.id, k.number, k.position, k.holder_name, k.refund_id, k.returned, i.unit_price, t.name
    FROM ticket AS k JOIN order_item AS i ON i.id = k.order_item_id JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE k.order_id = $1 ORDER BY k.position
"""

REFUNDS = """
    SELECT r.*, (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id) AS tickets,
           (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id AND NOT k.returned) AS seats_kept
    FROM refund AS r WHERE r.order_id = $1 ORDER BY r.id DESC
"""

REFUND_WITH_SEATS = """
    SELECT r.id, r.order_id, o.number, e.title, ARRAY(
        SELECT k.number FROM ticket AS k WHERE k.refund_id = r.id AND NOT k.returned
          AND r.status IN ('PENDING', 'SUCCEEDED') ORDER BY k.position
    ) AS tickets
    FROM refund AS r JOIN orders AS o ON o.id = r.order_id JOIN event AS e ON e.id = o.event_id WHERE r.id = $1
"""


@dataclass(frozen=True, slots=True)
class Refundable:
    """An order with all that decides about giving its money back. `captured` and `gone_back` in minor units."""

    order: Any
    items: list[Any]
    tickets: list[Any]
    refunds: list[Any]

    @property
    def left(self) -> int:
        return self.order["captured"] - self.order["gone_back"]


async def find_orders(text: str) -> list[Any]:
    """The newest whose number, e-mail or name contains the text, or whose payment or ticket it names.

    One more than SHOWN tells that there are more.
    """
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return list(await database.fetch(SEARCH, text, f"%{escaped}%"))


async def refundable(order_id: UUID) -> Refundable | None:
    order = await database.fetchrow(ORDER, order_id)
    if order is None:
        return None
    return Refundable(
        order,
        list(await database.fetch(ITEMS, order_id)),
        list(await database.fetch(TICKETS, order_id)),
        list(await database.fetch(REFUNDS, order_id)),
    )


async def refund_with_seats(refund_id: UUID) -> Any | None:
    """A refund of an order, and the tickets whose seats could be sold again."""
    return await database.fetchrow(REFUND_WITH_SEATS, refund_id)


async def refund_of_request(request_key: str) -> UUID | None:
    """The refund that a form has made already."""
    return await database.fetchval("SELECT id FROM refund WHERE request_key = $1", request_key)
