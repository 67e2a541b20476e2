"""What the desk reads about events: one of them, whatever its status, with what decides about its buttons; and how all
of them stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.inventory import EventStock, TypeStock
from domain.standing import Standing, standing_of_event
from models import database

EVENT = """
    SELECT e.*, clock.now, (SELECT count(*) FROM orders AS o WHERE o.event_id = e.id) AS orders
    FROM event AS e CROSS JOIN (SELECT clock_timestamp() AS now) AS clock WHERE e.id = $1
"""

# The little that choosing, counting and sorting needs of every event. `text` is what a search looks at.
OVERVIEW = """
    SELECT e.id, e.title, e.status, e.start_date, e.end_date, e.total_capacity, e.sold, clock.now,
           concat_ws(' ', e.title, e.location, e.city, e.category) AS text
    FROM event AS e CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
"""
AHEAD = "e.status = 'PUBLISHED' AND coalesce(e.end_date, e.start_date) > clock_timestamp()"
SOONEST_AHEAD = f"{OVERVIEW} WHERE {AHEAD} ORDER BY e.start_date, e.id"
OFFERED = f"""
    SELECT t.event_id, t.id, t.allocation, t.sold, t.sales_start, t.sales_end, t.min_per_order
    FROM ticket_type AS t JOIN event AS e ON e.id = t.event_id WHERE t.is_enabled AND {AHEAD}
"""

ROWS = """
    SELECT id, slug, title, location, city, start_date, end_date, timezone, status, cover, cover_seed
    FROM event WHERE id = ANY($1)
"""

NEWEST = "SELECT timezone, currency FROM event ORDER BY created_at DESC LIMIT 1"

LAST_CHANGE = """
    SELECT actor_id, actor_name, created_at FROM audit_entry
    WHERE subject_kind = 'event' AND subject_id = $1 AND after ? $2 ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Outline:
    """An event in a list of all. `stock` is as if every hold had lapsed: what is only held is on sale, too."""

    stock: EventStock
    title: str
    text: str
    now: datetime

    @property
    def id(self) -> UUID:
        return self.stock.id

    @property
    def standing(self) -> Standing:
        return standing_of_event(self.stock, now=self.now)


async def event(event_id: UUID) -> Any | None:
    return await database.fetchrow(EVENT, event_id)


async def overview() -> list[Outline]:
    """Every event, in no order."""
    return await _outlines(OVERVIEW)


async def on_sale() -> list[Outline]:
    """The events that are on sale by the shop's own rule, soonest first."""
    return [each for each in await _outlines(SOONEST_AHEAD) if each.standing == Standing.ON_SALE]


async def rows(event_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """What a list shows of these events."""
    found = await database.fetch(ROWS, list(event_ids)) if event_ids else []
    return {row["id"]: row for row in found}


async def newest() -> Any | None:
    """The event that was made last."""
    return await database.fetchrow(NEWEST)


async def last_change(event_id: UUID, field: str) -> Any | None:
    """Who changed a field of an event last, and when."""
    return await database.fetchrow(LAST_CHANGE, str(event_id), field)


async def _outlines(sql: str) -> list[Outline]:
    """Only of what is ahead somebody asks whether it is on sale: the others come without ticket types."""
    found = {row["id"]: _outline(row) for row in await database.fetch(sql)}
    for row in await database.fetch(OFFERED):
        if outline := found.get(row["event_id"]):
            outline.stock.types[row["id"]] = _offered(row)
    return list(found.values())


def _outline(row: Any) -> Outline:
    stock = EventStock(
        id=row["id"],
        status=row["status"],
        start_date=row["start_date"],
        end_date=row["end_date"],
        capacity=row["total_capacity"],
        sold=row["sold"],
    )
    return Outline(stock, row["title"], row["text"], row["now"])


def _offered(row: Any) -> TypeStock:
    """What it is called and costs decides nothing here."""
    return TypeStock(
        id=row["id"],
        name="",
        price=0,
        allocation=row["allocation"],
        sold=row["sold"],
        sales_start=row["sales_start"],
        sales_end=row["sales_end"],
        min_per_order=row["min_per_order"],
    )
