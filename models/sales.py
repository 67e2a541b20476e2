"""What Today and an event's live desk look at: sums of sales, what is on hold, and what happened last.

Each question reads from the newest end of an index, or counts what is open now: none gets slower with what was sold
long ago, but for `Takings`, which says itself how seldom it counts everything.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.sales import Quarter
from models import database, event_desk

# Today and the thirteen days before it, wherever midnight is.
LATELY = timedelta(days=15)
# Holds that end within this time are about to run out.
SOON = timedelta(minutes=5)
# A sale counts from when its transaction is done, which is a little after the moment that its row bears.
UNSETTLED = timedelta(seconds=10)
SHOWN = 12  # lines of what happened last
NAMED = 8  # holds about to run out, and events on sale

BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

# In quarters of an hour. What is older than anybody looks at by the hour or day lies in one.
SOLD = """
    SELECT date_bin('15 minutes', greatest(created_at, $3), timestamptz '2000-01-01 00:00Z') AS at, currency,
           count(*)::int AS orders, sum(total_quantity)::int AS tickets, sum(total_amount)::bigint AS amount
    FROM orders WHERE created_at >= $1 AND created_at < $2 {of_event} GROUP BY 1, 2
"""
RETURNED = """
    SELECT r.currency, count(*)::int AS count, sum(r.amount)::bigint AS amount
    FROM refund AS r JOIN orders AS o ON o.id = r.order_id
    WHERE r.status <> 'FAILED' AND r.amount > 0 AND r.created_at >= $1 AND r.created_at < $2 AND o.event_id = $3
    GROUP BY 1
"""

ON_HOLD = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT clock.now, count(DISTINCT r.checkout_id)::int AS people, coalesce(sum(r.quantity), 0)::int AS tickets,
           count(DISTINCT r.checkout_id) FILTER (WHERE r.expires_at <= now + $1::interval)::int AS leaving,
           coalesce(sum(r.quantity) FILTER (WHERE r.expires_at <= now + $1::interval), 0)::int AS leaving_tickets,
           min(r.expires_at) AS next_end,
           min(r.expires_at) FILTER (WHERE r.expires_at > now + $1::interval) AS next_leaving
    FROM clock LEFT JOIN reservation AS r ON r.status = 'ACTIVE' AND r.expires_at > clock.now {of_event}
    GROUP BY clock.now
"""

LEAVING = f"""
    SELECT c.id, c.buyer_name, min(r.expires_at) AS expires_at, sum(r.quantity)::int AS quantity
    FROM reservation AS r JOIN checkout AS c ON c.id = r.checkout_id
    WHERE r.event_id = $1 AND r.status = 'ACTIVE' AND r.expires_at > $2 AND r.expires_at <= $2 + $3::interval
    GROUP BY c.id ORDER BY min(r.expires_at), c.id LIMIT {NAMED}
"""

# One line for each visit, at the moment of the latest that came of it. Of the visits that began last, those to which
# something happened last: a hold that lapses in a crowd so dense that hundreds came after it is not told.
CAME_LAST = """
    (SELECT id FROM checkout {of_event} ORDER BY {newest} DESC LIMIT 150)
    UNION (SELECT checkout_id FROM orders {of_event} ORDER BY created_at DESC LIMIT {shown})
"""
VISITS = f"""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
    latest AS (
        SELECT c.*, clock.now, o.id AS order_id, o.total_amount, o.currency,
               coalesce(o.buyer_name, c.buyer_name) AS name,
               coalesce(o.created_at, c.given_back_at,
                        CASE WHEN c.expires_at <= clock.now THEN c.expires_at ELSE c.created_at END) AS at
        FROM ({{came_last}}) AS came JOIN checkout AS c USING (id) CROSS JOIN clock
        LEFT JOIN orders AS o ON o.checkout_id = c.id ORDER BY at DESC, c.id DESC LIMIT {SHOWN}
    )
    SELECT latest.*, e.title, e.timezone, lines.quantity, lines.holding, p.status AS payment_status
    FROM latest JOIN event AS e ON e.id = latest.event_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.quantity), 0)::int AS quantity, bool_and(r.status = 'ACTIVE') AS holding
        FROM reservation AS r WHERE r.checkout_id = latest.id
          AND NOT EXISTS (SELECT 1 FROM reservation AS n WHERE n.replaces = r.id)
    ) AS lines
    LEFT JOIN LATERAL (
        SELECT status FROM payment WHERE checkout_id = latest.id
        ORDER BY status IN ('VOIDED', 'REFUNDED'), created_at DESC LIMIT 1
    ) AS p ON true
    ORDER BY at DESC, latest.id DESC
"""
REFUNDS = f"""
    SELECT r.id, r.order_id, r.amount, r.currency, r.status, r.created_at AS at, o.buyer_name AS name, e.title,
           (SELECT count(*)::int FROM ticket AS k WHERE k.refund_id = r.id) AS tickets
    FROM refund AS r JOIN orders AS o ON o.id = r.order_id JOIN event AS e ON e.id = o.event_id
    WHERE $1::uuid IS NULL OR o.event_id = $1 ORDER BY r.created_at DESC LIMIT {SHOWN}
"""

HOUSE = """
    SELECT clock.now, count(e.id)::int AS events,
           count(*) FILTER (WHERE e.status = 'DRAFT' AND coalesce(e.end_date, e.start_date) > now)::int AS drafts,
           coalesce(mode() WITHIN GROUP (ORDER BY e.timezone), 'UTC') AS timezone,
           coalesce(mode() WITHIN GROUP (ORDER BY e.currency), 'EUR') AS currency
    FROM (SELECT clock_timestamp() AS now) AS clock LEFT JOIN event AS e ON true GROUP BY clock.now
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was sold, in quarters of an hour, and what went back: currency → (refunds, minor units)."""

    sold: list[Quarter] = field(default_factory=list)
    returned: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __add__(self, other: "Taken") -> "Taken":
        returned = dict(self.returned)
        for currency, (count, amount) in other.returned.items():
            known = returned.get(currency, (0, 0))
            returned[currency] = known[0] + count, known[1] + amount
        return Taken(self.sold + other.sold, returned)


@dataclass(slots=True)
class Takings:
    """What was sold of one event ever, or, without one, of all events lately (and nothing of what went back).

    Counting everything takes as long as there are orders: done at the first look and whenever asked to count `anew`,
    which also finds what was written late and refunds that failed. In between only what is new is counted.
    """

    event_id: UUID | None = None
    _settled: Taken = field(default_factory=Taken)
    _until: datetime | None = None

    async def look(self, *, anew: bool) -> Taken:
        now: datetime = await database.fetchval("SELECT clock_timestamp()")
        if anew or self._until is None:
            self._settled = await self._count(BEGINNING, now - UNSETTLED, now)
            self._until = now - UNSETTLED
        return self._settled + await self._count(self._until, END, now)

    async def _count(self, since: datetime, until: datetime, now: datetime) -> Taken:
        oldest = now - LATELY
        if self.event_id is None:
            sold = await database.fetch(SOLD.format(of_event=""), max(since, oldest), until, oldest)
            return Taken([Quarter(**row) for row in sold])
        sold = await database.fetch(SOLD.format(of_event="AND event_id = $4"), since, until, oldest, self.event_id)
        back = await database.fetch(RETURNED, since, until, self.event_id)
        return Taken([Quarter(**row) for row in sold], {r["currency"]: (r["count"], r["amount"]) for r in back})


async def on_hold(event_id: UUID | None = None) -> Any:
    """Tickets on hold and people at checkout, those of them that run out soon, and when that changes by itself."""
    own = () if event_id is None else (event_id,)
    return await database.fetchrow(ON_HOLD.format(of_event="AND r.event_id = $2" if own else ""), SOON, *own)


async def leaving(event_id: UUID, now: datetime) -> list[Any]:
    """The first of the holds that run out soon."""
    return list(await database.fetch(LEAVING, event_id, now, SOON))


async def visits(event_id: UUID | None = None) -> list[Any]:
    """What buyers did last, of one event or of all: newest first."""
    if event_id is None:
        came_last = CAME_LAST.format(of_event="", newest="id", shown=SHOWN)
        return list(await database.fetch(VISITS.format(came_last=came_last)))
    came_last = CAME_LAST.format(of_event="WHERE event_id = $1", newest="created_at", shown=SHOWN)
    return list(await database.fetch(VISITS.format(came_last=came_last), event_id))


async def refunds(event_id: UUID | None = None) -> list[Any]:
    """Money that was sent back last, newest first."""
    return list(await database.fetch(REFUNDS, event_id))


async def house() -> Any:
    """now, how many events there are, how many drafts wait, and the zone and currency of most of them."""
    return await database.fetchrow(HOUSE)


async def on_sale() -> list[Any]:
    """The soonest events that are on sale; `total` counts the others too."""
    found = await event_desk.on_sale()
    return [{"id": each.id, "title": each.title, "total": len(found)} for each in found[:NAMED]]
