"""Order, its lines, its tickets, and the money that went back. Its table is `orders`: SQL keeps the singular."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID as UUIDType

from piccolo.columns import UUID, BigInt, Boolean, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import Column, OnDelete
from piccolo.table import Table

from models import database
from models.checkout import Checkout
from models.event import Event, TicketType
from models.ids import new_id
from models.payment import Payment

# `method`: how an order was paid that was sold at the desk.
ORDER = """
    SELECT o.*, p.method FROM orders AS o JOIN payment AS p ON p.id = o.payment_id WHERE o.id = $1
"""

ITEMS = """
    SELECT i.*, t.name FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE i.order_id = $1 ORDER BY t.position, t.id
"""

TICKETS = """
    SELECT k.*, t.name, i.unit_price, r.status AS refund_status, r.amount AS refund_amount FROM ticket AS k
    JOIN order_item AS i ON i.id = k.order_item_id JOIN ticket_type AS t ON t.id = i.ticket_type_id
    LEFT JOIN refund AS r ON r.id = k.refund_id
    WHERE k.order_id = $1 ORDER BY k.position
"""

# Also of another payment for the same checkout, for which there was nothing left to give: `order_id` is null.
REFUNDS = """
    SELECT r.* FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
    JOIN orders AS o ON o.checkout_id = p.checkout_id
    WHERE o.id = $1 ORDER BY r.created_at, r.id
"""

# Two pages of an order that are alike have the same standing.
STANDING = """
    SELECT md5(concat_ws('|', o.status,
        (SELECT string_agg(concat_ws(',', k.holder_name, k.refund_id, k.returned), ';' ORDER BY k.position)
           FROM ticket AS k WHERE k.order_id = o.id),
        (SELECT string_agg(concat_ws(',', r.id, r.status), ';' ORDER BY r.id)
           FROM refund AS r JOIN payment AS p ON p.id = r.payment_id WHERE p.checkout_id = o.checkout_id)))
    FROM orders AS o WHERE o.id = $1
"""

# Also for money that never became an order: its checkout says who was buying.
REFUND_LETTER = """
    SELECT r.*, o.number, coalesce(o.buyer_name, c.buyer_name) AS buyer_name,
           coalesce(o.buyer_email, c.buyer_email) AS buyer_email, e.title, e.slug,
           (SELECT array_agg(k.number ORDER BY k.position) FROM ticket AS k WHERE k.refund_id = r.id) AS tickets,
           ARRAY(SELECT k.number FROM ticket AS k WHERE k.order_id = o.id AND k.refund_id IS NULL ORDER BY k.position)
           AS valid,
           ARRAY(SELECT k.number FROM ticket AS k WHERE k.order_id = o.id AND k.returned
                   AND (k.refund_id = r.id OR k.swept) AND r.status = 'FAILED' ORDER BY k.position) AS shut_out
    FROM refund AS r JOIN payment AS p ON p.id = r.payment_id JOIN checkout AS c ON c.id = p.checkout_id
    JOIN event AS e ON e.id = c.event_id LEFT JOIN orders AS o ON o.id = r.order_id WHERE r.id = $1
"""


class Words(Column):
    """By which an order is found. The database writes them itself: see migrations/order_search.sql."""

    value_type = str
    column_type = "tsvector"


class Order(Table, tablename="orders"):
    id = UUID(primary_key=True, default=new_id)
    number = Text(default=None)
    event_id = ForeignKey(Event, default=None, on_delete=OnDelete.restrict, null=False)
    checkout_id = ForeignKey(Checkout, default=None, on_delete=OnDelete.restrict, null=False)
    payment_id = ForeignKey(Payment, default=None, on_delete=OnDelete.restrict, null=False)
    status = Text(default="PAID")
    total_quantity = Integer(default=None)
    total_amount = BigInt(default=None)
    currency = Text(default=None)
    payment_provider = Text(default=None)
    payment_reference = Text(default=None)
    buyer_name = Text(default=None)
    buyer_email = Text(default=None)
    words = Words(null=False)
    completed_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class OrderItem(Table, tablename="order_item"):
    id = UUID(primary_key=True, default=new_id)
    order_id = ForeignKey(Order, default=None, on_delete=OnDelete.restrict, null=False)
    ticket_type_id = ForeignKey(TicketType, default=None, on_delete=OnDelete.restrict, null=False)
    quantity = Integer(default=None)
    unit_price = Integer(default=None)
    line_total = BigInt(default=None)
    created_at = Timestamptz()


class Refund(Table, tablename="refund"):
    """Money on its way back. Its id is the provider's idempotency key and metadata."""

    id = UUID(primary_key=True, default=new_id)
    payment_id = ForeignKey(Payment, default=None, on_delete=OnDelete.restrict, null=False)
    order_id = ForeignKey(Order, default=None, on_delete=OnDelete.restrict, null=True)
    request_key = Text(default=None, null=True)
    amount = BigInt(default=None)
    currency = Text(default=None)
    reason = Text(default=None)
    note = Text(default="")
    seats_return = Boolean(default=False)
    status = Text(default="REQUESTED")
    reference = Text(default=None, null=True)
    last_error = Text(default=None, null=True)
    attempts = Integer(default=0)
    next_check_at = Timestamptz()
    by_hand = Boolean(default=False)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Ticket(Table, tablename="ticket"):
    id = UUID(primary_key=True, default=new_id)
    order_id = ForeignKey(Order, default=None, on_delete=OnDelete.restrict, null=False)
    order_item_id = ForeignKey(OrderItem, default=None, on_delete=OnDelete.restrict, null=False)
    position = Integer(default=None)
    number = Text(default=None)
    holder_name = Text(default=None)
    refund_id = ForeignKey(Refund, default=None, on_delete=OnDelete.restrict, null=True)
    returned = Boolean(default=False)
    swept = Boolean(default=False)
    created_at = Timestamptz()


class MailRequest(Table, tablename="mail_request"):
    """The tickets of an order are to be sent again: one mail each."""

    id = UUID(primary_key=True, default=new_id)
    order_id = ForeignKey(Order, default=None, on_delete=OnDelete.restrict, null=False)
    request_key = Text(default=None)
    created_at = Timestamptz()


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """An order with all that its page and mail show. `tickets` is empty until the order is COMPLETED."""

    order: Any
    event: Any
    items: list[Any]
    tickets: list[Any]
    refunds: list[Any]


async def paid_order(order_id: UUIDType) -> PaidOrder | None:
    order = await database.fetchrow(ORDER, order_id)
    if order is None:
        return None
    return PaidOrder(
        order=order,
        event=await database.fetchrow("SELECT * FROM event WHERE id = $1", order["event_id"]),
        items=list(await database.fetch(ITEMS, order_id)),
        tickets=list(await database.fetch(TICKETS, order_id)),
        refunds=list(await database.fetch(REFUNDS, order_id)),
    )


async def order_of_request(request_id: UUIDType) -> UUIDType | None:
    """Whose tickets somebody has had sent again."""
    return await database.fetchval("SELECT order_id FROM mail_request WHERE id = $1", request_id)


async def standing(order_id: UUIDType) -> str:
    """What an open page compares to know whether anything has changed."""
    return await database.fetchval(STANDING, order_id)


async def refund_letter(refund_id: UUIDType) -> Any | None:
    """A refund with all that its mail says."""
    return await database.fetchrow(REFUND_LETTER, refund_id)
