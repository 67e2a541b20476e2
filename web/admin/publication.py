"""Putting an event on sale, and taking it off again: asked first, with what is ready and what is missing (§1.4)."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.access import Permission
from domain.errors import NotPublishable
from domain.offer import OfferChanged, fingerprint
from domain.standing import Standing
from models import ticket_desk
from models.stock import Shelf
from services import events
from web import words
from web.admin import access, event_page, readiness
from web.admin.typed import text
from web.availability import standing_of
from web.rendering import is_htmx, redirect


class PublicationController(Controller):
    path = "/events/{event_id:uuid}/publication"
    opt = access.requires(Permission.EDIT_EVENTS)

    @get()
    async def ask(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await _ask(request, event_id)

    @post(status_code=200)
    async def publish(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """What was read goes on sale, and nothing else."""
        read = text(await request.form(), "read")
        try:
            await events.publish(event_id, read=read, actor=access.actor(request))
        except NotPublishable:
            return await _ask(request, event_id, status_code=422)
        except OfferChanged:
            return await _ask(request, event_id, status_code=409, changed=True)
        return await _published(request, event_id)

    @post("/withdrawal", status_code=200)
    async def withdraw(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        await events.unpublish(event_id, actor=access.actor(request))
        return await _done(request, event_id, "Off sale. It is a draft again.")


# ---------------------------------------------------------------- asking and answering


async def _ask(request: Request, event_id: UUID, *, status_code: int = 200, changed: bool = False) -> Response[Any]:
    """A page of its own; for a page that stands open, a dialog above it."""
    event = await event_page.find(event_id)
    shelf = event["shelf"]
    values = {
        "checklist": await readiness.checklist(event),
        "offer": _offer(shelf),
        "read": fingerprint(shelf.stock, shelf.currency),
        "changed": changed,
        "waiting": await ticket_desk.waiting(event_id),
        "over": standing_of(readiness.if_published(shelf)) == Standing.OVER,
        **event_page.frame(request, event, ""),
    }
    if is_htmx(request):
        template = "admin/publication/ask.swap.html"
        return access.fragment(request, template, status_code=status_code, dialog=True, **values)
    template = "admin/publication/show.html"
    return access.page(request, template, section="events", status_code=status_code, dialog=False, **values)


async def _published(request: Request, event_id: UUID) -> Response[Any]:
    found = await readiness.checklist(await event_page.find(event_id))
    return await _done(request, event_id, f"Published. {found.hindrance or 'Tickets are on sale.'}")


async def _done(request: Request, event_id: UUID, said: str) -> Response[Any]:
    if not is_htmx(request):
        return redirect(request, f"/admin/events/{event_id}")
    event = await event_page.find(event_id)
    return access.fragment(
        request,
        "admin/publication/done.swap.html",
        said=said,
        fresh=True,
        checklist=await readiness.checklist(event),
        **event_page.frame(request, event, ""),
    )


def _offer(shelf: Shelf) -> str:
    """60 places, 2 ticket types from €18.00"""
    places, enabled = words.plural(shelf.stock.capacity, "place"), readiness.offered(shelf)
    if not enabled:
        return places
    prices = {each.price for each in enabled}
    price = words.price(min(prices), shelf.currency) if min(prices) else "free"
    how = "from " if len(prices) > 1 else "at " if min(prices) else ""
    return f"{places}, {words.plural(len(enabled), 'ticket type')} {how}{price}"
