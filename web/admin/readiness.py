"""What is ready about an event and what is missing before it is published (§1.4), as its buyers would find it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from domain.attention import Book
from domain.events import EventStatus, is_over, reasons_against_publishing
from domain.inventory import TypeStock
from domain.standing import Standing, as_published
from models import provider
from models.provider import Heard
from models.stock import Shelf
from web import site
from web.admin import ticket_rows
from web.availability import opens_at, standing_of

PAYMENTS = "/admin/payments"


class Done(StrEnum):
    """How a line of the checklist stands. MISSING stands against publishing; the others are advice."""

    YES = "yes"
    TODO = "no"
    ODD = "odd"
    MISSING = "bad"


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `tab`: where of the event it is repaired; `path`: where else."""

    done: Done
    words: str
    note: str = ""
    tab: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """What templates/admin/publication/_checklist.html is given. `hindrance`: why nobody could buy a ticket as soon as
    it is published; empty when somebody could."""

    items: tuple[Item, ...]
    is_draft: bool
    hindrance: str

    @property
    def done(self) -> int:
        return sum(item.done is Done.YES for item in self.items)

    @property
    def missing(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.done is Done.MISSING)

    @property
    def is_ready(self) -> bool:
        return not any(item.done in (Done.MISSING, Done.ODD) for item in self.items)


async def checklist(event: Mapping[str, Any]) -> Checklist:
    """`event` as web.admin.event_page.find gives it."""
    enabled = offered(event["shelf"])
    hindrance = _hindrance(if_published(event["shelf"]), event["timezone"])
    items = (
        _dates(event),
        _capacity(event),
        _types(enabled, hindrance),
        await _payment(enabled, event["timezone"]),
        _description(event),
    )
    return Checklist(items, event["status"] == EventStatus.DRAFT, hindrance)


def if_published(shelf: Shelf) -> Shelf:
    return replace(shelf, stock=as_published(shelf.stock))


def offered(shelf: Shelf) -> list[TypeStock]:
    return [each for each in shelf.stock.types.values() if each.is_enabled]


def _dates(event: Mapping[str, Any]) -> Item:
    if is_over(start_date=event["start_date"], end_date=event["end_date"], now=event["now"]):
        return Item(Done.ODD, "Dates to come", "It is over: nobody could buy a ticket.", "details")
    return Item(Done.YES, "Title and dates")


def _capacity(event: Mapping[str, Any]) -> Item:
    if reasons_against_publishing(total_capacity=event["total_capacity"], enabled_types=1):
        return Item(Done.MISSING, "Total capacity", "Say how many may come.", "tickets")
    if not event["total_capacity"]:
        return Item(Done.ODD, "Total capacity", "It is 0, so nobody can buy a ticket yet.", "tickets")
    return Item(Done.YES, "Total capacity")


def _types(enabled: list[TypeStock], hindrance: str) -> Item:
    said = "At least one ticket type on sale"
    if reasons_against_publishing(total_capacity=0, enabled_types=len(enabled)):
        return Item(Done.MISSING, said, "Add one, or switch one on.", "tickets")
    return Item(Done.ODD, said, hindrance, "tickets") if hindrance else Item(Done.YES, said)


def _hindrance(shelf: Shelf, timezone: str) -> str:
    """By the rule of the shop."""
    match standing_of(shelf):
        case Standing.NOT_YET:
            return f"Sales open {ticket_rows.in_words(opens_at(shelf), timezone)}."
        case Standing.ENDED:
            return "Their sales have ended, so nobody can buy one."
        case Standing.EVENT_FULL:
            return "Every ticket is sold."
        case Standing.TOO_FEW:
            return "What is left is less than one order takes."
        case Standing.OVER:
            return "The event is over."
        case Standing.OFF if not shelf.stock.capacity:
            return "Nobody can buy one while the total capacity is 0."
        case Standing.OFF:
            return "Nothing is allocated to them, so nobody can buy one."
    return ""


async def _payment(enabled: list[TypeStock], timezone: str) -> Item:
    """Without a question to the provider: no page waits for it. Keys of the wrong kind do not even let us start."""
    if enabled and not any(each.price for each in enabled):
        return Item(Done.YES, "Payment", "Free tickets need none.")
    found = await provider.heard()
    mode = "Test mode: no real money moves." if site.here().test_mode else "Stripe takes real money."
    if found.book == Book.NONE_YET:
        unasked = "Stripe has not been asked yet: that happens by itself within ten minutes."
        return Item(Done.TODO, "Payment", f"{unasked} {mode}")
    if problem := _problem(found, timezone):
        return Item(Done.ODD, "Payment", problem, path=PAYMENTS)
    return Item(Done.YES, "Payment", f"Stripe answered on {ticket_rows.in_words(found.at, timezone)}. {mode}")


def _problem(found: Heard, timezone: str) -> str:
    at = ticket_rows.in_words(found.at, timezone)
    if found.book == Book.BROKE_OFF:
        return f"Stripe gave no full answer when we last asked, on {at}."
    if found.book == Book.LATE:
        return f"Stripe was last asked on {at}: look whether the worker is running."
    if found.unanswered == 1:
        return "Stripe has not told us yet how one payment ended."
    return f"Stripe has not told us yet how {found.unanswered:,} payments ended." if found.unanswered else ""


def _description(event: Mapping[str, Any]) -> Item:
    there = (event["location"] or event["address"] or event["city"]) and event["description"]
    return Item(Done.YES if there else Done.TODO, "Place and description", "Optional, but people ask.", "details")
