"""Desk sales: an order that was paid elsewhere, or is a gift. The same line, the same stock, the same settlement.

First the hold, in the line of all buyers; then, in one transaction, the payment that no provider knows, the order and
who says so. A crash between the two leaves a hold like any other: the same request finishes it, or it lapses.
"""

from typing import Any
from uuid import UUID

import asyncpg

from domain.desk_sales import DeskSale, PriceChanged
from domain.errors import HoldEnded, RequestKeyReused, TooBusy
from domain.payments import Provider
from models import database, stock
from models.ids import new_id
from services import audit, checkout, live, reservations, settlement, tickets
from services.audit import Actor
from services.transaction import transaction

SOLD = "sold at the desk"

KNOWN = """
    SELECT o.id, c.buyer_name, c.buyer_email, p.method, p.note FROM orders AS o
    JOIN checkout AS c ON c.id = o.checkout_id JOIN payment AS p ON p.id = o.payment_id WHERE o.checkout_id = $1
"""

HELD = """
    SELECT coalesce(sum(r.quantity::bigint * r.unit_price), 0)::bigint AS amount,
           coalesce(sum(r.quantity), 0)::int AS tickets, e.currency
    FROM checkout AS c JOIN event AS e ON e.id = c.event_id
    LEFT JOIN reservation AS r ON r.checkout_id = c.id AND r.status = 'ACTIVE'
    WHERE c.id = $1 GROUP BY e.id
"""

REMEMBER_BUYER = "UPDATE checkout SET buyer_name = $2, buyer_email = $3 WHERE id = $1"

WRITE_PAYMENT = """
    INSERT INTO payment (id, checkout_id, provider, amount, currency, method, note) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def sell(event_id: UUID, sale: DeskSale, *, request_key: str, actor: Actor) -> UUID:
    """Sell or give tickets at the desk, all or nothing, and return the order. The same key is the same order.

    Raises EventNotFound, NothingChosen, TicketTypeNotOnSale, QuantityOutOfBounds, InsufficientInventory,
    RequestKeyReused, HoldEnded, PriceChanged, TooBusy.
    """
    checkout_id = await reservations.hold_tickets(event_id, wish=sale.wish, request_key=request_key, terms=sale.terms)
    try:
        async with transaction():
            await stock.lock(event_id)
            order_id = await _known(checkout_id, sale) or await _settle(event_id, checkout_id, sale, actor)
    except PriceChanged:
        await checkout.give_back(checkout_id)
        raise
    except asyncpg.LockNotAvailableError as error:
        raise TooBusy from error  # the hold waits for the same request to come again
    live.announce(event_id)
    await tickets.issue(order_id)
    return order_id


async def _known(checkout_id: UUID, sale: DeskSale) -> UUID | None:
    """The order that this request has made already. Raises RequestKeyReused when it was for somebody else."""
    made = await database.fetchrow(KNOWN, checkout_id)
    if made is None:
        return None
    if (made["buyer_name"], made["buyer_email"], made["note"]) != (sale.buyer_name, sale.buyer_email, sale.note):
        raise RequestKeyReused
    if made["method"] not in (sale.method, None):  # none: it cost nothing, however it should have been paid
        raise RequestKeyReused
    return made["id"]


async def _settle(event_id: UUID, checkout_id: UUID, sale: DeskSale, actor: Actor) -> UUID:
    """Raises PriceChanged; HoldEnded when the request comes again after a crash, too late."""
    held = await database.fetchrow(HELD, checkout_id)
    assert held is not None
    if sale.method is None and held["amount"]:
        raise RequestKeyReused  # held to be sold, not to be given
    if sale.method is not None and sale.total not in (None, held["amount"]):
        raise PriceChanged
    payment_id = new_id()
    await database.execute(REMEMBER_BUYER, checkout_id, sale.buyer_name, sale.buyer_email)
    await _write_payment(payment_id, checkout_id, held, sale)
    order_id = await settlement.settle_without_provider(event_id, payment_id)
    if order_id is None:
        raise HoldEnded(checkout_id)
    after = {
        "tickets": held["tickets"],
        "amount": held["amount"],
        "currency": held["currency"],
        "method": sale.method if held["amount"] else None,
        "note": sale.note,
        "buyer_name": sale.buyer_name,
        "buyer_email": sale.buyer_email,
    }
    await audit.write(actor, SOLD, "order", order_id, after=after)
    return order_id


async def _write_payment(payment_id: UUID, checkout_id: UUID, held: Any, sale: DeskSale) -> None:
    """What costs nothing needs no method, also when its types are free for everybody."""
    provider = Provider.MANUAL if held["amount"] else Provider.COMPLIMENTARY
    method = sale.method if held["amount"] else None
    await database.execute(
        WRITE_PAYMENT, payment_id, checkout_id, provider, held["amount"], held["currency"], method, sale.note
    )
