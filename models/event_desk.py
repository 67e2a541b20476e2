"""What the desk reads about events: one of them, whatever its status, with what decides about its buttons."""

from typing import Any
from uuid import UUID

from models import database

EVENT = """
    SELECT e.*, clock.now, (SELECT count(*) FROM orders AS o WHERE o.event_id = e.id) AS orders
    FROM event AS e CROSS JOIN (SELECT clock_timestamp() AS now) AS clock WHERE e.id = $1
"""


async def event(event_id: UUID) -> Any | None:
    return await database.fetchrow(EVENT, event_id)
