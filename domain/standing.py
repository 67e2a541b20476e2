"""Why a ticket type is, or is not, on sale: what its buyers are told, and the reason behind it for the desk.

Both come out of the same look at the same numbers, so the desk never explains another shop than the one that sells.
"""

from datetime import datetime
from enum import StrEnum

from domain.events import EventStatus, Sale, is_over, sale_of
from domain.inventory import EventStock, Level, TypeStock, available_to_customer, level


class Standing(StrEnum):
    """One reason, the first that a buyer would run into."""

    OFF = "off"  # switched off
    DRAFT = "draft"
    OVER = "over"  # the event itself
    ENDED = "ended"  # its sales window
    NOT_YET = "not yet"
    TYPE_FULL = "type full"  # sold as many as it was allocated
    EVENT_FULL = "event full"
    HELD = "held"  # nothing left, but some is only held
    ON_SALE = "on sale"


def standing(event: EventStock, ticket_type: TypeStock, *, now: datetime) -> Standing:
    """ON_SALE exactly when at least one ticket of it could be held now, leaving aside the minimum per order."""
    if not ticket_type.is_enabled:
        return Standing.OFF
    if event.status != EventStatus.PUBLISHED:
        return Standing.DRAFT
    match level_of_type(event, ticket_type, now=now):
        case Level.PLENTY | Level.FEW:
            return Standing.ON_SALE
        case Level.NOT_YET:
            return Standing.NOT_YET
        case Level.HELD:
            return Standing.HELD
        case Level.ENDED:
            over = is_over(start_date=event.start_date, end_date=event.end_date, now=now)
            return Standing.OVER if over else Standing.ENDED
    return Standing.TYPE_FULL if _is_full(ticket_type) else Standing.EVENT_FULL


def level_of_type(event: EventStock, ticket_type: TypeStock, *, now: datetime) -> Level:
    """What a buyer is told about one ticket type that is shown."""
    return level(
        available=available_to_customer(event, ticket_type),
        would_return=would_return(event, ticket_type),
        capacity=event.capacity if ticket_type.allocation is None else ticket_type.allocation,
        sale=sale(event, ticket_type, now=now),
    )


def sale(event: EventStock, ticket_type: TypeStock, *, now: datetime) -> Sale:
    """Its sales window now."""
    return sale_of(
        is_enabled=ticket_type.is_enabled,
        sales_start=ticket_type.sales_start,
        sales_end=ticket_type.sales_end,
        over=is_over(start_date=event.start_date, end_date=event.end_date, now=now),
        now=now,
    )


def would_return(event: EventStock, ticket_type: TypeStock) -> int:
    """What would be available if every hold lapsed."""
    of_event = event.capacity - event.sold
    if ticket_type.allocation is None:
        return of_event
    return min(of_event, ticket_type.allocation - ticket_type.sold)


def _is_full(ticket_type: TypeStock) -> bool:
    return ticket_type.allocation is not None and ticket_type.allocation <= ticket_type.sold
