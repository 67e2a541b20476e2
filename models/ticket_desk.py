"""What the desk reads about an event's ticket types, and about an event that is not published yet."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models import database

TYPES = """
    SELECT t.*, EXISTS (SELECT 1 FROM reservation AS r WHERE r.ticket_type_id = t.id) AS ever_held
    FROM ticket_type AS t WHERE t.event_id = $1 ORDER BY t.position, t.id
"""

LAST_CHANGE = """
    SELECT actor_name, created_at FROM audit_entry
    WHERE subject_kind = $1 AND subject_id = $2 AND ($3 = '' OR jsonb_exists(after, $3)) ORDER BY id DESC LIMIT 1
"""

ABOUT = "SELECT jsonb_object_agg(id, description) FROM ticket_type WHERE event_id = $1"

WAITING = """
    SELECT count(DISTINCT checkout_id)::int AS buyers, coalesce(sum(quantity), 0)::int AS tickets,
           (SELECT count(*) FROM ticket AS k JOIN orders AS o ON o.id = k.order_id
            WHERE o.event_id = $1 AND k.refund_id IS NULL)::int AS valid
    FROM reservation WHERE event_id = $1 AND status = 'ACTIVE' AND expires_at > clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed something last."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who holds tickets right now and may still pay; and how many have been bought that admit."""

    buyers: int
    tickets: int
    valid: int


async def types(event_id: UUID) -> Sequence[Any]:
    """In their order of display. `ever_held`: somebody has held one, so it can be switched off but not removed."""
    return await database.fetch(TYPES, event_id)


async def last_change(subject_kind: str, subject_id: UUID, field: str = "") -> Change | None:
    """The last change of one field, or of anything about it."""
    row = await database.fetchrow(LAST_CHANGE, subject_kind, str(subject_id), field)
    return Change(row["actor_name"], row["created_at"]) if row else None


async def about_types(event_id: UUID) -> dict[UUID, str]:
    """Ticket type → description, as models.programme has it for a published event."""
    about = json.loads(await database.fetchval(ABOUT, event_id) or "{}")
    return {UUID(type_id): text for type_id, text in about.items()}


async def waiting(event_id: UUID) -> Waiting:
    row = await database.fetchrow(WAITING, event_id)
    assert row is not None, "sums are one row, also of nothing"
    return Waiting(**row)
