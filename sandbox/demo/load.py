"""Loads the demo: events that are missing are put on, those that have passed are put on again, nothing else changes.

What people made of it stays: orders and links live on, and an event that an organiser has edited keeps the edits.
Sales are invented only where the sandbox plays Stripe: no real account would know of them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.events import is_over
from models import database, stock
from models.stock import Shelf
from sandbox.demo import books, crowd, programme
from sandbox.demo.programme import Dates, Listing
from services.transaction import transaction

ANNOUNCED_AHEAD = timedelta(days=45)
NO_SALES = "Sales are invented for the sandbox only: a Stripe account would not know of them."

WRITE_EVENT = """
    INSERT INTO event (id, slug, title, category, summary, description, location, address, city, timezone, currency,
                       status, total_capacity, start_date, end_date, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT DO NOTHING RETURNING id
"""

WRITE_TYPE = """
    INSERT INTO ticket_type (id, event_id, name, description, price, allocation, position, sales_start, sales_end,
                             min_per_order, max_per_order)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

MOVE_EVENT = "UPDATE event SET start_date = $2, end_date = $3 WHERE id = $1"
MOVE_SALES = "UPDATE ticket_type SET sales_start = $2, sales_end = $3 WHERE id = $1"

TOTALS = "SELECT count(*) AS events, coalesce(sum(sold), 0) AS tickets FROM event WHERE id = ANY($1)"


@dataclass(frozen=True)
class Loaded:
    events: int
    tickets: int
    with_sales: bool = True

    def __str__(self) -> str:
        totals = f"{self.events} events, {self.tickets:,} tickets sold"
        return totals if self.with_sales else f"{totals}. {NO_SALES}"


async def load(sandbox: str | None) -> Loaded:
    """Each event in a transaction of its own: after a crash the next run goes on where this one stopped.

    `sandbox`: the address of Stripe's stand-in, which is told what it does not know; None when there is none.
    """
    listings = programme.read()
    with_sales = sandbox is not None
    for listing in listings:
        await _bring_up_to_date(listing, with_sales=with_sales)
    if sandbox:
        await books.tell(sandbox)
    totals = await database.fetchrow(TOTALS, [listing.id for listing in listings])
    assert totals is not None
    return Loaded(totals["events"], totals["tickets"], with_sales)


async def _bring_up_to_date(listing: Listing, *, with_sales: bool) -> None:
    async with transaction():
        shelf = await stock.lock(listing.id)
        if shelf is None:
            shelf = await _put_on(listing, with_sales=with_sales)
        elif _has_passed(listing, shelf):
            await _put_on_again(listing, listing.next_dates(shelf.now))
        if shelf is not None:
            await crowd.hold_the_rest(listing, shelf)


async def _put_on(listing: Listing, *, with_sales: bool) -> Shelf | None:
    """None when somebody's own event has taken the address."""
    now: datetime = await database.fetchval("SELECT clock_timestamp()")
    dates = listing.next_dates(now)
    # A row that is new is ours alone until we commit, as if locked. If it is not new, another loader was first.
    if await _write_event(listing, dates, announced_at=min(now, dates.start) - ANNOUNCED_AHEAD):
        await _write_types(listing, dates)
        if with_sales:
            await crowd.buy(listing, dates, now)
    return await stock.lock(listing.id)


def _has_passed(listing: Listing, shelf: Shelf) -> bool:
    event = shelf.stock
    return not listing.once and is_over(start_date=event.start_date, end_date=event.end_date, now=shelf.now)


async def _put_on_again(listing: Listing, dates: Dates) -> None:
    await database.execute(MOVE_EVENT, listing.id, dates.start, dates.end)
    for ticket_type in listing.ticket_types:
        sales_start, sales_end = dates.moment(ticket_type.on_sale_from), dates.moment(ticket_type.on_sale_until)
        if sales_start or sales_end:
            await database.execute(MOVE_SALES, listing.type_id(ticket_type), sales_start, sales_end)


async def _write_event(listing: Listing, dates: Dates, *, announced_at: datetime) -> bool:
    written = await database.fetchval(
        WRITE_EVENT,
        listing.id,
        listing.slug,
        listing.title,
        listing.category,
        listing.summary,
        listing.description.strip(),
        listing.location,
        listing.address,
        listing.city,
        listing.timezone,
        listing.currency,
        listing.status,
        listing.capacity,
        dates.start,
        dates.end,
        announced_at,
    )
    return written is not None


async def _write_types(listing: Listing, dates: Dates) -> None:
    for position, ticket_type in enumerate(listing.ticket_types):
        await database.execute(
            WRITE_TYPE,
            listing.type_id(ticket_type),
            listing.id,
            ticket_type.name,
            ticket_type.description,
            ticket_type.price,
            ticket_type.allocation,
            position,
            dates.moment(ticket_type.on_sale_from),
            dates.moment(ticket_type.on_sale_until),
            ticket_type.min,
            ticket_type.max,
        )
