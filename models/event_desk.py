"""What the desk reads about events: one of them, whatever its status, with what decides about its buttons."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.reservations import HOLD
from models import database

EVENT = """
    SELECT e.*, clock.now, (SELECT count(*) FROM orders AS o WHERE o.event_id = e.id) AS orders
    FROM event AS e CROSS JOIN (SELECT clock_timestamp() AS now) AS clock WHERE e.id = $1
"""


# The little that choosing, counting and sorting needs of every event. `text` is what a search looks at.
OVERVIEW = """
    SELECT e.id, e.status, e.start_date, e.end_date, e.sold, e.total_capacity, clock.now,
           concat_ws(' ', e.title, e.location, e.city, e.category) AS text
    FROM event AS e CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
"""

# An overdue hold counts as free, as it does for buyers. `changes_at`: when the row says something else by itself.
ROWS = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
    holds AS (
        SELECT event_id, coalesce(sum(quantity) FILTER (WHERE expires_at <= now), 0)::int AS overdue,
               min(expires_at) FILTER (WHERE expires_at > now AND expires_at <= now + $2::interval) AS next_return
        FROM reservation, clock WHERE event_id = ANY($1) AND status = 'ACTIVE' GROUP BY event_id
    )
    SELECT e.id, e.slug, e.title, e.location, e.city, e.start_date, e.end_date, e.timezone, e.status, e.cover,
           e.cover_seed, e.total_capacity, e.sold, e.held - coalesce(holds.overdue, 0) AS held, clock.now,
           least(holds.next_return, CASE WHEN coalesce(e.end_date, e.start_date) > now
                                         THEN coalesce(e.end_date, e.start_date) END) AS changes_at
    FROM event AS e CROSS JOIN clock LEFT JOIN holds ON holds.event_id = e.id WHERE e.id = ANY($1)
"""

NEWEST = "SELECT timezone, currency FROM event ORDER BY created_at DESC LIMIT 1"

LAST_CHANGE = """
    SELECT actor_id, actor_name, created_at FROM audit_entry
    WHERE subject_kind = 'event' AND subject_id = $1 AND after ? $2 ORDER BY id DESC LIMIT 1
"""


async def event(event_id: UUID) -> Any | None:
    return await database.fetchrow(EVENT, event_id)


async def overview() -> Sequence[Any]:
    """Every event, in no order."""
    return await database.fetch(OVERVIEW)


async def rows(event_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """What a list shows of these events, and what of them is sold and held."""
    found = await database.fetch(ROWS, list(event_ids), HOLD) if event_ids else []
    return {row["id"]: row for row in found}


async def newest() -> Any | None:
    """The event that was made last."""
    return await database.fetchrow(NEWEST)


async def last_change(event_id: UUID, field: str) -> Any | None:
    """Who changed a field of an event last, and when."""
    return await database.fetchrow(LAST_CHANGE, str(event_id), field)
