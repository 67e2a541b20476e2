"""What the desk reads about many orders: lists, newest first, searched and narrowed, and the same again for export.

Quick at 100,000 orders, without OFFSET and without a guess of the planner's (docs/decisions/0016-finding-orders.md):
what sifts is first gathered, up to MANY; where more than that match, a walk over the newest meets enough of them soon.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models import database

SHOWN, CHUNK = 50, 1_000
# More than that is “more than 1,000”: nobody counts on, and counting would read them all.
MANY = 1_000
MOST_NEW = 99

# none, part or whole of what was paid; of a free order: of its tickets.
REFUNDED = """(
    SELECT CASE WHEN count(*) = 0 OR (sum(r.amount) = 0 AND o.total_amount > 0) THEN 'none'
                WHEN sum(r.amount) >= o.total_amount AND (o.total_amount > 0 OR NOT EXISTS (
                    SELECT 1 FROM ticket AS k WHERE k.order_id = o.id AND k.refund_id IS NULL)) THEN 'whole'
                ELSE 'part' END
    FROM refund AS r WHERE r.order_id = o.id AND r.status <> 'FAILED'
)"""
IS_DISPUTED = "(SELECT count(*) > 0 FROM dispute AS d WHERE d.payment_id = o.payment_id)"
WITH_REFUND = "o.id IN (SELECT r.order_id FROM refund AS r WHERE r.status <> 'FAILED')"

STATUSES = ("PAID", "COMPLETED")
PROVIDERS = ("stripe", "manual", "complimentary", "free")
# What became of the money: the rows that could be meant, found by an index, and whether one of them is.
MONEY = {
    "none": ("true", f"{REFUNDED} = 'none'"),
    "part": (WITH_REFUND, f"{REFUNDED} = 'part'"),
    "whole": (WITH_REFUND, f"{REFUNDED} = 'whole'"),
    "disputed": ("o.payment_id IN (SELECT d.payment_id FROM dispute AS d)", IS_DISPUTED),
}

ROWS = f"""
    SELECT o.id, o.number, o.event_id, o.status, o.total_quantity, o.total_amount, o.currency, o.payment_provider,
           o.payment_reference, o.buyer_name, o.buyer_email, o.completed_at, o.created_at,
           e.title, e.slug, e.timezone, e.start_date, {REFUNDED} AS refunded, {IS_DISPUTED} AS disputed,
           (SELECT coalesce(sum(r.amount), 0)::bigint FROM refund AS r
            WHERE r.order_id = o.id AND r.status <> 'FAILED') AS gone_back
    FROM orders AS o JOIN event AS e ON e.id = o.event_id WHERE o.id = ANY($1)
    ORDER BY o.created_at DESC, o.id DESC
"""

LINES = """
    SELECT i.order_id, string_agg(i.quantity || ' × ' || t.name, '; ' ORDER BY t.position, t.id) AS said
    FROM order_item AS i JOIN ticket_type AS t ON t.id = i.ticket_type_id WHERE i.order_id = ANY($1) GROUP BY i.order_id
"""

TICKETS = """
    SELECT k.order_id, k.number, k.holder_name, k.refund_id IS NULL AS admits, i.unit_price, t.name
    FROM ticket AS k JOIN order_item AS i ON i.id = k.order_item_id JOIN ticket_type AS t ON t.id = i.ticket_type_id
    WHERE k.order_id = ANY($1) ORDER BY k.position
"""

# Where the list begins, and what can change in what a first page shows.
NEWEST = "SELECT id FROM orders ORDER BY created_at DESC, id DESC LIMIT 1"
PULSE = f"""
    SELECT md5(coalesce(string_agg(concat_ws(' ', o.id, o.status, o.buyer_name, o.buyer_email, {REFUNDED},
                                             {IS_DISPUTED}), ' '), '')) AS pulse,
           extract(epoch FROM clock_timestamp())::float AS as_of
    FROM (SELECT * FROM orders WHERE $1::uuid IS NULL OR event_id = $1 ORDER BY created_at DESC, id DESC LIMIT {SHOWN})
    AS o
"""

# To choose from: what comes up, then what was. A house with more than these opens the event's own list: a thousand of
# them doubled the time of the page.
MOST_EVENTS = 200
EVENTS = f"""
    SELECT id, title, start_date, timezone, start_date > clock_timestamp() AS to_come FROM event
    ORDER BY start_date <= clock_timestamp(), abs(extract(epoch FROM start_date - clock_timestamp())), id
    LIMIT {MOST_EVENTS}
"""
EVENT = "SELECT id, title, slug, timezone FROM event WHERE id = $1"

# The zone that most of the house's events are in.
ZONE = "SELECT timezone FROM event GROUP BY timezone ORDER BY count(*) DESC, timezone LIMIT 1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; nothing set: all orders. `since` is included, `until` is not."""

    text: str = ""
    ticket: str = ""  # a ticket's number, exactly
    event_id: UUID | None = None
    status: str = ""
    money: str = ""
    provider: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def sifts(self) -> bool:
        """Whether anything is asked that the order of the list does not answer by itself."""
        return bool(self.text or self.ticket or self.status or self.money or self.provider)


@dataclass(frozen=True, slots=True)
class Page:
    """`count`: how many there are in all, or MANY + 1 for more than MANY."""

    rows: list[Any]
    count: int
    newer: bool = False
    older: bool = False

    @property
    def many(self) -> bool:
        return self.count > MANY


async def page(wanted: Wanted, *, older: UUID | None = None, newer: UUID | None = None) -> Page:
    """The orders next to one that is known, in the order of the list; without one, or near the top, the newest."""
    asked = _Question(wanted)
    if newer:
        count, ids = await asked.find(newer, backwards=True, most=SHOWN + 1)
        if len(ids) > SHOWN:
            return Page(await _rows(ids[-SHOWN:]), count, newer=True, older=True)
        older = None
    count, ids = await asked.find(older, backwards=False, most=SHOWN + 1)
    return Page(await _rows(ids[:SHOWN]), count, newer=bool(older), older=len(ids) > SHOWN)


async def chunks(wanted: Wanted) -> AsyncIterator[list[Any]]:
    """Every order, newest first, CHUNK at a time. No connection is kept between two chunks. What arrives meanwhile
    arrives at the top, where the reading has been."""
    asked, last = _Question(wanted), None
    while True:
        _, ids = await asked.find(last, backwards=False, most=CHUNK)
        if not ids:
            return
        yield await _rows(ids)
        last = ids[-1]


async def count(wanted: Wanted) -> int:
    """Exactly, however many."""
    asked = _Question(wanted)
    return await database.fetchval(f"SELECT count(*) FROM orders AS o WHERE {asked.all}", *asked.values)


async def arrived(wanted: Wanted, *, since: UUID | None) -> int:
    """How many have come since that order was the newest; MOST_NEW + 1 for more than that."""
    asked = _Question(wanted)
    after, values = await asked.beside(since, ">")
    sql = f"SELECT count(*) FROM (SELECT 1 FROM orders AS o WHERE {asked.all} AND {after} LIMIT {MOST_NEW + 1}) AS n"
    return await database.fetchval(sql, *values)


async def newest() -> UUID | None:
    return await database.fetchval(NEWEST)


async def pulse(event_id: UUID | None) -> Any:
    """`pulse` is another whenever a first page would show something else."""
    return await database.fetchrow(PULSE, event_id)


async def events() -> Sequence[Any]:
    return await database.fetch(EVENTS)


async def event(event_id: UUID) -> Any | None:
    return await database.fetchrow(EVENT, event_id)


async def zone() -> str:
    return await database.fetchval(ZONE) or "UTC"


async def lines(order_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What was bought, in words."""
    return {row["order_id"]: row["said"] for row in await database.fetch(LINES, order_ids)}


async def tickets(order_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    for row in await database.fetch(TICKETS, order_ids):
        found.setdefault(row["order_id"], []).append(row)
    return found


async def _rows(ids: Sequence[UUID]) -> list[Any]:
    return list(await database.fetch(ROWS, ids)) if ids else []


class _Question:
    """Wanted as SQL. `near`: what the order of the list answers by an index; `sift`: whether a row that is at hand is
    meant; `gather`: the same, said so that an index may find the rows. Names of states are written into the statement,
    so that it can use the indexes of the rare ones; whatever was typed is a parameter."""

    def __init__(self, wanted: Wanted) -> None:
        self.values: list[Any] = []
        self._sifts = wanted.sifts
        near = [
            f"o.event_id = {self._value(wanted.event_id)}" if wanted.event_id else "",
            f"o.created_at >= {self._value(wanted.since)}" if wanted.since else "",
            f"o.created_at < {self._value(wanted.until)}" if wanted.until else "",
        ]
        candidates, is_meant = MONEY.get(wanted.money, ("", ""))
        sift = [
            f"o.words @@ order_query({self._value(wanted.text)})" if wanted.text else "",
            f"o.id = (SELECT k.order_id FROM ticket AS k WHERE k.number = {self._value(wanted.ticket)})"
            if wanted.ticket
            else "",
            f"o.status = '{wanted.status}'" if wanted.status in STATUSES else "",
            f"o.payment_provider = '{wanted.provider}'" if wanted.provider in PROVIDERS else "",
            is_meant,
        ]
        self.near, self.sift = _and(near), _and(sift)
        self.all = _and([self.near, candidates, self.sift])

    async def find(self, place: UUID | None, *, backwards: bool, most: int) -> tuple[int, list[UUID]]:
        """How many there are in all, and the ids next to a place, in the order of the list."""
        beside, values = await self.beside(place, ">" if backwards else "<")
        count, ids = await self._gather(beside, values, backwards, most) if self._sifts else (await self._count(), None)
        if ids is None or count > MANY:
            ids = await self._walk(beside, values, backwards, most)
        return count, ids[::-1] if backwards else ids

    async def beside(self, place: UUID | None, sign: str) -> tuple[str, list[Any]]:
        """A condition for what comes after a place in the list, or before it. An unknown place is the beginning."""
        found = await database.fetchrow("SELECT created_at, id FROM orders WHERE id = $1", place) if place else None
        if found is None:
            return "true", self.values
        n = len(self.values)
        return f"(o.created_at, o.id) {sign} (${n + 1}, ${n + 2})", [*self.values, *found]

    async def _count(self) -> int:
        sql = f"SELECT count(*) FROM (SELECT 1 FROM orders AS o WHERE {self.near} LIMIT {MANY + 1}) AS n"
        return await database.fetchval(sql, *self.values)

    async def _gather(self, beside: str, values: list[Any], backwards: bool, most: int) -> tuple[int, list[UUID]]:
        sql = f"""
            WITH found AS MATERIALIZED (SELECT o.id, o.created_at FROM orders AS o WHERE {self.all} LIMIT {MANY + 1})
            SELECT (SELECT count(*) FROM found), ARRAY(
                SELECT o.id FROM found AS o WHERE {beside} ORDER BY {_order(backwards)} LIMIT {most})
        """
        found = await database.fetchrow(sql, *values)
        assert found is not None, "it counts"
        return found[0], found[1]

    async def _walk(self, beside: str, values: list[Any], backwards: bool, most: int) -> list[UUID]:
        """OFFSET 0 keeps the two apart: the inner is read by its index, in order; the outer looks at each row."""
        sql = f"""
            SELECT o.id FROM (
                SELECT * FROM orders AS o WHERE {self.near} AND {beside} ORDER BY {_order(backwards)} OFFSET 0
            ) AS o WHERE {self.sift} LIMIT {most}
        """
        return [row["id"] for row in await database.fetch(sql, *values)]

    def _value(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _and(conditions: Sequence[str]) -> str:
    return " AND ".join(condition for condition in conditions if condition) or "true"


def _order(backwards: bool) -> str:
    return "o.created_at, o.id" if backwards else "o.created_at DESC, o.id DESC"
