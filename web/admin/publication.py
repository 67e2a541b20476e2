"""Putting an event on sale, and taking it off again: asked first, with what is ready and what is missing (§1.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.access import Permission
from domain.errors import NotPublishable
from domain.events import EventStatus, is_over, reasons_against_publishing
from models import ticket_desk
from services import events
from web import site, words
from web.admin import access, event_page
from web.rendering import is_htmx, redirect


class Done(StrEnum):
    """How a line of the checklist stands. MISSING stands against publishing; the others are advice."""

    YES = "yes"
    TODO = "no"
    ODD = "odd"
    MISSING = "bad"


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `tab`: where it is repaired."""

    done: Done
    words: str
    note: str = ""
    tab: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """What templates/admin/publication/_checklist.html is given."""

    items: tuple[Item, ...]
    is_draft: bool

    @property
    def done(self) -> int:
        return sum(item.done is Done.YES for item in self.items)

    @property
    def missing(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.done is Done.MISSING)


class PublicationController(Controller):
    path = "/events/{event_id:uuid}/publication"
    opt = access.requires(Permission.EDIT_EVENTS)

    @get()
    async def ask(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await _ask(request, event_id)

    @post(status_code=200)
    async def publish(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        try:
            await events.publish(event_id, actor=access.actor(request))
        except NotPublishable:
            return await _ask(request, event_id, status_code=422)
        return await _done(request, event_id, "Published. Tickets are on sale.")

    @post("/withdrawal", status_code=200)
    async def withdraw(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        await events.unpublish(event_id, actor=access.actor(request))
        return await _done(request, event_id, "Off sale. It is a draft again.")


async def checklist(event: Mapping[str, Any], types: Sequence[Any] | None = None) -> Checklist:
    """`event` as web.admin.event_page.find gives it; `types` as models.ticket_desk, when they are at hand."""
    types = await ticket_desk.types(event["id"]) if types is None else types
    on_sale = [t for t in types if t["is_enabled"]]
    items = (_dates(event), _capacity(event), _types(event, on_sale), _payment(on_sale), _description(event))
    return Checklist(items, event["status"] == EventStatus.DRAFT)


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


def _types(event: Mapping[str, Any], on_sale: Sequence[Any]) -> Item:
    said = "At least one ticket type on sale"
    if reasons_against_publishing(total_capacity=0, enabled_types=len(on_sale)):
        return Item(Done.MISSING, said, "Add one, or switch one on.", "tickets")
    if all(t["sales_end"] and t["sales_end"] <= event["now"] for t in on_sale):
        return Item(Done.ODD, said, "Their sales have ended, so nobody can buy one.", "tickets")
    return Item(Done.YES, said)


def _payment(on_sale: Sequence[Any]) -> Item:
    """An installation without keys for the provider does not start, nor one for real sales with test keys."""
    if on_sale and not any(t["price"] for t in on_sale):
        return Item(Done.YES, "Payment", "Free tickets need none.")
    if site.here().test_mode:
        return Item(Done.YES, "Payment", "Test mode: no real money moves.")
    return Item(Done.YES, "Payment", "Stripe takes real money.")


def _description(event: Mapping[str, Any]) -> Item:
    there = (event["location"] or event["address"] or event["city"]) and event["description"]
    return Item(Done.YES if there else Done.TODO, "Place and description", "Optional, but people ask.", "details")


# ---------------------------------------------------------------- asking and answering


async def _ask(request: Request, event_id: UUID, *, status_code: int = 200) -> Response[Any]:
    """A page of its own; for a page that stands open, a dialog above it."""
    event = await event_page.find(event_id)
    types = await ticket_desk.types(event_id)
    values = {
        "checklist": await checklist(event, types),
        "offer": _offer(event, [t for t in types if t["is_enabled"]]),
        "waiting": await ticket_desk.waiting(event_id),
        "over": is_over(start_date=event["start_date"], end_date=event["end_date"], now=event["now"]),
        **event_page.frame(request, event, ""),
    }
    if is_htmx(request):
        template = "admin/publication/ask.swap.html"
        return access.fragment(request, template, status_code=status_code, dialog=True, **values)
    template = "admin/publication/show.html"
    return access.page(request, template, section="events", status_code=status_code, dialog=False, **values)


async def _done(request: Request, event_id: UUID, said: str) -> Response[Any]:
    if not is_htmx(request):
        return redirect(request, f"/admin/events/{event_id}")
    event = await event_page.find(event_id)
    return access.fragment(
        request,
        "admin/publication/done.swap.html",
        said=said,
        fresh=True,
        checklist=await checklist(event),
        **event_page.frame(request, event, ""),
    )


def _offer(event: Mapping[str, Any], on_sale: Sequence[Any]) -> str:
    """60 places, 2 ticket types from €18.00"""
    places = words.plural(event["total_capacity"], "place")
    if not on_sale:
        return places
    cheapest = min(t["price"] for t in on_sale)
    price = words.price(cheapest, event["currency"]) if cheapest else "free"
    how = "from " if len({t["price"] for t in on_sale}) > 1 else "at " if cheapest else ""
    return f"{places}, {words.plural(len(on_sale), 'ticket type')} {how}{price}"
