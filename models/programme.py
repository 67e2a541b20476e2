"""The named reads behind the list of events and the event page. Drafts and past events never come out of here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models import database

UPCOMING = """
    SELECT id, start_date, timezone, concat_ws(' ', title, summary, category, location, city) AS text FROM event
    WHERE status = 'PUBLISHED' AND coalesce(end_date, start_date) > clock_timestamp()
      AND ($1 = '' OR city = $1)
    ORDER BY start_date, id
"""

CARDS = """
    SELECT id, slug, title, category, summary, location, city, start_date, end_date, timezone, currency,
           status, sold, cover, cover_seed
    FROM event WHERE id = ANY($1) ORDER BY start_date, id
"""

CITIES = """
    SELECT DISTINCT city FROM event
    WHERE status = 'PUBLISHED' AND coalesce(end_date, start_date) > clock_timestamp() AND city <> '' ORDER BY city
"""

PUBLISHED = """
    SELECT e.*, about.types AS about_types
    FROM event AS e,
         LATERAL (SELECT jsonb_object_agg(id, description) AS types FROM ticket_type WHERE event_id = e.id) AS about
    WHERE slug = $1 AND status = 'PUBLISHED'
"""

LIVE_HOLD = """
    SELECT r.event_id, sum(r.quantity)::int AS quantity, min(r.expires_at) AS expires_at,
           extract(epoch FROM min(r.expires_at) - clock_timestamp())::int AS seconds_left
    FROM reservation AS r
    WHERE r.checkout_id = $1 AND r.status = 'ACTIVE' AND r.expires_at > clock_timestamp() GROUP BY r.event_id
"""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The little that choosing and paging needs of an event. `text` is what a search looks at."""

    id: UUID
    start_date: datetime
    timezone: str
    text: str


@dataclass(frozen=True, slots=True)
class LiveHold:
    """What one checkout still holds."""

    event_id: UUID
    quantity: int
    expires_at: datetime
    seconds_left: int


async def upcoming(*, city: str = "") -> list[Upcoming]:
    """Published events that are not over, soonest first."""
    return [Upcoming(**row) for row in await database.fetch(UPCOMING, city)]


async def cards(event_ids: Sequence[UUID]) -> Sequence[Any]:
    return await database.fetch(CARDS, list(event_ids)) if event_ids else []


async def cities() -> list[str]:
    """Where something is on."""
    return [row["city"] for row in await database.fetch(CITIES)]


async def published(slug: str) -> dict[str, Any] | None:
    """One published event, past ones too. `about_types`: ticket type → description."""
    row = await database.fetchrow(PUBLISHED, slug)
    if row is None:
        return None
    about = json.loads(row["about_types"] or "{}")
    return {**row, "about_types": {UUID(type_id): text for type_id, text in about.items()}}


async def live_hold(checkout_id: UUID) -> LiveHold | None:
    """What the checkout holds right now, if anything."""
    row = await database.fetchrow(LIVE_HOLD, checkout_id)
    return LiveHold(**row) if row else None
