"""Ticket types at the desk: added, edited in rows, moved, put on and off sale, under the event's lock (AC T2–T5).

Buyers who hold keep what they hold, at the price that they hold it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from domain import allocations
from domain import ticket_types as rules
from domain.errors import EventNotFound, LastTypeOnSale, OtherTerms, Overtaken, TicketTypeInUse
from domain.events import EventStatus
from models import database, stock
from models.ids import new_id
from models.stock import Shelf
from services import audit, live
from services.audit import Actor
from services.transaction import transaction

FIELDS = frozenset(
    "name description price allocation is_enabled sales_start sales_end min_per_order max_per_order".split()
)
DEFAULTS = {"sales_start": None, "sales_end": None, "min_per_order": 1, "max_per_order": 10}

WRITE = """
    INSERT INTO ticket_type (id, event_id, position, {columns})
    SELECT $2, $1, coalesce(max(position) + 1, 0), {values} FROM ticket_type WHERE event_id = $1
"""

NUMBER = """
    UPDATE ticket_type AS t SET position = n.position - 1
    FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, position) WHERE t.id = n.id AND t.event_id = $1
"""


async def add(
    event_id: UUID,
    *,
    name: str,
    price: int,
    type_id: UUID | None = None,
    currency: str | None = None,
    timezone: str | None = None,
    actor: Actor,
    **others: Any,
) -> UUID:
    """A new type, last in the list and on sale. Price in minor units; `others` are the rest of FIELDS. Returns it.

    `type_id` is made of what was typed: the same form sent twice adds one type. `currency`, `timezone`: see `change`.
    Raises EventNotFound, OtherTerms, AllocationsExceedCapacity, SalesEndBeforeStart, MinimumAboveMaximum.
    """
    type_id = type_id or new_id()
    fields = {"name": name, "price": price, **others}
    assert fields.keys() <= FIELDS, "not every column is a field of the form"
    async with transaction():
        shelf = await _lock(event_id)
        if type_id in shelf.stock.types:
            return type_id
        await _check_terms(shelf, currency, timezone)
        _check_row(DEFAULTS | fields)
        _check_sum(shelf, {type_id: fields.get("allocation")})
        await _write(event_id, type_id, fields)
        await audit.write(
            actor, "ticket type added", "ticket_type", type_id, after={**_priced(fields, shelf), "event": event_id}
        )
    live.announce(event_id)
    return type_id


async def change(
    event_id: UUID,
    type_id: UUID,
    fields: Mapping[str, tuple[Any, Any]],
    *,
    currency: str | None = None,
    timezone: str | None = None,
    actor: Actor,
) -> None:
    """Set fields of a type: name → (as it was read, as it shall be). All of them or none.

    What was typed says in which `currency` and `timezone`: in another one it means something else.

    Raises EventNotFound, OtherTerms, Overtaken (`theirs`: field → what it says now), CapacityTooSmall,
    AllocationsExceedCapacity, LastTypeOnSale, SalesEndBeforeStart, MinimumAboveMaximum.
    """
    assert fields.keys() <= FIELDS, "not every column is a field of the form"
    async with transaction():
        shelf = await _lock(event_id)
        row = await _row(event_id, type_id)
        await _check_terms(shelf, currency, timezone)
        changed = _changed(row, fields)
        if not changed:
            return
        if changed.get("is_enabled") is False:
            _keep_one_on_sale(shelf, type_id)
        if "allocation" in changed:
            await _check_allocation(shelf, type_id, changed["allocation"])
        _check_row({**row, **changed})
        columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(changed, 2))
        await database.execute(f"UPDATE ticket_type SET {columns} WHERE id = $1", type_id, *changed.values())
        before = {name: row[name] for name in changed}
        await audit.write(actor, "ticket type changed", "ticket_type", type_id, before, _priced(changed, shelf))
    live.announce(event_id)


async def move(event_id: UUID, type_id: UUID, *, by: int, actor: Actor) -> None:
    """Show a type that many places further down, or up when negative; at the end of the list it stays there.

    Two admins who move at once both move: each from where the type stands by then. Raises EventNotFound.
    """
    async with transaction():
        shelf = await _lock(event_id)
        before = list(shelf.stock.types)
        if type_id not in before:
            raise EventNotFound
        after = [each for each in before if each != type_id]
        after.insert(max(0, before.index(type_id) + by), type_id)
        if after == before:
            return
        await database.execute(NUMBER, event_id, after)
        await audit.write(actor, "ticket types moved", "event", event_id, {"order": before}, {"order": after})
    live.announce(event_id)


async def remove(event_id: UUID, type_id: UUID, *, actor: Actor) -> None:
    """Take away a type of which nothing was ever held. Raises EventNotFound, TicketTypeInUse, LastTypeOnSale."""
    async with transaction():
        shelf = await _lock(event_id)
        row = await _row(event_id, type_id)
        if await database.fetchval("SELECT EXISTS (SELECT 1 FROM reservation WHERE ticket_type_id = $1)", type_id):
            raise TicketTypeInUse
        _keep_one_on_sale(shelf, type_id)
        await database.execute("DELETE FROM ticket_type WHERE id = $1", type_id)
        before = _priced({"name": row["name"], "price": row["price"], "event": event_id}, shelf)
        await audit.write(actor, "ticket type removed", "ticket_type", type_id, before)
    live.announce(event_id)


async def _lock(event_id: UUID) -> Shelf:
    shelf = await stock.lock(event_id)
    if shelf is None:
        raise EventNotFound
    return shelf


async def _row(event_id: UUID, type_id: UUID) -> Any:
    row = await database.fetchrow("SELECT * FROM ticket_type WHERE id = $1 AND event_id = $2", type_id, event_id)
    if row is None:
        raise EventNotFound
    return row


async def _write(event_id: UUID, type_id: UUID, fields: Mapping[str, Any]) -> None:
    values = ", ".join(f"${number}" for number, _ in enumerate(fields, 3))
    try:
        await database.execute(
            WRITE.format(columns=", ".join(fields), values=values), event_id, type_id, *fields.values()
        )
    except asyncpg.UniqueViolationError as taken:  # the id of another event's type: nobody's form made that
        raise EventNotFound from taken


async def _check_terms(shelf: Shelf, currency: str | None, timezone: str | None) -> None:
    if currency not in (None, shelf.currency):
        raise OtherTerms
    if timezone and timezone != await database.fetchval("SELECT timezone FROM event WHERE id = $1", shelf.stock.id):
        raise OtherTerms


def _changed(row: Any, fields: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """What there is to do. Two who mean the same do not quarrel, nor do two fields."""
    overtaken = {name: row[name] for name, (was, to) in fields.items() if row[name] not in (was, to)}
    if overtaken:
        raise Overtaken(overtaken)
    return {name: to for name, (_, to) in fields.items() if row[name] != to}


def _priced(facts: Mapping[str, Any], shelf: Shelf) -> dict[str, Any]:
    """A price is written down with its currency: the event's may be another one when it is read."""
    return {**facts, "currency_of": shelf.currency} if "price" in facts else dict(facts)


def _check_row(row: Mapping[str, Any]) -> None:
    rules.check(
        sales_start=row["sales_start"],
        sales_end=row["sales_end"],
        min_per_order=row["min_per_order"],
        max_per_order=row["max_per_order"],
    )


def _keep_one_on_sale(shelf: Shelf, without: UUID) -> None:
    others = any(t.is_enabled for type_id, t in shelf.stock.types.items() if type_id != without)
    if shelf.stock.status == EventStatus.PUBLISHED and not others:
        raise LastTypeOnSale


async def _check_allocation(shelf: Shelf, type_id: UUID, allocation: int | None) -> None:
    """A hold past its time promises nothing: whoever lowers the allocation needs its seat like any buyer would."""
    shelf.stock.give_back(await stock.release_overdue(shelf.stock.id, shelf.now))
    mine = shelf.stock.types[type_id]
    allocations.check_allocation(allocation, promised=mine.held + mine.sold)
    _check_sum(shelf, {type_id: allocation})


def _check_sum(shelf: Shelf, new: dict[UUID, int | None]) -> None:
    defined = {type_id: t.allocation for type_id, t in shelf.stock.types.items()} | new
    allocations.check(
        capacity=shelf.stock.capacity,
        promised=shelf.stock.held + shelf.stock.sold,
        allocations=defined.values(),
    )
