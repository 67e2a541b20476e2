"""Events at the desk: drafted, edited field by field, published, copied. Every change is written down with its author.

A field is saved in place: the caller says what it had read and what it shall be. When somebody else was quicker the
change is refused with what it says now, so two admins at once lose nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from domain import allocations, events
from domain.errors import CurrencyInUse, EndBeforeStart, EventNotFound, NotPublishable, Overtaken
from domain.events import EventStatus
from models import database, stock
from models.ids import new_id
from services import audit, live
from services.audit import Actor
from services.transaction import transaction

FIELDS = frozenset(
    "title category summary description location address city start_date end_date timezone currency".split()
)

WRITE = """
    INSERT INTO event (id, slug, title, start_date, end_date, timezone, currency) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

TAKEN_SLUGS = "SELECT slug FROM event WHERE slug = $1 OR slug LIKE $1 || '-%'"

COPY = """
    INSERT INTO event (id, slug, title, category, summary, description, location, address, city, start_date, end_date,
                       timezone, currency, total_capacity)
    SELECT $1, $2, title, category, summary, description, location, address, city, start_date, end_date, timezone,
           currency, total_capacity
    FROM event WHERE id = $3
"""

COPY_TYPES = """
    INSERT INTO ticket_type (id, event_id, name, description, price, allocation, is_enabled, position, sales_start,
                             sales_end, min_per_order, max_per_order)
    SELECT gen_random_uuid(), $1, name, description, price, allocation, is_enabled, position, sales_start, sales_end,
           min_per_order, max_per_order
    FROM ticket_type WHERE event_id = $2
"""


async def draft(
    *,
    title: str,
    start_date: datetime,
    end_date: datetime | None,
    timezone: str,
    currency: str,
    actor: Actor,
) -> UUID:
    """A new DRAFT with a capacity of 0 and room for ticket types (AC A1–A4). Returns it. Raises EndBeforeStart."""
    _check_dates(start_date, end_date)
    event_id = new_id()
    async with transaction():
        slug = await _free_slug(title)
        await database.execute(WRITE, event_id, slug, title, start_date, end_date, timezone, currency)
        await audit.write(actor, "event drafted", "event", event_id, after={"title": title})
    return event_id


async def change(event_id: UUID, fields: Mapping[str, tuple[Any, Any]], *, actor: Actor) -> None:
    """Set fields of an event: name → (as it was read, as it shall be). All of them or none.

    Raises EventNotFound, Overtaken, EndBeforeStart, CurrencyInUse.
    """
    assert fields.keys() <= FIELDS, "not every column is a field of the form"
    async with transaction():
        event = await _lock(event_id)
        changed = {name: to for name, (was, to) in fields.items() if _may_become(event, name, was, to)}
        if not changed:
            return
        _check_dates(changed.get("start_date", event["start_date"]), changed.get("end_date", event["end_date"]))
        columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(changed, 2))
        try:
            await database.execute(f"UPDATE event SET {columns} WHERE id = $1", event_id, *changed.values())
        except asyncpg.CheckViolationError as refusal:
            if "currency" in changed:
                raise CurrencyInUse from refusal
            raise
        before = {name: event[name] for name in changed}
        await audit.write(actor, "event changed", "event", event_id, before, changed)
    live.announce(event_id)


async def set_capacity(event_id: UUID, *, was: int, to: int, actor: Actor) -> None:
    """Set X (AC T1). Raises EventNotFound, Overtaken, CapacityTooSmall, AllocationsExceedCapacity."""
    async with transaction():
        shelf = await stock.lock(event_id)
        if shelf is None:
            raise EventNotFound
        if shelf.stock.capacity == to:
            return
        if shelf.stock.capacity != was:
            raise Overtaken(shelf.stock.capacity)
        # A hold past its time promises nothing: whoever lowers X needs its seat like any buyer would.
        shelf.stock.give_back(await stock.release_overdue(event_id, shelf.now))
        allocations.check(
            capacity=to,
            promised=shelf.stock.held + shelf.stock.sold,
            allocations=[t.allocation for t in shelf.stock.types.values()],
        )
        await database.execute("UPDATE event SET total_capacity = $2 WHERE id = $1", event_id, to)
        await audit.write(actor, "capacity changed", "event", event_id, {"total_capacity": was}, {"total_capacity": to})
    live.announce(event_id)


async def publish(event_id: UUID, *, actor: Actor) -> None:
    """DRAFT → PUBLISHED (§1.4). Raises EventNotFound, NotPublishable."""
    async with transaction():
        shelf = await stock.lock(event_id)
        if shelf is None:
            raise EventNotFound
        if shelf.stock.status == EventStatus.PUBLISHED:
            return
        reasons = events.reasons_against_publishing(
            total_capacity=shelf.stock.capacity,
            enabled_types=sum(t.is_enabled for t in shelf.stock.types.values()),
        )
        if reasons:
            raise NotPublishable(reasons)
        await _set_status(event_id, EventStatus.PUBLISHED, "event published", actor)
    live.announce(event_id)


async def unpublish(event_id: UUID, *, actor: Actor) -> None:
    """PUBLISHED → DRAFT: nothing new is held; whoever holds may still pay. Raises EventNotFound."""
    async with transaction():
        event = await _lock(event_id)
        if event["status"] == EventStatus.DRAFT:
            return
        await _set_status(event_id, EventStatus.DRAFT, "event unpublished", actor)
    live.announce(event_id)


async def duplicate(event_id: UUID, *, actor: Actor) -> UUID:
    """A draft with the same texts, capacity and ticket types; nothing sold, nothing held. Raises EventNotFound."""
    copy_id = new_id()
    async with transaction():
        event = await _lock(event_id)
        await database.execute(COPY, copy_id, await _free_slug(event["title"]), event_id)
        await database.execute(COPY_TYPES, copy_id, event_id)
        await audit.write(actor, "event duplicated", "event", copy_id, after={"from": event_id})
    return copy_id


async def _lock(event_id: UUID) -> Any:
    event = await database.fetchrow("SELECT * FROM event WHERE id = $1 FOR NO KEY UPDATE", event_id)
    if event is None:
        raise EventNotFound
    return event


def _may_become(event: Any, name: str, was: Any, to: Any) -> bool:
    """Whether there is anything to do. Raises Overtaken when it is no longer what the caller had read."""
    if event[name] == to:
        return False
    if event[name] != was:
        raise Overtaken(event[name])
    return True


def _check_dates(start_date: datetime, end_date: datetime | None) -> None:
    if end_date is not None and end_date < start_date:
        raise EndBeforeStart


async def _set_status(event_id: UUID, status: EventStatus, action: str, actor: Actor) -> None:
    await database.execute("UPDATE event SET status = $2 WHERE id = $1", event_id, status)
    await audit.write(actor, action, "event", event_id)


async def _free_slug(title: str) -> str:
    """The title as an address, with a number when it is taken. Two drafts at once: the unique column refuses one."""
    wanted = events.slug(title)
    taken = {row["slug"] for row in await database.fetch(TAKEN_SLUGS, wanted)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(slug for slug in numbered if slug not in taken)
