"""Order, its lines and its tickets. The table is called `orders`: SQL keeps the singular for itself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID as UUIDType

from piccolo.columns import UUID, BigInt, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models import database
from models.checkout import Checkout
from models.event import Event, TicketType
from models.ids import new_id
from models.payment import Payment

ITEMS = """
    SELECT i.*, t.name FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE i.order_id = $1 ORDER BY t.position, t.id
"""

TICKETS = """
    SELECT k.*, t.name FROM ticket AS k
    JOIN order_item AS i ON i.id = k.order_item_id JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE k.order_id = $1 ORDER BY k.position
"""


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


class Ticket(Table, tablename="ticket"):
    id = UUID(primary_key=True, default=new_id)
    order_id = ForeignKey(Order, default=None, on_delete=OnDelete.restrict, null=False)
    order_item_id = ForeignKey(OrderItem, default=None, on_delete=OnDelete.restrict, null=False)
    position = Integer(default=None)
    number = Text(default=None)
    holder_name = Text(default=None)
    created_at = Timestamptz()


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """An order with all that its page and mail show. `tickets` is empty until the order is COMPLETED."""

    order: Any
    event: Any
    items: list[Any]
    tickets: list[Any]


async def paid_order(order_id: UUIDType) -> PaidOrder | None:
    order = await database.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    if order is None:
        return None
    return PaidOrder(
        order=order,
        event=await database.fetchrow("SELECT * FROM event WHERE id = $1", order["event_id"]),
        items=list(await database.fetch(ITEMS, order_id)),
        tickets=list(await database.fetch(TICKETS, order_id)),
    )
