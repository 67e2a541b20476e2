"""EventCover: the pictures of an event that somebody uploaded, as we encoded them. `event.cover` is their name."""

from typing import Any, Literal
from uuid import UUID as UUIDType

from piccolo.columns import Bytea, ForeignKey, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models import database
from models.event import Event

Size = Literal["large", "small", "shared"]

# What was taken off sale stays on the tickets that were sold; a draft's picture is nobody's business yet.
PUBLIC = """
    SELECT e.cover, c.{size} AS picture FROM event AS e JOIN event_cover AS c ON c.event_id = e.id
    WHERE e.slug = $1 AND e.cover IS NOT NULL AND (e.status = 'PUBLISHED' OR e.sold > 0)
"""
ANY = "SELECT {size} FROM event_cover WHERE event_id = $1"


class EventCover(Table, tablename="event_cover"):
    event_id = ForeignKey(Event, primary_key=True, default=None, on_delete=OnDelete.restrict, null=False)
    large = Bytea(default=None)
    small = Bytea(default=None)
    shared = Bytea(default=None)
    created_at = Timestamptz()


async def public(slug: str, size: Size) -> Any | None:
    """The picture (`cover`: its name now) that everybody may see."""
    return await database.fetchrow(PUBLIC.format(size=size), slug)


async def of(event_id: UUIDType, size: Size) -> bytes | None:
    """The picture of a draft too: for the desk."""
    return await database.fetchval(ANY.format(size=size), event_id)
