"""What the desk shows of an event's ticket types: row by row, why each is or is not on sale, and the meter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import allocations
from domain.inventory import EventStock, Level, TypeStock, available_to_customer, event_remaining
from domain.money import SMALLEST_CHARGE
from domain.standing import Standing, level_of_type, standing, would_return
from domain.ticket_types import too_small_alone
from models.stock import Shelf
from web import words
from web.availability import returns_at, too_few

USUAL_LIMITS = (1, 10)


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket type. `why`: in one line, whether it is on sale; `level` is its shape."""

    id: UUID
    name: str
    description: str
    price: str
    allocation: int | None
    sold: int
    held: int
    is_enabled: bool
    ever_held: bool
    level: str
    why: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a bar, in hundredths of its length."""

    x: float
    width: float
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Meter:
    """X against what is sold and held, and against what is allocated. `allocated` may be what somebody tried."""

    capacity: int
    sold: int
    held: int
    left: int
    allocated: int
    parts: tuple[Part, ...]

    @property
    def over(self) -> int:
        """How many more are allocated than there are."""
        return max(0, self.allocated - self.capacity)

    @property
    def free(self) -> int:
        return max(0, self.capacity - self.allocated)

    def width(self, count: int) -> float:
        """Of the bar of sold and held."""
        return round(100 * count / self.capacity, 2) if self.capacity else 0


def rows(types: Sequence[Any], shelf: Shelf, event: Mapping[str, Any]) -> list[Row]:
    """`types`: of models.ticket_desk. A type that came between the two looks waits for the next."""
    known = shelf.stock.types
    return [_row(row, known[row["id"]], shelf, event) for row in types if row["id"] in known]


def meter(shelf: Shelf, tried: Mapping[UUID, int | None] | None = None) -> Meter:
    """`tried`: allocations that were typed and refused."""
    stock = shelf.stock
    given = {t.id: t.allocation for t in stock.types.values()} | dict(tried or {})
    names = {t.id: t.name for t in stock.types.values()}
    total = allocations.allocated(given.values())
    return Meter(
        capacity=stock.capacity,
        sold=stock.sold,
        held=stock.held,
        left=max(0, event_remaining(stock)),
        allocated=total,
        parts=_parts([(names.get(i, "New"), n) for i, n in given.items() if n], whole=max(total, stock.capacity)),
    )


def why(shelf: Shelf, ticket_type: TypeStock, timezone: str) -> str:
    """In one line. The same rule as the shop's, in the desk's words."""
    stock = shelf.stock
    match standing(stock, ticket_type, now=shelf.now):
        case Standing.OFF:
            return "Switched off: buyers don’t see it"
        case Standing.DRAFT:
            return "Not on sale: the event is a draft"
        case Standing.OVER:
            return "Not on sale: the event is over"
        case Standing.ENDED:
            return f"Sales ended {in_words(ticket_type.sales_end, timezone)}"
        case Standing.NOT_YET:
            return f"On sale from {in_words(ticket_type.sales_start, timezone)}"
        case Standing.TYPE_FULL:
            return _type_full(ticket_type)
        case Standing.EVENT_FULL:
            return _event_full(stock)
        case Standing.TOO_FEW:
            return _too_few(stock, ticket_type)
        case Standing.HELD:
            return _held(shelf, ticket_type, timezone)
        case Standing.ON_SALE:
            return f"On sale: {available_to_customer(stock, ticket_type):,} left"


def _row(row: Mapping[str, Any], ticket_type: TypeStock, shelf: Shelf, event: Mapping[str, Any]) -> Row:
    return Row(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        price=words.price(row["price"], event["currency"]),
        allocation=ticket_type.allocation,
        sold=ticket_type.sold,
        held=ticket_type.held,
        is_enabled=ticket_type.is_enabled,
        ever_held=row["ever_held"],
        level=_level(shelf, ticket_type),
        why=why(shelf, ticket_type, event["timezone"]),
        notes=tuple(_notes(row, event)),
    )


def _level(shelf: Shelf, ticket_type: TypeStock) -> Level:
    if standing(shelf.stock, ticket_type, now=shelf.now) in (Standing.OFF, Standing.DRAFT):
        return Level.ENDED
    return level_of_type(shelf.stock, ticket_type, now=shelf.now)


def _notes(row: Mapping[str, Any], event: Mapping[str, Any]) -> list[str]:
    """What is not as usual about it."""
    notes, timezone = [], event["timezone"]
    start, end = row["sales_start"], row["sales_end"]
    if start and end:
        notes.append(f"Sold {words.when_in_words(start, timezone)} to {in_words(end, timezone)}")
    elif start or end:
        notes.append(f"Sold {'from' if start else 'until'} {in_words(start or end, timezone)}")
    fewest, most = row["min_per_order"], row["max_per_order"]
    if (fewest, most) != USUAL_LIMITS:
        notes.append(f"{fewest} to {most} per order" if fewest != most else f"{fewest} per order")
    if too_small_alone(row["price"], event["currency"], fewest):
        least = words.money(SMALLEST_CHARGE[event["currency"]], event["currency"])
        notes.append(f"Only together with more: cards take {least} at least")
    return notes


def _type_full(ticket_type: TypeStock) -> str:
    if not ticket_type.allocation:
        return "None to sell: its allocation is 0"
    return f"Sold out: all {ticket_type.allocation:,} that are allocated to it"


def _event_full(stock: EventStock) -> str:
    if not stock.capacity:
        return "None to sell: the total capacity is 0"
    return f"Sold out: the event’s {stock.capacity:,} are all sold"


def _too_few(stock: EventStock, ticket_type: TypeStock) -> str:
    if left := available_to_customer(stock, ticket_type):
        return too_few(ticket_type, left)
    held = would_return(stock, ticket_type)
    return f"The last {held:,} held at checkout, and it is sold from {ticket_type.min_per_order} on"


def _held(shelf: Shelf, ticket_type: TypeStock, timezone: str) -> str:
    back = returns_at(shelf, ticket_type)
    held = f"held until {words.clock(back, timezone)}" if back else "held right now"
    left = available_to_customer(shelf.stock, ticket_type)
    return f"{too_few(ticket_type, left)}; the rest is {held}" if left else f"All {held}"


def in_words(moment: Any, timezone: str) -> str:
    return f"{words.when_in_words(moment, timezone)} {words.zone_name(moment, timezone)}"


def _parts(given: list[tuple[str, int]], *, whole: int) -> tuple[Part, ...]:
    """Side by side, a hair apart."""
    parts, x = [], 0.0
    for name, count in given:
        width = 100 * count / whole
        parts.append(Part(round(x, 2), round(max(0.3, width - 0.4), 2), name, count))
        x += width
    return tuple(parts)
