"""The form of a sale at the desk: as it was typed, what is wrong with it, and what it would come to."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from litestar.datastructures import FormMultiDict

from domain import inventory
from domain.desk_sales import DeskSale, Method
from domain.errors import InsufficientInventory, NothingChosen, QuantityOutOfBounds, Refusal, TicketTypeNotOnSale
from domain.events import Sale, sale_of
from models.stock import Shelf
from web import words
from web.admin.typed import whole_number
from web.buyer_form import LONG_NAME, MAX_NAME, NO_EMAIL, NO_NAME, ODD_NAME, BuyerForm, read_buyer
from web.forms import WishForm, new_request_key, read_wish

LONGEST_NOTE = 500
GIFT, PAID = "gift", "paid"
METHODS = {
    Method.CASH: "Cash",
    Method.TRANSFER: "Bank transfer",
    Method.TERMINAL: "Card at a terminal",
    Method.OTHER: "Another way",
}
PROBLEMS = {
    NO_NAME: "Enter the guest’s name, as it should appear on the tickets.",
    ODD_NAME: "Use letters and spaces only. Something in this name can’t be printed.",
    LONG_NAME: f"Shorten the name to {MAX_NAME} characters, so that it fits on the tickets.",
    NO_EMAIL: "Enter the email that the tickets should go to.",
}


@dataclass(slots=True)
class SaleForm:
    """`errors`: field → message, in the order of the form. `tickets` names the quantities as a whole."""

    wish: WishForm
    total: int | None = None  # by the prices that the page showed
    kind: str = ""
    method: str = Method.CASH
    buyer: BuyerForm = field(default_factory=BuyerForm)
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """One sale of one page is one request, pressed however often; another sale of the same page is another."""
        chosen = ",".join(f"{t}:{n}" for t, n in sorted(self.wish.wish.items()))
        paid = self.method if self.kind == PAID else ""
        who = f"{self.buyer.name}|{self.buyer.email}"
        said = f"{self.wish.request_key}|{self.total}|{self.kind}|{paid}|{chosen}|{who}|{self.note}"
        return hashlib.blake2s(said.encode(errors="replace"), digest_size=16).hexdigest()

    @property
    def sale(self) -> DeskSale:
        return DeskSale(
            self.wish.wish,
            buyer_name=self.buyer.name,
            buyer_email=self.buyer.email,
            method=Method(self.method) if self.kind == PAID else None,
            note=self.note,
            total=self.total,
        )


def blank() -> SaleForm:
    return SaleForm(WishForm(new_request_key()))


def read(form: FormMultiDict) -> SaleForm:
    read = SaleForm(
        wish := read_wish(form),
        total=_total(form, wish),
        kind=_text(form, "kind"),
        method=_text(form, "method"),
        buyer=read_buyer(form),
        note=_text(form, "note"),
    )
    read.errors |= {f"qty-{type_id}": text for type_id, text in read.wish.problems.items()}
    if not read.wish.wish and not read.errors:
        read.errors["tickets"] = "Choose at least one ticket."
    if read.kind not in (GIFT, PAID):
        read.errors["kind"] = "Choose whether it is a gift or was paid elsewhere."
    if read.method not in set(Method):
        if read.kind == PAID:
            read.errors["method"] = "Choose how it was paid."
        read.method = Method.CASH
    read.errors |= {name: PROBLEMS.get(text, text) for name, text in read.buyer.errors.items()}
    if len(read.note) > LONGEST_NOTE:
        read.errors["note"] = f"Shorten the note to {LONGEST_NOTE} characters; it has {len(read.note)}."
    elif not read.note.isprintable():
        read.errors["note"] = "Something in this note can’t be kept. Type it again."
    return read


def explain(refusal: Refusal, read: SaleForm, shelf: Shelf) -> None:
    """A refusal in words, at the field that can repair it. Raises what no field can."""
    match refusal:
        case InsufficientInventory(shortages=shortages):
            for short in shortages:
                read.errors[f"qty-{short.ticket_type_id}"] = _too_few(short, shelf)
        case NothingChosen():
            read.errors["tickets"] = "Choose at least one ticket."
        case QuantityOutOfBounds(ticket_type_id=type_id, maximum=most):
            read.errors[f"qty-{type_id}"] = f"Up to {most} at once. Make a second order for the rest."
        case TicketTypeNotOnSale():
            read.errors["tickets"] = "One of the ticket types is gone. Choose from the list below."
        case _:
            raise refusal


def rows(read: SaleForm, shelf: Shelf) -> list[dict[str, Any]]:
    """Every ticket type of the event, whether or not buyers are offered it."""
    return [
        {
            "id": str(each.id),
            "name": each.name,
            "price": each.price,
            "typed": read.wish.typed.get(each.id, "0"),
            "left": inventory.available_to_customer(shelf.stock, each),
            "offered": _offered(each, shelf),
            "error": read.errors.get(f"qty-{each.id}"),
        }
        for each in shelf.stock.types.values()
    ]


def summary(read: SaleForm, shelf: Shelf) -> list[str]:
    """What it comes to, as far as it is known."""
    types = shelf.stock.types
    chosen = {type_id: n for type_id, n in read.wish.wish.items() if type_id in types and n <= 100}
    if not chosen or read.kind not in (GIFT, PAID):
        return []
    total = sum(types[type_id].price * n for type_id, n in chosen.items())
    tickets = ", ".join(f"{n} × {types[type_id].name}" for type_id, n in chosen.items())
    if read.kind == GIFT:
        return [f"{tickets}: a gift", "It costs the guest nothing, and counts as sold."]
    amount = words.money(total, shelf.currency)
    return [f"{tickets}: {amount}", "You have taken this money yourself: no card is charged, and Stripe hears nothing."]


def _total(form: FormMultiDict, wish: WishForm) -> int | None:
    """None for a page that does not say its prices."""
    prices = {type_id: whole_number(_text(form, f"price-{type_id}")) for type_id in wish.wish}
    if None in prices.values():
        return None
    return sum((prices[type_id] or 0) * n for type_id, n in wish.wish.items())


def _too_few(short: Any, shelf: Shelf) -> str:
    said = f"Only {short.available} {short.name} left." if short.available else f"No {short.name} left."
    ticket_type = shelf.stock.types.get(short.ticket_type_id)
    held = ticket_type.held if ticket_type else 0
    return f"{said} {held} more may come back: buyers hold them right now." if held else said


def _offered(ticket_type: Any, shelf: Shelf) -> str:
    """Why buyers are not offered it; empty when they are."""
    sale = sale_of(
        is_enabled=ticket_type.is_enabled,
        sales_start=ticket_type.sales_start,
        sales_end=ticket_type.sales_end,
        over=False,
        now=shelf.now,
    )
    return {Sale.OFF: "off sale", Sale.NOT_YET: "not on sale yet", Sale.ENDED: "no longer on sale"}.get(sale, "")


def _text(form: FormMultiDict, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""
