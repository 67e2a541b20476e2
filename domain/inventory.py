"""The heart: how many tickets are left, and who gets them.

Rule (AC T6, AC 4). With X the event's total capacity:
    event_remaining       = X − sold − held
    ticket_type_remaining = allocation − sold − held      (of the type; unlimited without an allocation)
    available_to_customer = min(ticket_type_remaining, event_remaining)
Sold counts orders PAID and COMPLETED; held counts ACTIVE reservations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.errors import (
    EventEnded,
    EventNotFound,
    InsufficientInventory,
    NothingChosen,
    QuantityOutOfBounds,
    Refusal,
    Shortage,
    TicketTypeNotOnSale,
)
from domain.events import EventStatus, Sale, is_over, sale_of

Wish = Mapping[UUID, int]  # ticket type → quantity
# What one line of a purchase may hold at most, whoever sells it.
MOST_AT_THE_DESK = 100


class Terms(StrEnum):
    """By whose rules a wish is granted, and at which price. What is left is left for all of them alike."""

    SHOP = "shop"  # a buyer's own purchase
    DESK = "desk"  # sold by an admin, at the list price
    GUEST = "guest"  # given by an admin: it costs nothing


@dataclass(slots=True)
class TypeStock:
    """One ticket type as the till sees it."""

    id: UUID
    name: str
    price: int
    allocation: int | None = None
    held: int = 0
    sold: int = 0
    is_enabled: bool = True
    sales_start: datetime | None = None
    sales_end: datetime | None = None
    min_per_order: int = 1
    max_per_order: int = 10


@dataclass(slots=True)
class EventStock:
    """One event as the till sees it. `types` are in their order of display."""

    id: UUID
    capacity: int
    start_date: datetime
    end_date: datetime | None = None
    status: str = EventStatus.PUBLISHED
    held: int = 0
    sold: int = 0
    types: dict[UUID, TypeStock] = field(default_factory=dict)

    def take(self, wish: Wish) -> None:
        """Count the wish as held."""
        for type_id, quantity in wish.items():
            self.held += quantity
            self.types[type_id].held += quantity

    def give_back(self, quantities: Wish) -> None:
        """Count holds that ended as free again."""
        for type_id, quantity in quantities.items():
            self.held -= quantity
            self.types[type_id].held -= quantity


def event_remaining(event: EventStock) -> int:
    return event.capacity - event.sold - event.held


def ticket_type_remaining(ticket_type: TypeStock) -> int | None:
    """None without an allocation: such a type is bounded by the event alone."""
    if ticket_type.allocation is None:
        return None
    return ticket_type.allocation - ticket_type.sold - ticket_type.held


def available_to_customer(event: EventStock, ticket_type: TypeStock) -> int:
    """AC T6, never negative."""
    of_type = ticket_type_remaining(ticket_type)
    of_event = event_remaining(event)
    return max(0, of_event if of_type is None else min(of_type, of_event))


def grant(event: EventStock, wish: Wish, *, now: datetime, terms: Terms = Terms.SHOP) -> None:
    """Take the whole wish out of the stock, or raise the refusal and take nothing (AC 2, AC 3)."""
    if terms == Terms.SHOP:
        check_on_sale(event, wish, now=now)
    else:
        check_at_the_desk(event, wish)
    short = shortages(event, wish)
    if short:
        raise InsufficientInventory(short)
    event.take(wish)


def check_on_sale(event: EventStock, wish: Wish, *, now: datetime) -> None:
    """§1.4 and the limits per order: everything about a wish but the number of tickets left."""
    if event.status != EventStatus.PUBLISHED:
        raise EventNotFound
    if is_over(start_date=event.start_date, end_date=event.end_date, now=now):
        raise EventEnded
    if not any(wish.values()):
        raise NothingChosen
    for type_id, quantity in wish.items():
        _check_type(event.types.get(type_id), type_id, quantity, now)


def check_at_the_desk(event: EventStock, wish: Wish) -> None:
    """Who stands at the desk may sell before, after and outside of what buyers are offered: drafts, types that are off
    sale or not open yet, more than the most per order, and at the door while the event is on. Never what is not there.
    """
    if not any(wish.values()):
        raise NothingChosen
    for type_id, quantity in wish.items():
        ticket_type = event.types.get(type_id)
        if ticket_type is None:
            raise TicketTypeNotOnSale(type_id)
        if not 1 <= quantity <= MOST_AT_THE_DESK:
            raise QuantityOutOfBounds(type_id, ticket_type.name, quantity, 1, MOST_AT_THE_DESK)


def unit_price(ticket_type: TypeStock, terms: Terms) -> int:
    """What is copied onto the hold, in minor units."""
    return 0 if terms == Terms.GUEST else ticket_type.price


def shortages(event: EventStock, wish: Wish) -> tuple[Shortage, ...]:
    """Every type of the wish that does not fit; the shared capacity is given out in order of display."""
    seats = event_remaining(event)
    short = []
    for ticket_type in _in_order_of_display(event, wish):
        requested = wish[ticket_type.id]
        of_type = ticket_type_remaining(ticket_type)
        available = max(0, seats if of_type is None else min(of_type, seats))
        if requested > available:
            short.append(Shortage(ticket_type.id, ticket_type.name, requested, available))
        seats -= min(requested, available)
    return tuple(short)


def suggestions(event: EventStock, wish: Wish, *, now: datetime) -> list[dict[UUID, int]]:
    """Wishes near to the refused one that would be granted right now, best first, three at most.

    First the same types capped at what is left, then that plus the rest in another type, then everything in one type.
    """
    capped = _capped(event, wish)
    rest = sum(wish.values()) - sum(capped.values())
    wanted = [capped]
    for other in event.types.values():
        if other.id not in wish:
            wanted.append({**capped, other.id: rest})
    wanted += [{other.id: sum(wish.values())} for other in event.types.values()]
    good: list[dict[UUID, int]] = []
    for candidate in wanted:
        if candidate not in good and _would_be_granted(event, candidate, now):
            good.append(candidate)
    return good[:3]


def _check_type(ticket_type: TypeStock | None, type_id: UUID, quantity: int, now: datetime) -> None:
    if ticket_type is None:
        raise TicketTypeNotOnSale(type_id)
    sale = sale_of(
        is_enabled=ticket_type.is_enabled,
        sales_start=ticket_type.sales_start,
        sales_end=ticket_type.sales_end,
        over=False,
        now=now,
    )
    if sale != Sale.OPEN:
        opens_at = ticket_type.sales_start if sale == Sale.NOT_YET else None
        raise TicketTypeNotOnSale(type_id, ticket_type.name, opens_at)
    if not ticket_type.min_per_order <= quantity <= ticket_type.max_per_order:
        raise QuantityOutOfBounds(
            type_id, ticket_type.name, quantity, ticket_type.min_per_order, ticket_type.max_per_order
        )


def _in_order_of_display(event: EventStock, wish: Wish) -> list[TypeStock]:
    return [t for t in event.types.values() if t.id in wish]


def _capped(event: EventStock, wish: Wish) -> dict[UUID, int]:
    left = {s.ticket_type_id: s.available for s in shortages(event, wish)}
    capped = {type_id: left.get(type_id, quantity) for type_id, quantity in wish.items()}
    return {type_id: quantity for type_id, quantity in capped.items() if quantity}


def _would_be_granted(event: EventStock, wish: Wish, now: datetime) -> bool:
    try:
        check_on_sale(event, wish, now=now)
    except Refusal:
        return False
    return not shortages(event, wish)


class Level(StrEnum):
    """What a buyer is told about a number of tickets."""

    PLENTY = "plenty"
    FEW = "few"
    HELD = "held"  # all taken, but some only held: they may come back
    OUT = "out"
    NOT_YET = "soon"
    ENDED = "ended"


def level(*, available: int, would_return: int, capacity: int, sale: Sale) -> Level:
    """`would_return` = what would be available if every hold lapsed."""
    if sale == Sale.ENDED:
        return Level.ENDED
    if available > 0:
        few = available <= max(6, capacity // 10)
        return Level.NOT_YET if sale == Sale.NOT_YET else Level.FEW if few else Level.PLENTY
    if would_return > 0:
        return Level.NOT_YET if sale == Sale.NOT_YET else Level.HELD
    return Level.OUT
