"""Events at the desk: drafted, edited field by field, published, copied. Every change is written down with its author.

A field is saved in place: the caller says what it had read and what it shall be. When somebody else was quicker the
change is refused with what it says now, so two admins at once lose nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from domain import allocations, events, local_time, money
from domain.errors import (
    CurrencyInUse,
    EndBeforeStart,
    EventInUse,
    EventNotFound,
    NotPublishable,
    Overtaken,
    PricesTyped,
)
from domain.events import EventStatus
from domain.offer import OfferChanged, fingerprint
from models import database, stock
from models.audit import last_deed
from models.ids import new_id
from services import audit, covers, live
from services.audit import Actor
from services.transaction import transaction
from services.words import zone

# The start and the zone are set by verbs of their own: other times move with them.
FIELDS = frozenset("title category summary description location address city end_date currency".split())

WRITE = """
    INSERT INTO event (id, slug, title, start_date, end_date, timezone, currency, location, city, description)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING
"""

# Whoever looks for a free address keeps others from taking it until their own event is written.
LOCK_SLUGS = "SELECT pg_advisory_xact_lock(hashtext('event.slug'))"
TAKEN_SLUGS = "SELECT slug FROM event WHERE slug = $1 OR slug LIKE $1 || '-%'"

WINDOWS = """
    SELECT id, sales_start, sales_end FROM ticket_type
    WHERE event_id = $1 AND (sales_start IS NOT NULL OR sales_end IS NOT NULL) ORDER BY id FOR NO KEY UPDATE
"""
SET_WINDOW = "UPDATE ticket_type SET sales_start = $2, sales_end = $3 WHERE id = $1"

PRICED = "SELECT EXISTS (SELECT 1 FROM ticket_type WHERE event_id = $1 AND price > 0)"
EVER_HELD = "SELECT EXISTS (SELECT 1 FROM checkout WHERE event_id = $1)"
REMOVE = (
    "DELETE FROM event_cover WHERE event_id = $1",
    "DELETE FROM ticket_type WHERE event_id = $1",
    "DELETE FROM event WHERE id = $1",
)

COPY = """
    INSERT INTO event (id, slug, title, category, summary, description, location, address, city, start_date, end_date,
                       timezone, currency, total_capacity)
    SELECT $1, $2, $4, category, summary, description, location, address, city, start_date, end_date, timezone,
           currency, total_capacity
    FROM event WHERE id = $3 ON CONFLICT (id) DO NOTHING
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
    location: str = "",
    city: str = "",
    description: str = "",
    event_id: UUID | None = None,
    actor: Actor,
) -> UUID:
    """A new DRAFT with a capacity of 0 and room for ticket types (AC A1–A4). Returns it. Raises EndBeforeStart.

    With an id of the caller's, the same wish sent twice makes one event.
    """
    _check_dates(start_date, end_date)
    event_id = event_id or new_id()
    values = (title, start_date, end_date, timezone, currency, location, city, description)
    async with transaction():
        written = await database.execute(WRITE, event_id, await _free_slug(title), *values)
        if written == "INSERT 0 1":
            await audit.write(actor, "event drafted", "event", event_id, after={"title": title})
    return event_id


async def change(
    event_id: UUID, fields: Mapping[str, tuple[Any, Any]], *, timezone: str | None = None, actor: Actor
) -> None:
    """Set fields of an event: name → (as it was read, as it shall be). All of them or none.

    A time that was typed says in which `timezone`: on the clocks of another one it means nothing.

    Raises EventNotFound, Overtaken, EndBeforeStart, CurrencyInUse, PricesTyped.
    """
    assert fields.keys() <= FIELDS, "not every column is a field of the form"
    async with transaction():
        event = await _lock(event_id)
        _check_zone(event, timezone)
        changed = {name: to for name, (was, to) in fields.items() if _may_become(event, name, was, to)}
        _check_dates(event["start_date"], changed.get("end_date", event["end_date"]))
        await _write(event, changed, actor)
        # After the wall of what was held: nobody is sent to set prices to 0 for nothing.
        await _check_prices(event, changed.get("currency", event["currency"]))
    live.announce(event_id)


async def move(event_id: UUID, *, was: datetime, to: datetime, timezone: str, actor: Actor) -> None:
    """Set the start, as it was typed in `timezone`. An end moves along: what lasts three hours still does.

    Raises EventNotFound, Overtaken.
    """
    async with transaction():
        event = await _lock(event_id)
        _check_zone(event, timezone)
        if not _may_become(event, "start_date", was, to):
            return
        changed = {"start_date": to}
        if event["end_date"]:
            changed["end_date"] = local_time.moved_along(event["end_date"], was=was, to=to, zone=zone(timezone))
        await _write(event, changed, actor)
    live.announce(event_id)


async def set_timezone(event_id: UUID, *, was: str, to: str, actor: Actor) -> None:
    """Set the zone. What clocks show stays as it was typed: 19:30 there becomes 19:30 here, also of sales windows.

    Raises EventNotFound, Overtaken.
    """
    async with transaction():
        event = await _lock(event_id)
        if not _may_become(event, "timezone", was, to):
            return
        carried = partial(local_time.carried_span, old=zone(was), new=zone(to))
        start, end = carried(event["start_date"], event["end_date"])
        for row in await database.fetch(WINDOWS, event_id):
            await _set_window(row, *carried(row["sales_start"], row["sales_end"]), actor)
        await _write(event, {"timezone": to, "start_date": start, **({"end_date": end} if end else {})}, actor)
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


async def publish(event_id: UUID, *, read: str | None = None, actor: Actor) -> None:
    """DRAFT → PUBLISHED (§1.4). `read`: the fingerprint of the offer that somebody agreed to; None when nobody has read
    one. Raises EventNotFound, NotPublishable, OfferChanged.
    """
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
        if read not in (None, fingerprint(shelf.stock, shelf.currency)):
            raise OfferChanged
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


async def remove(event_id: UUID, *, after: int, actor: Actor) -> None:
    """A draft that came to nothing goes, with its ticket types and picture; the audit remembers it.

    `after`: the last deed on it that its reader knows of: nobody's work goes by the hand of who saw it empty.
    Raises EventNotFound, EventInUse, Overtaken.
    """
    async with transaction():
        event = await _lock(event_id)
        if (latest := await last_deed(event_id)) != after:
            raise Overtaken(latest)
        if event["status"] != EventStatus.DRAFT or await database.fetchval(EVER_HELD, event_id):
            raise EventInUse
        await audit.write(actor, "event removed", "event", event_id, {"title": event["title"]})
        for sql in REMOVE:
            await database.execute(sql, event_id)
    live.announce(event_id)


async def duplicate(event_id: UUID, *, copy_id: UUID | None = None, actor: Actor) -> UUID:
    """A draft “Copy of …” with the same texts, dates, picture, capacity and ticket types; nothing sold or held.

    With an id of the caller's, the same wish sent twice makes one copy. Raises EventNotFound.
    """
    copy_id = copy_id or new_id()
    async with transaction():
        event = await _lock(event_id)
        title = events.copy_title(event["title"])
        written = await database.execute(COPY, copy_id, await _free_slug(event["title"]), event_id, title)
        if written == "INSERT 0 0":
            return copy_id
        await database.execute(COPY_TYPES, copy_id, event_id)
        await covers.copy(event_id, copy_id)
        await audit.write(actor, "event duplicated", "event", copy_id, after={"title": title, "from": event_id})
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


def _check_zone(event: Any, typed_in: str | None) -> None:
    if typed_in is not None and typed_in != event["timezone"]:
        raise Overtaken(event["timezone"])


async def _check_prices(event: Any, currency: str) -> None:
    """Prices are whole minor units, which must go on meaning what was typed."""
    same = money.decimals(currency) == money.decimals(event["currency"])
    if not same and await database.fetchval(PRICED, event["id"]):
        raise PricesTyped


async def _write(event: Any, changed: Mapping[str, Any], actor: Actor) -> None:
    """Raises CurrencyInUse."""
    if not changed:
        return
    columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(changed, 2))
    try:
        await database.execute(f"UPDATE event SET {columns} WHERE id = $1", event["id"], *changed.values())
    except asyncpg.CheckViolationError as refusal:
        if "currency" in changed:
            raise CurrencyInUse from refusal
        raise
    before = {name: event[name] for name in changed}
    await audit.write(actor, "event changed", "event", event["id"], before, changed)


async def _set_window(row: Any, start: datetime | None, end: datetime | None, actor: Actor) -> None:
    """Written down at the ticket type: who is overtaken there is told who moved it."""
    changed = {name: to for name, to in (("sales_start", start), ("sales_end", end)) if row[name] != to}
    if not changed:
        return
    await database.execute(SET_WINDOW, row["id"], start, end)
    before = {name: row[name] for name in changed}
    await audit.write(actor, "ticket type changed", "ticket_type", row["id"], before, changed)


def _check_dates(start_date: datetime, end_date: datetime | None) -> None:
    if end_date is not None and end_date < start_date:
        raise EndBeforeStart


async def _set_status(event_id: UUID, status: EventStatus, action: str, actor: Actor) -> None:
    await database.execute("UPDATE event SET status = $2 WHERE id = $1", event_id, status)
    await audit.write(actor, action, "event", event_id)


async def _free_slug(title: str) -> str:
    """The title as an address, with a number when it is taken."""
    await database.execute(LOCK_SLUGS)
    wanted = events.slug(title)
    taken = {row["slug"] for row in await database.fetch(TAKEN_SLUGS, wanted)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(slug for slug in numbered if slug not in taken)
