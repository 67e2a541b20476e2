"""What the desk reads about one order: all that decides about its refunds."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models import database

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
    SELECT k.id, k.number, k.position, k.holder_name, k.refund_id, k.returned, i.unit_price, t.name,
           r.amount AS refund_amount, r.reason AS refund_reason
    FROM ticket AS k JOIN order_item AS i ON i.id = k.order_item_id JOIN ticket_type AS t ON t.id = i.ticket_type_id
    LEFT JOIN refund AS r ON r.id = k.refund_id
    WHERE k.order_id = $1 ORDER BY k.position
"""

REFUNDS = """
    SELECT r.*, (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id) AS tickets,
           (SELECT count(*) FROM ticket AS k WHERE k.refund_id = r.id AND NOT k.returned) AS seats_kept,
           (SELECT count(*) FROM ticket AS k WHERE k.order_id = r.order_id AND k.returned AND r.status = 'FAILED'
               AND (k.refund_id = r.id OR k.swept)) AS shut_out
    FROM refund AS r WHERE r.order_id = $1 ORDER BY r.id DESC
"""

DISPUTES = """
    SELECT d.* FROM dispute AS d JOIN orders AS o ON o.payment_id = d.payment_id WHERE o.id = $1 ORDER BY d.created_at
"""

# A dispute that was lost, and the tickets that its order still has.
LOST_DISPUTE = """
    SELECT d.*, o.id AS order_id, o.number, o.buyer_name, e.title, p.captured FROM dispute AS d
    JOIN orders AS o ON o.payment_id = d.payment_id JOIN payment AS p ON p.id = d.payment_id
    JOIN event AS e ON e.id = o.event_id WHERE d.id = $1
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
    disputes: list[Any]

    @property
    def left(self) -> int:
        return self.order["captured"] - self.order["gone_back"]


async def refundable(order_id: UUID) -> Refundable | None:
    order = await database.fetchrow(ORDER, order_id)
    if order is None:
        return None
    return Refundable(
        order,
        list(await database.fetch(ITEMS, order_id)),
        list(await database.fetch(TICKETS, order_id)),
        list(await database.fetch(REFUNDS, order_id)),
        list(await database.fetch(DISPUTES, order_id)),
    )


async def lost_dispute(dispute_id: str) -> tuple[Any, list[Any]] | None:
    """A dispute that was lost with its order, and the tickets of it that still admit."""
    dispute = await database.fetchrow(LOST_DISPUTE, dispute_id)
    if dispute is None or dispute["status"] != "lost":
        return None
    tickets = await database.fetch(TICKETS, dispute["order_id"])
    return dispute, [ticket for ticket in tickets if ticket["refund_id"] is None]


async def refund_with_seats(refund_id: UUID) -> Any | None:
    """A refund of an order, and the tickets whose seats could be sold again."""
    return await database.fetchrow(REFUND_WITH_SEATS, refund_id)


async def refund_of_request(request_key: str) -> UUID | None:
    """The refund that a form has made already."""
    return await database.fetchval("SELECT id FROM refund WHERE request_key = $1", request_key)
