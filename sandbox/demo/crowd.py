"""The other people in the demo shop: those who have bought, and those who are still thinking about it.

They go through the same tables and states as everybody, so that the guards and the invariants hold for them too; the
sandbox is told what they have paid (books.py).
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import cycle
from random import Random
from typing import Any
from uuid import UUID

from domain.inventory import available_to_customer
from domain.money import line_total
from domain.orders import new_number, ticket_number
from models import database, stock
from models.ids import new_id
from models.stock import NewReservation, Shelf
from sandbox.demo.programme import Dates, Listing, TicketType
from sandbox.stripe.wire import new_id as provider_id

# Names from everywhere, put together at random: none of them is anybody.
FIRST = (
    "Ana Jonas Marta Luca Eva Tomasz Sofia Nika Aiko Malik Zoë Søren Hana Piotr Inês Kofi Mira Åsa Noah Žiga".split()
)
LAST = "Kovač Weber Pires Bernardi Horvat Łukasik Lind Zupan Mori Okoye Groß Holm Sato Nowak Reis Mensah Vega".split()
SOLD_WITHIN = timedelta(days=30)

BUYER = "demo-sale-"

# Other visitors hold a few tickets each, for so many minutes yet. A hold lasts a quarter of an hour at most, here too:
# these run out while one watches, and every start of the shop sends in new visitors.
VISITORS = ((2, 5), (1, 8), (3, 11), (2, 14))
VISITOR = "demo-visitor-"
ABOUT_TO_LEAVE = timedelta(minutes=3)

THINKING = f"""
    SELECT c.id, c.expires_at FROM checkout AS c WHERE c.event_id = $1 AND c.request_key LIKE '{VISITOR}%'
      AND EXISTS (SELECT 1 FROM reservation AS r WHERE r.checkout_id = c.id AND r.status = 'ACTIVE')
"""

SALES = """jsonb_to_recordset($1::jsonb) AS s (checkout_id uuid, payment_id uuid, order_id uuid, reference text,
    number text, tickets text[], quantity int, amount int, buyer text, email text, sold_at timestamptz)"""

NAME_BUYERS = f"""
    UPDATE checkout AS c SET buyer_name = s.buyer, buyer_email = s.email, created_at = s.sold_at,
        expires_at = s.sold_at + interval '15 minutes'
    FROM {SALES} WHERE c.id = s.checkout_id
"""

START_PAYMENTS = f"""
    INSERT INTO payment (id, checkout_id, provider, amount, currency, created_at)
    SELECT s.payment_id, s.checkout_id, CASE s.amount WHEN 0 THEN 'free' ELSE 'stripe' END, s.amount, $2, s.sold_at
    FROM {SALES}
"""

ADVANCE_PAYMENTS = f"""
    UPDATE payment AS p
    SET status = $2::varchar, captured = CASE $2::varchar WHEN 'CAPTURED' THEN p.amount END,
        reference = CASE provider WHEN 'free' THEN id::text ELSE s.reference END
    FROM {SALES} WHERE p.id = s.payment_id
"""

WRITE_ORDERS = f"""
    INSERT INTO orders (id, number, event_id, checkout_id, payment_id, total_quantity, total_amount, currency,
                        payment_provider, payment_reference, buyer_name, buyer_email, created_at)
    SELECT s.order_id, s.number, c.event_id, c.id, p.id, s.quantity, p.amount, p.currency,
           p.provider, p.reference, c.buyer_name, c.buyer_email, s.sold_at
    FROM {SALES} JOIN payment AS p ON p.id = s.payment_id JOIN checkout AS c ON c.id = s.checkout_id
"""

WRITE_ITEMS = f"""
    INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total, created_at)
    SELECT gen_random_uuid(), s.order_id, r.ticket_type_id, r.quantity, r.unit_price, r.quantity * r.unit_price,
           s.sold_at
    FROM {SALES} JOIN reservation AS r ON r.checkout_id = s.checkout_id AND r.status = 'CONSUMED'
"""

WRITE_TICKETS = f"""
    INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name, created_at)
    SELECT gen_random_uuid(), s.order_id, i.id, t.position, t.number, s.buyer, s.sold_at
    FROM {SALES} JOIN order_item AS i ON i.order_id = s.order_id
    CROSS JOIN unnest(s.tickets) WITH ORDINALITY AS t (number, position)
"""

COMPLETE_ORDERS = f"""
    UPDATE orders AS o SET status = 'COMPLETED', completed_at = s.sold_at FROM {SALES} WHERE o.id = s.order_id
"""


@dataclass(frozen=True)
class Sale:
    """One buyer's order of one ticket type."""

    checkout_id: UUID
    payment_id: UUID
    order_id: UUID
    reference: str
    number: str
    tickets: list[str]
    type_id: UUID
    quantity: int
    unit_price: int
    amount: int
    buyer: str
    email: str
    sold_at: datetime


async def buy(listing: Listing, dates: Dates, now: datetime) -> None:
    """Sell what the programme says is sold, over the last weeks of its sale. Nobody else can reach the event yet."""
    sales = list(_sales(listing, dates, now))
    if not sales:
        return
    await _hold(listing, now, sales)
    rows = json.dumps([asdict(sale) for sale in sales], default=str)
    await database.execute(NAME_BUYERS, rows)
    await database.execute(START_PAYMENTS, rows, listing.currency)
    for status in ("OPEN", "CAPTURING"):
        await database.execute(ADVANCE_PAYMENTS, rows, status)
    for sale in sales:
        await stock.consume_holds(listing.id, sale.checkout_id)
    await database.execute(WRITE_ORDERS, rows)
    await database.execute(WRITE_ITEMS, rows)
    await database.execute(ADVANCE_PAYMENTS, rows, "CAPTURED")
    await database.execute(WRITE_TICKETS, rows)
    await database.execute(COMPLETE_ORDERS, rows)


async def hold_the_rest(listing: Listing, shelf: Shelf) -> None:
    """Let other visitors hold all that is left where the programme says so. The caller holds the event's lock."""
    types = [t for t in listing.ticket_types if t.held and listing.type_id(t) in shelf.stock.types]
    if not types:
        return
    shelf.stock.give_back(await stock.release_overdue(listing.id, shelf.now))
    visitors = await database.fetch(THINKING, listing.id)
    if not any(_left(listing, shelf, t) for t in types) and not _about_to_leave(visitors, shelf.now):
        return
    for visitor in visitors:
        shelf.stock.give_back(await stock.end_holds(listing.id, visitor["id"]))
    for ticket_type in types:
        await _send_visitors(listing, shelf, ticket_type)


def _sales(listing: Listing, dates: Dates, now: datetime) -> Iterator[Sale]:
    chance = Random(listing.slug)
    for ticket_type in listing.ticket_types:
        until = min(now, dates.moment(ticket_type.on_sale_until) or dates.start)
        unsold = ticket_type.sold
        while unsold:
            quantity = min(chance.choice(listing.parties), ticket_type.max, unsold)
            unsold -= quantity
            yield _sale(listing, ticket_type, quantity, chance, until)


def _sale(listing: Listing, ticket_type: TicketType, quantity: int, chance: Random, until: datetime) -> Sale:
    number = new_number()
    first, last = chance.choice(FIRST), chance.choice(LAST)
    return Sale(
        checkout_id=new_id(),
        payment_id=new_id(),
        order_id=new_id(),
        reference=provider_id("pi"),
        number=number,
        tickets=[ticket_number(number, position) for position in range(1, quantity + 1)],
        type_id=listing.type_id(ticket_type),
        quantity=quantity,
        unit_price=ticket_type.price,
        amount=line_total(unit_price=ticket_type.price, quantity=quantity),
        buyer=f"{first} {last}",
        email=f"guest-{chance.randrange(10_000):04}@example.org",
        sold_at=until - SOLD_WITHIN * chance.random() ** 2,  # more of them lately
    )


async def _hold(listing: Listing, expires_at: datetime, sales: list[Sale]) -> None:
    await stock.write_checkouts(listing.id, expires_at, {s.checkout_id: f"{BUYER}{s.order_id}" for s in sales})
    new = [NewReservation(new_id(), s.checkout_id, s.type_id, s.quantity, s.unit_price) for s in sales]
    await stock.write_reservations(listing.id, expires_at, new)


def _left(listing: Listing, shelf: Shelf, ticket_type: TicketType) -> int:
    return available_to_customer(shelf.stock, shelf.stock.types[listing.type_id(ticket_type)])


def _about_to_leave(visitors: Any, now: datetime) -> bool:
    return any(visitor["expires_at"] < now + ABOUT_TO_LEAVE for visitor in visitors)


async def _send_visitors(listing: Listing, shelf: Shelf, ticket_type: TicketType) -> None:
    patience = cycle(VISITORS)
    while left := _left(listing, shelf, ticket_type):
        wanted, minutes = next(patience)
        quantity = min(wanted, left, ticket_type.max)
        await _send_visitor(listing, shelf, ticket_type, quantity, shelf.now + timedelta(minutes=minutes))


async def _send_visitor(
    listing: Listing, shelf: Shelf, ticket_type: TicketType, quantity: int, expires_at: datetime
) -> None:
    visitor, type_id = new_id(), listing.type_id(ticket_type)
    price = shelf.stock.types[type_id].price
    await stock.write_checkouts(listing.id, expires_at, {visitor: f"{VISITOR}{visitor}"})
    await stock.write_reservations(
        listing.id, expires_at, [NewReservation(new_id(), visitor, type_id, quantity, price)]
    )
    shelf.stock.take({type_id: quantity})
