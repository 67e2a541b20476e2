"""The named SQL that counts, moves and releases stock. The counters of Event and TicketType move here and nowhere else.

Lock first, read after: a lock and a sum in one statement would see the sum from before the lock. The clock is the
database's, read once after the lock is held.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.inventory import EventStock, TypeStock, Wish
from domain.refunds import Seat
from domain.reservations import HOLD
from models import database

LOCK_EVENT = """
    SELECT id, status, start_date, end_date, total_capacity, held, sold, currency
    FROM event WHERE id = $1 FOR NO KEY UPDATE
"""

TYPES_AND_CLOCK = """
    SELECT clock.now, t.*
    FROM (SELECT clock_timestamp() AS now) AS clock
    LEFT JOIN ticket_type AS t ON t.event_id = $1
    ORDER BY t.position, t.id
"""

# An overdue hold is shown as free (it is released by whoever needs it); a pinned one is never said to return.
LOOK = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
    holds AS (
        SELECT ticket_type_id,
               coalesce(sum(quantity) FILTER (WHERE expires_at <= now), 0)::int AS overdue,
               min(expires_at) FILTER (WHERE expires_at > now AND expires_at <= now + $2::interval) AS next_return
        FROM reservation, clock WHERE event_id = ANY($1) AND status = 'ACTIVE' GROUP BY ticket_type_id
    )
    SELECT clock.now, t.*, coalesce(holds.overdue, 0) AS overdue, holds.next_return,
           e.id AS event_id, e.status, e.start_date, e.end_date, e.total_capacity, e.held AS event_held,
           e.sold AS event_sold, e.currency
    FROM clock CROSS JOIN event AS e
    LEFT JOIN ticket_type AS t ON t.event_id = e.id
    LEFT JOIN holds ON holds.ticket_type_id = t.id
    WHERE e.id = ANY($1)
    ORDER BY e.id, t.position, t.id
"""

RELEASE_OVERDUE = """
    WITH lapsed AS (
        UPDATE reservation SET status = 'EXPIRED'
        WHERE event_id = $1 AND status = 'ACTIVE' AND expires_at <= $2
        RETURNING ticket_type_id, quantity
    )
    SELECT ticket_type_id, sum(quantity)::int AS quantity FROM lapsed GROUP BY ticket_type_id
"""

END_HOLDS = """
    WITH ended AS (
        UPDATE reservation SET status = $2
        WHERE checkout_id = $1 AND status = 'ACTIVE'
        RETURNING ticket_type_id, quantity
    )
    SELECT ticket_type_id, sum(quantity)::int AS quantity FROM ended GROUP BY ticket_type_id
"""

RETURN_SEATS = """
    WITH back AS (
        UPDATE ticket AS k SET returned = true FROM order_item AS i
        WHERE k.refund_id = $1 AND NOT k.returned AND i.id = k.order_item_id
        RETURNING i.ticket_type_id
    )
    SELECT ticket_type_id, count(*)::int AS quantity FROM back GROUP BY ticket_type_id
"""

# Paid for again, since the refund failed, and without a seat. What went only with the last of the money waits too.
SHUT_OUT = """
    SELECT k.id, i.ticket_type_id, k.number FROM refund AS r
    JOIN ticket AS k ON k.order_id = r.order_id AND k.returned AND (k.refund_id = r.id OR k.swept)
    JOIN order_item AS i ON i.id = k.order_item_id
    WHERE r.id = $1 AND r.status = 'FAILED' ORDER BY k.position
"""

TAKE_SEATS_BACK = """
    WITH again AS (
        UPDATE ticket AS k SET refund_id = NULL, returned = false, swept = false FROM order_item AS i
        WHERE k.id = ANY($1) AND k.returned AND i.id = k.order_item_id
        RETURNING i.ticket_type_id
    )
    SELECT ticket_type_id, count(*)::int AS quantity FROM again GROUP BY ticket_type_id
"""

MOVE = """
    WITH delta AS (SELECT * FROM unnest($2::uuid[], $3::int[], $4::int[]) AS d (id, held, sold)),
    of_types AS (
        UPDATE ticket_type AS t SET held = t.held + d.held, sold = t.sold + d.sold FROM delta AS d WHERE t.id = d.id
    )
    UPDATE event
    SET held = held + (SELECT sum(delta.held) FROM delta), sold = sold + (SELECT sum(delta.sold) FROM delta)
    WHERE id = $1
"""

WRITE_CHECKOUTS = """
    INSERT INTO checkout (id, event_id, request_key, expires_at)
    SELECT id, $1, request_key, $2 FROM unnest($3::uuid[], $4::text[]) AS c (id, request_key)
"""

WRITE_RESERVATIONS = """
    INSERT INTO reservation (id, event_id, expires_at, checkout_id, ticket_type_id, quantity, unit_price, replaces)
    SELECT id, $1, $2, checkout_id, ticket_type_id, quantity, unit_price, replaces
    FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::uuid[])
         AS r (id, checkout_id, ticket_type_id, quantity, unit_price, replaces)
"""

WISHES_BY_KEY = """
    SELECT c.request_key, c.id, c.event_id, r.ticket_type_id, r.quantity
    FROM checkout AS c JOIN reservation AS r ON r.checkout_id = c.id AND r.replaces IS NULL
    WHERE c.request_key = ANY($1)
"""


@dataclass(slots=True)
class Shelf:
    """One event's stock at `now`, on the database's clock. `next_return`: when held tickets of a type may come back."""

    stock: EventStock
    currency: str
    now: datetime
    next_return: dict[UUID, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewReservation:
    id: UUID
    checkout_id: UUID
    ticket_type_id: UUID
    quantity: int
    unit_price: int
    replaces: UUID | None = None


@dataclass(slots=True)
class KnownWish:
    """What an idempotency key has been used for."""

    checkout_id: UUID
    event_id: UUID
    wish: dict[UUID, int] = field(default_factory=dict)


async def lock(event_id: UUID) -> Shelf | None:
    """Take the event's lock, then look. None when there is no such event. Every change of stock starts here."""
    event = await database.fetchrow(LOCK_EVENT, event_id)
    if event is None:
        return None
    rows = await database.fetch(TYPES_AND_CLOCK, event_id)
    stock = EventStock(
        id=event["id"],
        status=event["status"],
        start_date=event["start_date"],
        end_date=event["end_date"],
        capacity=event["total_capacity"],
        held=event["held"],
        sold=event["sold"],
        types={row["id"]: _type_stock(row) for row in rows if row["id"]},
    )
    return Shelf(stock=stock, currency=event["currency"], now=rows[0]["now"])


async def look(event_ids: Iterable[UUID]) -> dict[UUID, Shelf]:
    """What buyers are shown, without a lock: advisory, the hold decides. Overdue holds count as free."""
    shelves: dict[UUID, Shelf] = {}
    for row in await database.fetch(LOOK, list(event_ids), HOLD):
        shelf = shelves.get(row["event_id"]) or _empty_shelf(row)
        shelves[row["event_id"]] = shelf
        if row["id"]:
            shelf.stock.types[row["id"]] = _type_stock(row)
            shelf.stock.give_back({row["id"]: row["overdue"]})
            if row["next_return"]:
                shelf.next_return[row["id"]] = row["next_return"]
    return shelves


async def release_overdue(event_id: UUID, now: datetime) -> dict[UUID, int]:
    """Expire every hold of the event that is past its time, and count its tickets as free. Returns how many per type.

    The caller holds the event's lock.
    """
    released = _quantities(await database.fetch(RELEASE_OVERDUE, event_id, now))
    await _move(event_id, released, held=-1)
    return released


async def end_holds(event_id: UUID, checkout_id: UUID) -> dict[UUID, int]:
    """Expire what one checkout still holds. The caller holds the event's lock."""
    ended = _quantities(await database.fetch(END_HOLDS, checkout_id, "EXPIRED"))
    await _move(event_id, ended, held=-1)
    return ended


async def consume_holds(event_id: UUID, checkout_id: UUID) -> dict[UUID, int]:
    """Turn what one checkout holds into sold tickets. The caller holds the event's lock."""
    consumed = _quantities(await database.fetch(END_HOLDS, checkout_id, "CONSUMED"))
    await _move(event_id, consumed, held=-1, sold=+1)
    return consumed


async def return_seats(event_id: UUID, refund_id: UUID) -> dict[UUID, int]:
    """Put the seats of a refund's tickets back on sale. The caller holds the event's lock."""
    returned = _quantities(await database.fetch(RETURN_SEATS, refund_id))
    await _move(event_id, returned, sold=-1)
    return returned


async def shut_out(refund_id: UUID) -> list[Seat]:
    """The tickets that a failed refund left without a seat."""
    return [Seat(row["id"], row["ticket_type_id"], row["number"]) for row in await database.fetch(SHUT_OUT, refund_id)]


async def take_seats_back(event_id: UUID, seats: Iterable[Seat]) -> None:
    """Make tickets valid again that had lost their seats. The caller holds the event's lock and has asked domain."""
    taken = _quantities(await database.fetch(TAKE_SEATS_BACK, [seat.ticket for seat in seats]))
    await _move(event_id, taken, sold=+1)


async def write_checkouts(event_id: UUID, expires_at: datetime, keys: Mapping[UUID, str]) -> None:
    """Several buyers' checkouts at once: id → request key."""
    await database.execute(WRITE_CHECKOUTS, event_id, expires_at, list(keys), list(keys.values()))


async def write_reservations(event_id: UUID, expires_at: datetime, new: Sequence[NewReservation]) -> None:
    """Write granted holds and count them. The caller holds the event's lock and has asked domain.inventory."""
    await database.execute(
        WRITE_RESERVATIONS,
        event_id,
        expires_at,
        [r.id for r in new],
        [r.checkout_id for r in new],
        [r.ticket_type_id for r in new],
        [r.quantity for r in new],
        [r.unit_price for r in new],
        [r.replaces for r in new],
    )
    taken: dict[UUID, int] = {}
    for r in new:
        taken[r.ticket_type_id] = taken.get(r.ticket_type_id, 0) + r.quantity
    await _move(event_id, taken, held=+1)


async def known_wishes(request_keys: Iterable[str]) -> dict[str, KnownWish]:
    """What these idempotency keys have been used for so far."""
    known: dict[str, KnownWish] = {}
    for row in await database.fetch(WISHES_BY_KEY, list(request_keys)):
        entry = known.setdefault(row["request_key"], KnownWish(row["id"], row["event_id"]))
        entry.wish[row["ticket_type_id"]] = row["quantity"]
    return known


async def _move(event_id: UUID, quantities: Wish, *, held: int = 0, sold: int = 0) -> None:
    if not quantities:
        return
    counts = list(quantities.values())
    await database.execute(MOVE, event_id, list(quantities), [held * n for n in counts], [sold * n for n in counts])


def _quantities(rows: Iterable[Any]) -> dict[UUID, int]:
    return {row["ticket_type_id"]: row["quantity"] for row in rows}


def _empty_shelf(row: Any) -> Shelf:
    stock = EventStock(
        id=row["event_id"],
        status=row["status"],
        start_date=row["start_date"],
        end_date=row["end_date"],
        capacity=row["total_capacity"],
        held=row["event_held"],
        sold=row["event_sold"],
    )
    return Shelf(stock=stock, currency=row["currency"], now=row["now"])


def _type_stock(row: Any) -> TypeStock:
    return TypeStock(
        id=row["id"],
        name=row["name"],
        price=row["price"],
        allocation=row["allocation"],
        held=row["held"],
        sold=row["sold"],
        is_enabled=row["is_enabled"],
        sales_start=row["sales_start"],
        sales_end=row["sales_end"],
        min_per_order=row["min_per_order"],
        max_per_order=row["max_per_order"],
    )
