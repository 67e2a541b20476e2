"""The refund form as a typed wish, and what it would do, in words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar.datastructures import FormMultiDict, MultiDict

from domain import money
from domain.errors import NothingToRefund, RefundTooLarge, Refusal, TicketsNotRefundable
from domain.payments import Provider
from domain.refunds import (
    DESK_REASONS,
    Everything,
    Money,
    PaidTicket,
    RefundPlan,
    RefundReason,
    RefundWish,
    TheseTickets,
    plan,
)
from domain.ticket_types import payable
from models.desk import Refundable
from web import words
from web.forms import REQUEST_KEY, new_request_key

LONGEST_NOTE = 500
ALL, TICKETS, AMOUNT = "all", "tickets", "amount"

REASONS = {
    RefundReason.REQUESTED: "The buyer asked for it",
    RefundReason.EVENT_CHANGED: "The event changed or is off",
    RefundReason.DUPLICATE: "Bought twice by mistake",
    RefundReason.FRAUDULENT: "Somebody else’s card",
    RefundReason.GOODWILL: "Goodwill",
    RefundReason.NO_SEATS: "No seats were left",
    RefundReason.OUTSIDE: "Made in Stripe",
    RefundReason.DISPUTED: "The bank gave it back",
}
assert set(DESK_REASONS) < set(REASONS)


@dataclass(slots=True)
class RefundForm:
    """As it was typed, and what is wrong with it: field → message, in the order of the form."""

    request_key: str
    what: str = ""
    tickets: frozenset[UUID] = frozenset()
    amount: str = ""
    reason: str = RefundReason.REQUESTED
    note: str = ""
    seats_return: bool = False
    wish: RefundWish | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """One wish of one page is one request, pressed however often; another wish of the same page is another."""
        chosen = ",".join(sorted(map(str, self.tickets))) if self.what == TICKETS else ""
        typed = self.amount if self.what == AMOUNT else ""
        said = f"{self.request_key}|{self.what}|{chosen}|{typed}"
        return hashlib.blake2s(said.encode(errors="replace"), digest_size=16).hexdigest()


def blank(found: Refundable) -> RefundForm:
    return RefundForm(new_request_key(), what=TICKETS if len(valid(found)) > 1 else ALL)


def read(form: FormMultiDict | MultiDict, found: Refundable) -> RefundForm:
    """What goes back, as chosen on the form: it stands in the address of the question."""
    key = _text(form, "request_key")
    what = _text(form, "what")
    read = RefundForm(
        request_key=key if REQUEST_KEY.fullmatch(key) else new_request_key(),
        what=what if what in (ALL, TICKETS, AMOUNT) else "",
        tickets=frozenset(id for value in form.getall("ticket", []) if (id := _uuid(value))),
        amount=_text(form, "amount"),
        seats_return=bool(form.get("seats_return")),
    )
    read.wish = _wish(read, found)
    return read


def read_why(form: FormMultiDict, read: RefundForm) -> None:
    """Reason and note, which are typed beside the question and stand in no address."""
    read.reason, read.note = _text(form, "reason"), _text(form, "note")
    if read.reason not in DESK_REASONS:
        read.errors["reason"] = "Choose why it goes back."
    if len(read.note) > LONGEST_NOTE:
        read.errors["note"] = f"Shorten the note to {LONGEST_NOTE} characters; it has {len(read.note)}."


def as_query(form: RefundForm) -> str:
    """The way back to the form as it was filled in."""
    chosen = [("ticket", str(id)) for id in sorted(form.tickets)] + [("seats_return", "1")] * form.seats_return
    return urlencode([("request_key", form.request_key), ("what", form.what), ("amount", form.amount), *chosen])


def decide(read: RefundForm, found: Refundable) -> RefundPlan | None:
    """What it would do now, by the rule that decides; a refusal becomes words at its field."""
    if read.wish is None:
        return None
    try:
        return plan(read.wish, taken=found.order["captured"], gone_back=found.order["gone_back"], valid=valid(found))
    except Refusal as refusal:
        explain(refusal, read, found)
        return None


def explain(refusal: Refusal, read: RefundForm, found: Refundable) -> None:
    """A refusal in words, at the field that can repair it."""
    currency = found.order["currency"]
    match refusal:
        case RefundTooLarge(most=most) if read.what == AMOUNT and most:
            read.errors["amount"] = f"That is more than is left. {words.money(most, currency)} at most can go back."
        case RefundTooLarge(most=most) if most:
            read.errors["what"] = (
                f"These tickets cost more than is left: {words.money(most, currency)} at most can go back. "
                "Choose an amount instead."
            )
        case RefundTooLarge() | NothingToRefund():
            read.errors["what"] = "Nothing is left that could go back."
        case TicketsNotRefundable():
            read.errors["what"] = "One of these tickets has been refunded meanwhile. Choose again."
        case _:
            raise refusal


def valid(found: Refundable) -> list[PaidTicket]:
    return [PaidTicket(t["id"], t["unit_price"]) for t in found.tickets if t["refund_id"] is None]


def is_by_hand(found: Refundable) -> bool:
    """Nobody but the desk can give it back: it was paid there."""
    return found.order["payment_provider"] == Provider.MANUAL


def fingerprint(decided: RefundPlan) -> str:
    """Of what was shown before it was confirmed: something else is never done."""
    tickets = ",".join(sorted(map(str, decided.tickets)))
    return hashlib.blake2s(f"{decided.amount}|{tickets}".encode(), digest_size=12).hexdigest()


def in_words(decided: RefundPlan, read: RefundForm, found: Refundable) -> list[str]:
    """Exactly what will happen, line by line."""
    order, currency = found.order, found.order["currency"]
    said = []
    if decided.amount and is_by_hand(found):
        said.append(
            f"You give {words.money(decided.amount, currency)} back to {order['buyer_name']} yourself: it was not paid "
            "online, and no card gets it."
        )
    elif decided.amount:
        said.append(f"{words.money(decided.amount, currency)} goes back to the card of {order['buyer_name']}.")
    else:
        said.append("No money moves: it cost nothing.")
    said += _about_tickets(decided, read, found)
    stays = found.left - decided.amount
    if decided.amount:
        total = words.money(order["captured"], currency)
        said.append(
            f"{words.money(stays, currency)} of {total} stays with you." if stays else "Nothing of it stays with you."
        )
    said.append(f"{order['buyer_email']} gets an email about it.")
    return said


def _about_tickets(decided: RefundPlan, read: RefundForm, found: Refundable) -> list[str]:
    count = len(decided.tickets)
    if not count:
        said = ["No ticket becomes invalid: whoever has one comes in."]
        return [*said, "No seat goes back on sale, because no ticket becomes invalid."] if read.seats_return else said
    numbers = ", ".join(t["number"] for t in found.tickets if t["id"] in decided.tickets)
    said = [f"{words.plural(count, 'ticket')} {'becomes' if count == 1 else 'become'} invalid: {numbers}."]
    if isinstance(read.wish, Money):
        said[0] += " It is all that was left, and nobody comes in for nothing."
    if not read.seats_return:
        return [*said, "The seat stays off sale." if count == 1 else "The seats stay off sale."]
    when = "as soon as Stripe has agreed" if decided.amount and not is_by_hand(found) else "at once"
    return [*said, f"The {'seat goes' if count == 1 else 'seats go'} back on sale {when}."]


def _wish(read: RefundForm, found: Refundable) -> RefundWish | None:
    match read.what:
        case "all":
            return Everything()
        case "tickets" if read.tickets:
            return TheseTickets(read.tickets)
        case "tickets":
            read.errors["what"] = "Choose at least one ticket."
        case "amount":
            return _amount(read, found.order["currency"])
        case _:
            read.errors["what"] = "Choose what goes back."
    return None


def _amount(read: RefundForm, currency: str) -> Money | None:
    minor = money.parse(read.amount, currency)
    if minor and not payable(minor, currency):
        near = money.major(max(10, minor - minor % 10), currency)
        read.errors["amount"] = f"Cards take {currency} only with a 0 at the end. {near} would do."
        return None
    if minor:
        return Money(minor)
    example = money.major(10 ** money.decimals(currency) * 24, currency)
    if not read.amount:
        read.errors["amount"] = f"Enter how much goes back, such as {example}."
    elif minor == 0:
        read.errors["amount"] = "Enter more than 0."
    else:
        read.errors["amount"] = f"Write the amount in digits, such as {example}."
    return None


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
