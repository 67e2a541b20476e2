"""Refused holds, answered in the form: what happened, that everything was kept, and what would work instead."""

from uuid import UUID

from domain import inventory
from domain.errors import (
    EventEnded,
    InsufficientInventory,
    NothingChosen,
    QuantityOutOfBounds,
    Refusal,
    Shortage,
    TicketTypeNotOnSale,
    TooBusy,
)
from models.stock import Shelf
from web import words
from web.availability import Answer, Answers, type_pill
from web.forms import WishForm, write_take

STATUS: dict[type[Refusal], int] = {
    InsufficientInventory: 409,
    TicketTypeNotOnSale: 409,
    NothingChosen: 422,
    QuantityOutOfBounds: 422,
    EventEnded: 410,
    TooBusy: 503,
}
CHECK = Answer("We couldn’t hold these tickets", "See below what to change. Your choice is kept.")
BUSY = Answer(
    "Very busy right now",
    "Nothing is held yet, and your choice is kept. Press the button again in a few seconds.",
)


def answer_problems(form: WishForm) -> Answers:
    """Numbers that are none."""
    return Answers(form.typed, CHECK, {type_id: Answer(text) for type_id, text in form.problems.items()})


def answer_refusal(refusal: Refusal, form: WishForm, shelf: Shelf, timezone: str) -> Answers:
    """`shelf` was looked at after the refusal, so that whatever is suggested fits now."""
    match refusal:
        case InsufficientInventory():
            return _answer_shortage(refusal, form, shelf, timezone)
        case QuantityOutOfBounds():
            return Answers(form.typed, CHECK, {refusal.ticket_type_id: Answer(_bounds(refusal))})
        case TicketTypeNotOnSale():
            return _answer_not_on_sale(refusal, form, timezone)
        case NothingChosen():
            return Answers(form.typed, Answer("Choose at least one ticket."))
        case EventEnded():
            return Answers({}, Answer("This event has ended", "Tickets for it are no longer sold."))
        case TooBusy():
            return Answers(form.typed, BUSY)
    raise refusal


def _answer_shortage(refusal: InsufficientInventory, form: WishForm, shelf: Shelf, timezone: str) -> Answers:
    first = refusal.shortages[0]
    takes = tuple(
        (write_take(wish), _label(wish, form.wish, shelf))
        for wish in inventory.suggestions(shelf.stock, form.wish, now=shelf.now)
    )
    by_type = {
        shortage.ticket_type_id: _shortage(shortage, shelf, timezone, takes if shortage is first else ())
        for shortage in refusal.shortages
    }
    names = " and ".join(s.name for s in refusal.shortages)
    whole = Answer("We couldn’t hold these tickets", f"There aren’t enough {names} tickets. Nothing is held yet.")
    return Answers(form.typed, whole, by_type)


def _shortage(shortage: Shortage, shelf: Shelf, timezone: str, takes: tuple[tuple[str, str], ...]) -> Answer:
    asked = f"You asked for {shortage.requested}."
    if takes:
        asked += " Choose what suits you:"
    if shortage.available:
        return Answer(f"Only {shortage.available} {shortage.name} left", asked, takes)
    ticket_type = shelf.stock.types.get(shortage.ticket_type_id)
    back = type_pill(shelf, ticket_type, timezone) if ticket_type else None
    if back and back.level == inventory.Level.HELD:
        return Answer(f"No {shortage.name} free right now", f"{back.words} {asked}", takes)
    return Answer(f"{shortage.name} just sold out", asked, takes)


def _answer_not_on_sale(refusal: TicketTypeNotOnSale, form: WishForm, timezone: str) -> Answers:
    if refusal.name is None:
        text = "One of the ticket types is no longer offered. Choose from the list below."
        return Answers(form.typed, Answer("We couldn’t hold these tickets", text))
    if refusal.opens_at:
        text = f"On sale from {words.when_in_words(refusal.opens_at, timezone)}."
        answer = Answer(f"{refusal.name} is not on sale yet", text)
    else:
        answer = Answer(f"{refusal.name} is no longer on sale", "Set it to 0, or choose another ticket.")
    return Answers(form.typed, CHECK, {refusal.ticket_type_id: answer})


def _bounds(refusal: QuantityOutOfBounds) -> str:
    if refusal.requested > refusal.maximum:
        return f"Up to {refusal.maximum} {refusal.name} per order."
    return f"{refusal.name} is sold from {refusal.minimum} on."


def _label(wish: dict[UUID, int], asked: dict[UUID, int], shelf: Shelf) -> str:
    """Take the 2 left · Take 3 Front row + 2 General"""
    types = shelf.stock.types
    if len(wish) == 1 and wish.keys() == asked.keys():
        ((type_id, quantity),) = wish.items()
        if quantity == inventory.available_to_customer(shelf.stock, types[type_id]):
            return f"Take the {quantity} left" if quantity > 1 else "Take the last one"
    return "Take " + " + ".join(f"{wish[t.id]} {t.name}" for t in types.values() if t.id in wish)
