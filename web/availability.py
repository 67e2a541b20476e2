"""What is left, in words: the one place that turns stock into what a buyer reads (list, event page, live pushes).

Times are the event's own. Numbers are advisory: the hold decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import standing
from domain.events import EventStatus, Sale
from domain.inventory import (
    EventStock,
    Level,
    TypeStock,
    available_to_customer,
    event_remaining,
    level,
    ticket_type_remaining,
)
from domain.standing import Standing
from models.stock import Shelf
from web import words

# Above this a number is no news.
COUNTED = 30


@dataclass(frozen=True, slots=True)
class Pill:
    """Availability as a shape and words."""

    level: Level
    words: str
    left: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Why something could not be held, said where it belongs. `takes`: suggestions as (form value, label)."""

    title: str
    text: str = ""
    takes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket type on the event page. `chosen` is what the buyer typed, kept as it was."""

    id: UUID
    name: str
    description: str
    price: int
    pill: Pill
    smallest: int
    largest: int
    chosen: str
    answer: Answer | None
    opens_at: datetime | None = None

    @property
    def quantity(self) -> int:
        """How many are chosen; a number that is none counts as none."""
        return int(self.chosen) if self.chosen.isascii() and self.chosen.isdecimal() else 0

    @property
    def is_open(self) -> bool:
        return self.pill.level in (Level.PLENTY, Level.FEW)

    @property
    def most(self) -> int:
        """What the stepper goes up to."""
        return min(self.largest, self.pill.left) if self.is_open else 0


@dataclass(frozen=True, slots=True)
class Availability:
    """All that `_availability.html` is given."""

    slug: str
    currency: str
    timezone: str
    standing: Standing
    pill: Pill
    rows: tuple[Row, ...]
    answer: Answer | None = None

    @property
    def too_few(self) -> bool:
        """Some are free, but no order may be made of them."""
        return any(row.pill.left and row.pill.level in (Level.HELD, Level.OUT) for row in self.rows)

    @property
    def total(self) -> int:
        return sum(row.price * row.quantity for row in self.rows)

    @property
    def count(self) -> int:
        return sum(row.quantity for row in self.rows)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a refused form gets back: what was typed, one answer for the whole, one per ticket type."""

    typed: Mapping[UUID, str] = field(default_factory=dict)
    whole: Answer | None = None
    by_type: Mapping[UUID, Answer] = field(default_factory=dict)


def availability(event: Mapping[str, Any], shelf: Shelf, answers: Answers | None = None) -> Availability:
    """`event` is a row of models.programme.published."""
    answers = answers or Answers()
    timezone = event["timezone"]
    rows = tuple(
        Row(
            id=t.id,
            name=t.name,
            description=event["about_types"].get(t.id, ""),
            price=t.price,
            pill=type_pill(shelf, t, timezone),
            smallest=t.min_per_order,
            largest=t.max_per_order,
            chosen=answers.typed.get(t.id, "0"),
            answer=answers.by_type.get(t.id),
            opens_at=t.sales_start if sale(shelf, t) == Sale.NOT_YET else None,
        )
        for t in listed(shelf.stock)
    )
    return Availability(
        slug=event["slug"],
        currency=shelf.currency,
        timezone=timezone,
        standing=standing_of(shelf),
        pill=event_pill(shelf, timezone, exactly=True),
        rows=rows,
        answer=answers.whole,
    )


def listed(stock: EventStock) -> list[TypeStock]:
    """A ticket type that is switched off is not shown at all."""
    return [t for t in stock.types.values() if t.is_enabled and stock.status == EventStatus.PUBLISHED]


def sale(shelf: Shelf, ticket_type: TypeStock) -> Sale:
    return standing.sale(shelf.stock, ticket_type, now=shelf.now)


def standing_of(shelf: Shelf) -> Standing:
    return standing.standing_of_event(shelf.stock, now=shelf.now)


def can_be_bought(shelf: Shelf, ticket_type: TypeStock) -> bool:
    return standing.standing(shelf.stock, ticket_type, now=shelf.now) == Standing.ON_SALE


def type_pill(shelf: Shelf, ticket_type: TypeStock, timezone: str) -> Pill:
    left = available_to_customer(shelf.stock, ticket_type)
    kind = standing.level_of_type(shelf.stock, ticket_type, now=shelf.now)
    back_at = returns_at(shelf, ticket_type)
    if left and kind in (Level.HELD, Level.OUT):
        said = too_few(ticket_type, left)
        return Pill(kind, f"{said}. {_may_return(back_at, timezone)}" if kind == Level.HELD else said, left)
    return Pill(kind, _words(kind, left, timezone, ticket_type.sales_start, back_at), left)


def too_few(ticket_type: TypeStock, left: int) -> str:
    """Some are free, and fewer than one order takes."""
    return f"{left:,} left, and it is sold from {ticket_type.min_per_order} on"


def event_pill(shelf: Shelf, timezone: str, *, exactly: bool = False) -> Pill:
    """What can be bought in all. `exactly`: “23 of 60 tickets left” for the event page."""
    match standing_of(shelf):
        case Standing.ON_SALE:
            return _pill_on_sale(shelf, timezone, exactly)
        case Standing.HELD:
            back = _words(Level.HELD, 0, timezone, None, _next_return(shelf))
            return Pill(Level.HELD, back if exactly else "All held right now")
        case Standing.NOT_YET:
            return Pill(Level.NOT_YET, _words(Level.NOT_YET, 0, timezone, opens_at(shelf), None))
        case Standing.TOO_FEW:
            return Pill(Level.OUT, "Too few left")
        case Standing.EVENT_FULL:
            return Pill(Level.OUT, "Sold out")
        case Standing.OVER:
            return Pill(Level.ENDED, "This event has ended" if exactly else "Ended")
        case Standing.ENDED:
            return Pill(Level.ENDED, "Sales ended")
    return Pill(Level.ENDED, "Not on sale")


def opens_at(shelf: Shelf) -> datetime | None:
    """When the first sale opens that has not yet."""
    waiting = _standing_as(shelf, Standing.NOT_YET)
    return min((t.sales_start for t in waiting if t.sales_start), default=None)


def available_in_all(stock: EventStock, types: Iterable[TypeStock]) -> int:
    """The shared capacity, or less when allocations cap every type: min(event_remaining, Σ available). What is too
    little for an order is not counted."""
    each = (standing.for_an_order(t, available_to_customer(stock, t)) for t in types)
    return max(0, min(event_remaining(stock), sum(each)))


def returns_at(shelf: Shelf, ticket_type: TypeStock) -> datetime | None:
    """When a held ticket of this type may come back at the earliest: both what caps it must have let go."""
    waits: list[datetime | None] = []
    of_type, smallest = ticket_type_remaining(ticket_type), ticket_type.min_per_order
    if of_type is not None and of_type < smallest:
        waits.append(shelf.next_return.get(ticket_type.id))
    if event_remaining(shelf.stock) < smallest:
        waits.append(min(shelf.next_return.values(), default=None))
    known = [moment for moment in waits if moment]
    return max(known) if known and len(known) == len(waits) else None


def changes_in(shelf: Shelf) -> float | None:
    """Seconds until the words change by themselves: a hold lapses, a sale opens or ends, the event is over."""
    stock = shelf.stock
    moments = [*shelf.next_return.values(), stock.end_date or stock.start_date]
    for t in listed(stock):
        moments += [moment for moment in (t.sales_start, t.sales_end) if moment]
    ahead = [(moment - shelf.now).total_seconds() for moment in moments if moment > shelf.now]
    return min(ahead, default=None)


def prices(stock: EventStock) -> list[int]:
    """What the tickets cost, lowest first."""
    return sorted({t.price for t in listed(stock)})


def _pill_on_sale(shelf: Shelf, timezone: str, exactly: bool) -> Pill:
    stock = shelf.stock
    left = available_in_all(stock, _standing_as(shelf, Standing.ON_SALE))
    kind = level(available=left, would_return=left, capacity=stock.capacity, sale=Sale.OPEN)
    exact = f"{left:,} of {words.plural(stock.capacity, 'ticket')} left"
    return Pill(kind, exact if exactly else _words(kind, left, timezone, None, None), left)


def _standing_as(shelf: Shelf, wanted: Standing) -> list[TypeStock]:
    stock = shelf.stock
    return [t for t in stock.types.values() if standing.standing(stock, t, now=shelf.now) == wanted]


def _next_return(shelf: Shelf) -> datetime | None:
    times = [returns_at(shelf, t) for t in _standing_as(shelf, Standing.HELD)]
    return min((moment for moment in times if moment), default=None)


def _may_return(back_at: datetime | None, timezone: str) -> str:
    if back_at is None:
        return "Some may come back."
    return f"The next may return at {words.clock(back_at, timezone)} {words.zone_name(back_at, timezone)}."


def _words(kind: Level, left: int, timezone: str, opens_at: datetime | None, back_at: datetime | None) -> str:
    match kind:
        case Level.ENDED:
            return "Sales ended"
        case Level.NOT_YET:
            return f"On sale from {words.when_in_words(opens_at, timezone)}" if opens_at else "Not on sale yet"
        case Level.OUT:
            return "Sold out"
        case Level.HELD:
            return f"All held right now. {_may_return(back_at, timezone)}"
        case _:
            return f"{left} left" if left <= COUNTED else "Available"
