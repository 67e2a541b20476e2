"""After a hold has ended: whether the same choice can be held once more, and what is left if it cannot."""

from dataclasses import dataclass
from uuid import UUID

from domain import inventory
from models import stock
from models.checkout import Visit
from models.stock import Shelf
from services import links
from web import availability
from web.availability import Pill
from web.forms import QUANTITY_FIELD, new_request_key


@dataclass(frozen=True, slots=True)
class TypeLeft:
    name: str
    price: int
    pill: Pill


@dataclass(frozen=True, slots=True)
class Offer:
    """`fields` start the same choice again at today's prices; empty when it does not fit any more."""

    left: int
    cheapest: int
    types: tuple[TypeLeft, ...]
    lines: tuple[dict[str, object], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


async def offer(visit: Visit) -> Offer | None:
    """None when tickets for the event are not sold any more."""
    event_id = visit.event["id"]
    shelf = (await stock.look([event_id])).get(event_id)
    if shelf is None:
        return None
    wish = {line["ticket_type_id"]: line["quantity"] for line in visit.lines}
    fits = wish in inventory.suggestions(shelf.stock, wish, now=shelf.now)
    timezone = visit.event["timezone"]
    types = [t for t in availability.listed(shelf.stock) if availability.sale(shelf, t) == availability.Sale.OPEN]
    if not types:
        return None
    to_be_had = [t for t in types if availability.can_be_bought(shelf, t)]
    return Offer(
        left=availability.available_in_all(shelf.stock, types),
        cheapest=min((t.price for t in to_be_had), default=0),
        types=tuple(TypeLeft(t.name, t.price, availability.type_pill(shelf, t, timezone)) for t in types),
        lines=_lines(shelf, wish) if fits else (),
        fields=_fields(visit, wish) if fits else (),
    )


def _lines(shelf: Shelf, wish: dict[UUID, int]) -> tuple[dict[str, object], ...]:
    types = shelf.stock.types
    return tuple(
        {"quantity": n, "name": types[type_id].name, "amount": n * types[type_id].price} for type_id, n in wish.items()
    )


def _fields(visit: Visit, wish: dict[UUID, int]) -> tuple[tuple[str, str], ...]:
    """`from` lets the new checkout take over who is buying."""
    quantities = tuple((f"{QUANTITY_FIELD}{type_id}", str(n)) for type_id, n in wish.items())
    return (
        *quantities,
        ("request_key", new_request_key()),
        ("from", links.checkout_token(visit.checkout["id"])),
    )
