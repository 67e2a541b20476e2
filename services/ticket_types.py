"""Ticket types at the desk: added, edited in rows, moved, put on and off sale, under the event's lock (AC T2–T5).

Buyers who hold keep what they hold, at the price that they hold it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from domain import allocations
from domain.errors import EventNotFound, LastTypeOnSale, Overtaken, TicketTypeInUse
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

WRITE = """
    INSERT INTO ticket_type (id, event_id, name, description, price, allocation, position)
    SELECT $1, $2, $3, $4, $5, $6, coalesce(max(position) + 1, 0) FROM ticket_type WHERE event_id = $2
"""

MOVE = """
    UPDATE ticket_type AS t SET position = n.position - 1
    FROM unnest($2::uuid[]) WITH ORDINALITY AS n (id, position) WHERE t.id = n.id AND t.event_id = $1
"""


async def add(event_id: UUID, *, name: str, description: str, price: int, allocation: int | None, actor: Actor) -> UUID:
    """A new type, last in the list and on sale. Price in minor units. Returns the type.

    Raises EventNotFound, AllocationsExceedCapacity.
    """
    type_id = new_id()
    async with transaction():
        shelf = await _lock(event_id)
        _check_sum(shelf, {type_id: allocation})
        await database.execute(WRITE, type_id, event_id, name, description, price, allocation)
        after = {"name": name, "price": price, "allocation": allocation, "event": event_id}
        await audit.write(actor, "ticket type added", "ticket_type", type_id, after=after)
    live.announce(event_id)
    return type_id


async def change(event_id: UUID, type_id: UUID, fields: Mapping[str, tuple[Any, Any]], *, actor: Actor) -> None:
    """Set fields of a type: name → (as it was read, as it shall be). All of them or none.

    Raises EventNotFound, Overtaken, CapacityTooSmall, AllocationsExceedCapacity, LastTypeOnSale.
    """
    assert fields.keys() <= FIELDS, "not every column is a field of the form"
    async with transaction():
        shelf = await _lock(event_id)
        row = await _row(event_id, type_id)
        changed = {}
        for name, (was, to) in fields.items():
            if row[name] == to:
                continue
            if row[name] != was:
                raise Overtaken(row[name])
            changed[name] = to
        if not changed:
            return
        if changed.get("is_enabled") is False:
            _keep_one_on_sale(shelf, type_id)
        if "allocation" in changed:
            await _check_allocation(shelf, type_id, changed["allocation"])
        columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(changed, 2))
        await database.execute(f"UPDATE ticket_type SET {columns} WHERE id = $1", type_id, *changed.values())
        before = {name: row[name] for name in changed}
        await audit.write(actor, "ticket type changed", "ticket_type", type_id, before, changed)
    live.announce(event_id)


async def move(event_id: UUID, order: Sequence[UUID], *, actor: Actor) -> None:
    """Show the types in this order. Raises EventNotFound; Overtaken when a type has come or gone meanwhile."""
    async with transaction():
        shelf = await _lock(event_id)
        now = list(shelf.stock.types)
        if set(now) != set(order) or len(now) != len(order):
            raise Overtaken(now)
        if now == list(order):
            return
        await database.execute(MOVE, event_id, list(order))
        await audit.write(actor, "ticket types moved", "event", event_id, {"order": now}, {"order": list(order)})
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
        before = {"name": row["name"], "price": row["price"], "event": event_id}
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
