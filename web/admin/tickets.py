"""The ticket types of an event in rows: added, edited in place, moved, switched on and off, removed (AC T2–T5)."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from domain import allocations
from domain.access import Permission
from domain.errors import (
    AllocationsExceedCapacity,
    CapacityTooSmall,
    LastTypeOnSale,
    OtherTerms,
    Overtaken,
    Refusal,
    TicketTypeInUse,
)
from domain.ticket_types import MinimumAboveMaximum, SalesEndBeforeStart
from models import ticket_desk
from models.ids import new_id
from services import ticket_types
from web import rendering, words
from web.admin import access, event_page, stream, ticket_rows, ticket_screen, ticket_type_form
from web.admin.ticket_screen import Screen
from web.admin.ticket_type_form import Terms, TypeForm
from web.rendering import is_htmx, redirect
from web.security import BACKGROUND, QUIET

EDIT = access.requires(Permission.EDIT_EVENTS)
SALES = access.requires(Permission.SEE_SALES)
FORM_REFUSALS = (CapacityTooSmall, AllocationsExceedCapacity, SalesEndBeforeStart, MinimumAboveMaximum)
LAST_ON_SALE = "A published event keeps one type on sale. Switch another one on first, or take the event off sale."
IN_USE = "Somebody has held one of these meanwhile, so it can’t be removed. Switch it off instead."


class TicketsController(Controller):
    path = "/events/{event_id:uuid}/tickets"
    opt = access.requires(Permission.SEE_EVENTS)

    @get()
    async def show(
        self, request: Request, event_id: FromPath[UUID], edit: FromQuery[str] = "", saved: FromQuery[str] = ""
    ) -> Response[Any]:
        screen = await ticket_screen.look(request, event_id)
        if edit and screen["may_edit"]:
            ticket_screen.open_row(screen, edit)
        screen["saved"] = saved
        return ticket_screen.page(request, screen)

    @get("/live", opt={**SALES, **stream.LIVE})
    async def listen(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        await event_page.find(event_id)
        return stream.answer(request, ("desk tickets", event_id), partial(ticket_screen.look_for_all, event_id))

    @get("/now", opt={**SALES, BACKGROUND: True, QUIET: True})
    async def look_again(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """For a page whose stream is gone."""
        return rendering.fragment("admin/tickets/now.swap.html", **await ticket_screen.numbers(event_id))

    @post(opt=EDIT, status_code=200)
    async def add(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        sent = await request.form()
        screen = await ticket_screen.look(request, event_id)
        form = ticket_type_form.read(
            sent, ticket_screen.read_uuid(sent.get("type")) or new_id(), screen["terms"], is_new=True
        )
        if form.errors:
            return _unread(request, screen, form)
        try:
            await ticket_types.add(
                event_id,
                type_id=form.key,
                currency=form.terms.currency,
                timezone=form.terms.timezone,
                actor=access.actor(request),
                **form.values,
            )
        except OtherTerms:
            return await _other_terms(request, event_id, form)
        except FORM_REFUSALS as refusal:
            return await _refused(request, event_id, form, refusal)
        return await _saved(request, event_id, form.key, "admin/tickets/added.swap.html")

    @post("/{type_id:uuid}", opt=EDIT, status_code=200)
    async def change(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        sent = await request.form()
        screen = await ticket_screen.look(request, event_id)
        form = ticket_type_form.read(sent, type_id, screen["terms"])
        if not screen["has"](type_id):
            return await _gone(request, screen, type_id)
        if keep := sent.get("keep"):
            ticket_type_form.keep_theirs(form, str(keep))
            return _show_form(request, screen, form, 200)
        if form.errors:
            return _unread(request, screen, form)
        try:
            await ticket_types.change(
                event_id,
                type_id,
                form.changes(),
                currency=form.terms.currency,
                timezone=form.terms.timezone,
                actor=access.actor(request),
            )
        except OtherTerms:
            return await _other_terms(request, event_id, form)
        except Overtaken as refusal:
            return await _overtaken(request, event_id, form, refusal)
        except FORM_REFUSALS as refusal:
            return await _refused(request, event_id, form, refusal)
        return await _saved(request, event_id, type_id, "admin/tickets/saved.swap.html")

    @post("/{type_id:uuid}/enablement", opt=EDIT, status_code=200)
    async def enable(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        return await _switch(request, event_id, type_id, on=True)

    @post("/{type_id:uuid}/disablement", opt=EDIT, status_code=200)
    async def disable(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        return await _switch(request, event_id, type_id, on=False)

    @post("/{type_id:uuid}/place", opt=EDIT, status_code=200)
    async def move(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        to = (await request.form()).get("to")
        screen = await ticket_screen.look(request, event_id)
        if not screen["has"](type_id):
            return await _gone(request, screen, type_id)
        by = {"up": -1, "down": +1}.get(str(to), 0)
        await ticket_types.move(event_id, type_id, by=by, actor=access.actor(request))
        if not is_htmx(request):
            return redirect(request, f"{screen['address']}/tickets#tt-{type_id}")
        screen = await ticket_screen.look(request, event_id)
        ids = [row.id for row in screen["rows"]]
        place = ids.index(type_id)
        screen |= {
            "row": screen["rows"][place],
            "before": ids[place + 1] if place + 1 < len(ids) else "new",
            "moved": to,
        }
        return access.fragment(request, "admin/tickets/moved.swap.html", **screen)

    @get("/{type_id:uuid}/removal", opt=EDIT)
    async def ask_to_remove(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        screen = await ticket_screen.look(request, event_id)
        if not screen["has"](type_id):
            return await _gone(request, screen, type_id)
        return _ask_to_remove(request, screen, type_id, 200)

    @post("/{type_id:uuid}/removal", opt=EDIT, status_code=200)
    async def remove(self, request: Request, event_id: FromPath[UUID], type_id: FromPath[UUID]) -> Response[Any]:
        screen = await ticket_screen.look(request, event_id)
        if screen["has"](type_id):
            try:
                await ticket_types.remove(event_id, type_id, actor=access.actor(request))
            except (TicketTypeInUse, LastTypeOnSale) as refusal:
                problem = LAST_ON_SALE if isinstance(refusal, LastTypeOnSale) else IN_USE
                return _ask_to_remove(request, screen, type_id, 409, problem=problem)
        if not is_htmx(request):
            return redirect(request, f"{screen['address']}/tickets")
        screen = await ticket_screen.look(request, event_id)
        return access.fragment(request, "admin/tickets/removed.swap.html", type_id=type_id, **screen)


# ---------------------------------------------------------------- answers of a row


async def _saved(request: Request, event_id: UUID, type_id: UUID, template: str) -> Response[Any]:
    if not is_htmx(request):
        return redirect(request, f"/admin/events/{event_id}/tickets?saved={type_id}#tt-{type_id}")
    screen = await ticket_screen.look(request, event_id)
    if not screen["has"](type_id):
        return await _gone(request, screen, type_id)
    screen |= {"row": _row(screen, type_id), "saved": str(type_id)}
    return access.fragment(request, template, **screen)


async def _refused(request: Request, event_id: UUID, form: TypeForm, refusal: Refusal) -> Response[Any]:
    """The row stays open with everything typed; the meter shows what was tried."""
    screen = await ticket_screen.look(request, event_id)
    _explain(screen, form, refusal)
    return _show_form(request, screen, form, 422)


def _unread(request: Request, screen: Screen, form: TypeForm) -> Response[Any]:
    """Whatever else is wrong is said along, as far as it can be seen without the event's lock."""
    if "allocation" in form.values:
        stock = screen["shelf"].stock
        given = {each.id: each.allocation for each in stock.types.values()} | {form.id: form.values["allocation"]}
        mine = stock.types.get(form.id)
        try:
            allocations.check_allocation(given[form.id], promised=mine.sold + mine.held if mine else 0)
            allocations.check(capacity=stock.capacity, promised=stock.sold + stock.held, allocations=given.values())
        except FORM_REFUSALS as refusal:
            _explain(screen, form, refusal)
    return _show_form(request, screen, form, 422)


def _explain(screen: Screen, form: TypeForm, refusal: Refusal) -> None:
    row = _row(screen, form.id)
    ticket_type_form.explain(refusal, form, sold=row.sold if row else 0, held=row.held if row else 0)
    if isinstance(refusal, AllocationsExceedCapacity):
        screen["meter"] = ticket_rows.meter(screen["shelf"], {form.id: form.values["allocation"]})


async def _other_terms(request: Request, event_id: UUID, form: TypeForm) -> Response[Any]:
    """Everything typed is kept, and what it would mean by now is said: saving once more is a decision."""
    screen = await ticket_screen.look(request, event_id)
    terms: Terms = screen["terms"]
    said = []
    if form.terms.currency != terms.currency:
        said.append(("currency", terms.currency, "the currency"))
    if form.terms.timezone != terms.timezone:
        said.append(("timezone", terms.timezone, "the time zone"))
    told = [
        await ticket_screen.who_made("event", event_id, name, now, called=called, timezone=terms.timezone)
        for name, now, called in said
    ]
    ticket_type_form.on_other_terms(form, " ".join(told), screen["by_id"].get(form.id, {}), terms)
    return _show_form(request, screen, form, 409)


async def _overtaken(request: Request, event_id: UUID, form: TypeForm, refusal: Overtaken) -> Response[Any]:
    screen = await ticket_screen.look(request, event_id)
    assert isinstance(refusal.theirs, Mapping)
    by = {}
    for name, value in refusal.theirs.items():
        now = ticket_type_form.in_words(name, value, screen["terms"])
        by[name] = await ticket_screen.who_made("ticket_type", form.id, name, now, timezone=screen["event"]["timezone"])
    ticket_type_form.overtaken(form, refusal.theirs, by)
    return _show_form(request, screen, form, 409)


def _show_form(request: Request, screen: Screen, form: TypeForm, status_code: int) -> Response[Any]:
    if form.is_new:
        screen["new"] = form
    else:
        screen["forms"][form.id] = form
    if not is_htmx(request):
        return ticket_screen.page(request, screen, status_code)
    screen |= {"form": form, "row": _row(screen, form.id)}
    return access.fragment(request, "admin/tickets/form.swap.html", status_code=status_code, **screen)


async def _switch(request: Request, event_id: UUID, type_id: UUID, *, on: bool) -> Response[Any]:
    """Pressed twice, or by two at once, it is simply so."""
    screen, problem = await ticket_screen.look(request, event_id), ""
    if not screen["has"](type_id):
        return await _gone(request, screen, type_id)
    try:
        await ticket_types.change(event_id, type_id, {"is_enabled": (not on, on)}, actor=access.actor(request))
    except LastTypeOnSale:
        problem = LAST_ON_SALE
    if not is_htmx(request) and not problem:
        return redirect(request, f"{screen['address']}/tickets#tt-{type_id}")
    screen = await ticket_screen.look(request, event_id)
    screen |= {"row": _row(screen, type_id), "problems": {type_id: problem} if problem else {}}
    if not is_htmx(request):
        return ticket_screen.page(request, screen, 409)
    return access.fragment(request, "admin/tickets/saved.swap.html", status_code=409 if problem else 200, **screen)


async def _gone(request: Request, screen: Screen, type_id: UUID) -> Response[Any]:
    """Somebody removed this type while it stood on this page."""
    change = await ticket_desk.last_change("ticket_type", type_id)
    when = words.clock(change.at, screen["event"]["timezone"]) if change else ""
    screen["gone"] = f"{change.by} removed this ticket type at {when}." if change else "This ticket type is gone."
    if not is_htmx(request):
        return ticket_screen.page(request, screen, 404)
    return access.fragment(request, "admin/tickets/gone.swap.html", status_code=404, type_id=type_id, **screen)


def _ask_to_remove(
    request: Request, screen: Screen, type_id: UUID, status_code: int, problem: str = ""
) -> Response[Any]:
    row = screen["by_id"][type_id]
    screen |= {"row": row, "problem": problem or (IN_USE if row["ever_held"] else "")}
    if is_htmx(request):
        template = "admin/tickets/removal.swap.html"
        return access.fragment(request, template, status_code=status_code, dialog=True, **screen)
    return access.page(
        request, "admin/tickets/removal.html", section="events", status_code=status_code, dialog=False, **screen
    )


def _row(screen: Mapping[str, Any], type_id: UUID) -> ticket_rows.Row | None:
    return next((row for row in screen["rows"] if row.id == type_id), None)
