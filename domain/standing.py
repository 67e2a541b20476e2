"""Why a ticket type, or an event, is or is not on sale: what buyers are told, and the reason behind it for the desk.

Both come out of the same look at the same numbers, so the desk never explains another shop than the one that sells.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from domain.events import EventStatus, Sale, is_over, sale_of
from domain.inventory import EventStock, Level, TypeStock, available_to_customer, level


class Standing(StrEnum):
    """One reason, the first that a buyer would run into."""

    OFF = "off"  # switched off; of an event: nothing is switched on, or there was never anything to sell
    DRAFT = "draft"
    OVER = "over"  # the event itself
    ENDED = "ended"  # its sales window
    NOT_YET = "not yet"
    TYPE_FULL = "type full"  # sold as many as it was allocated
    EVENT_FULL = "event full"
    TOO_FEW = "too few"  # some are left, but fewer than one order takes at least
    HELD = "held"  # too few are free, but what is held would make enough
    ON_SALE = "on sale"


# An event stands as the best of its types: what can be bought, may come back, will open, was sold, has ended.
BEST_FIRST = (Standing.ON_SALE, Standing.HELD, Standing.NOT_YET, Standing.TOO_FEW, Standing.EVENT_FULL, Standing.ENDED)


def standing(event: EventStock, ticket_type: TypeStock, *, now: datetime) -> Standing:
    """ON_SALE exactly when the smallest order of it could be held now."""
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
    if would_return(event, ticket_type) > 0:
        return Standing.TOO_FEW
    return Standing.TYPE_FULL if _is_full(ticket_type) else Standing.EVENT_FULL


def standing_of_event(event: EventStock, *, now: datetime) -> Standing:
    """ON_SALE exactly when something of it could be held now. EVENT_FULL only when something was sold."""
    if event.status != EventStatus.PUBLISHED:
        return Standing.DRAFT
    if is_over(start_date=event.start_date, end_date=event.end_date, now=now):
        return Standing.OVER
    found = set()
    for ticket_type in event.types.values():
        found.add(standing(event, ticket_type, now=now))
        if Standing.ON_SALE in found:  # nothing is better, and most of a thousand events are known by their first type
            return Standing.ON_SALE
    if Standing.TYPE_FULL in found:
        found.add(Standing.EVENT_FULL)
    if not event.sold:
        found.discard(Standing.EVENT_FULL)
    return next((each for each in BEST_FIRST if each in found), Standing.OFF)


def as_published(event: EventStock) -> EventStock:
    """A draft as its buyers would find it."""
    return replace(event, status=EventStatus.PUBLISHED)


def level_of_type(event: EventStock, ticket_type: TypeStock, *, now: datetime) -> Level:
    """What a buyer is told about one ticket type that is shown. What no order may be made of counts as gone."""
    return level(
        available=for_an_order(ticket_type, available_to_customer(event, ticket_type)),
        would_return=for_an_order(ticket_type, would_return(event, ticket_type)),
        capacity=event.capacity if ticket_type.allocation is None else ticket_type.allocation,
        sale=sale(event, ticket_type, now=now),
    )


def for_an_order(ticket_type: TypeStock, count: int) -> int:
    """What can be bought of so many: none while they are fewer than the fewest per order."""
    return count if count >= ticket_type.min_per_order else 0


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
