"""The details of one event. Each field is saved by itself; what is wrong, or who was quicker, stands beside it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain.access import Permission
from domain.errors import CurrencyInUse, EndBeforeStart, Overtaken, PricesTyped
from domain.events import EventStatus
from services import events
from services.audit import Actor
from web import site
from web.admin import access, event_form, event_page, readiness, zones
from web.admin.event_field import SAVED, Shown, shown, theirs
from web.admin.event_form import CURRENCIES, FIELDS, Field
from web.rendering import is_htmx

EDIT = access.requires(Permission.EDIT_EVENTS)
# What else is saved when one field is: shown anew with it.
MOVES = {"start_date": ("end_date",), "timezone": ("start_date", "end_date")}
MADE = {
    "new": ("Your draft is saved", "Add ticket types next, then publish it. Everything here is saved as you leave it."),
    "copy": (
        "This is the copy, a draft",
        "Texts, dates, capacity and ticket types came along; orders and holds did not. "
        "Give it a name, and check its dates and those of its sales.",
    ),
}


class DetailsController(Controller):
    path = "/events/{event_id:uuid}/details"
    opt = access.requires(Permission.SEE_EVENTS)

    @get()
    async def show(
        self, request: Request, event_id: FromPath[UUID], made: FromQuery[str] = "", saved: FromQuery[str] = ""
    ) -> Response[Any]:
        event = await event_page.find(event_id)
        changed = [shown(FIELDS[saved], event, said=SAVED)] if saved in FIELDS else []
        return await _page(request, event, *changed, made=MADE.get(made))

    @post("/{name:str}", status_code=200, opt=EDIT, request_max_body_size=event_form.LARGEST_BODY)
    async def save(self, request: Request, event_id: FromPath[UUID], name: FromPath[str]) -> Response[Any]:
        field = FIELDS.get(name)
        if field is None:
            raise NotFoundException
        event, form = await event_page.find(event_id), await request.form()
        typed, was = event_form.text(form, name), event_form.text(form, "was")
        zone = event_form.text(form, "zone") or event["timezone"]
        kept = form.get("choice") == "theirs" or _untouched(field, typed, was, zone)
        try:
            if not kept:
                read, to = event_form.read_mark(field, was), event_form.read(field, typed, zone)
                await _save(event, field, was=read, to=to, zone=zone, actor=access.actor(request))
        except Overtaken:
            fresh = await event_page.find(event_id)
            told = shown(field, fresh, typed=typed, theirs=await theirs(field, fresh, access.me(request), zone=zone))
            return await _refuse(request, fresh, told, status=409)
        except (ValueError, EndBeforeStart, CurrencyInUse, PricesTyped) as problem:
            told = shown(field, event, typed=typed, was=was, zone=zone, error=_in_words(problem, event))
            return await _refuse(request, event, told, status=422)
        return await _done(request, event, field, said="Kept as it is" if kept else SAVED)


def _untouched(field: Field, typed: str, was: str, zone: str) -> bool:
    """A time that still stands as it was shown. Typed, it would mean the first of two equal hours, and no seconds."""
    read = event_form.read_mark(field, was)
    return isinstance(read, datetime) and typed == event_form.in_control(field, read, zone)


async def _save(event: Mapping[str, Any], field: Field, *, was: Any, to: Any, zone: str, actor: Actor) -> None:
    """`zone`: of the clocks that the page showed, on which a time was typed."""
    match field.name:
        case "start_date":
            await events.move(event["id"], was=was, to=to, timezone=zone, actor=actor)
        case "timezone":
            await events.set_timezone(event["id"], was=was, to=to, actor=actor)
        case "end_date":
            await events.change(event["id"], {"end_date": (was, to)}, timezone=zone, actor=actor)
        case name:
            await events.change(event["id"], {name: (was, to)}, actor=actor)


async def _done(request: Request, before: Mapping[str, Any], field: Field, *, said: str) -> Response[Any]:
    """Without JavaScript back to the field. With it: the field, and whatever moved with it."""
    if not is_htmx(request):
        saved = f"?saved={field.name}" if said == SAVED else ""
        address = f"/admin/events/{before['id']}/details{saved}#field-{field.name}"
        return Response(None, status_code=303, headers={"Location": address})
    event = await event_page.find(before["id"])
    fields = [shown(field, event, said=said)]
    for name in MOVES.get(field.name, ()):
        moved = field.name == "start_date" and event[name] != before[name]
        fields.append(shown(FIELDS[name], event, said="Moved along" if moved else ""))
    return await _swap(request, event, fields)


async def _refuse(request: Request, event: Mapping[str, Any], told: Shown, *, status: int) -> Response[str]:
    if is_htmx(request):
        return await _swap(request, event, [told], status=status)
    return await _page(request, event, told, status=status)


async def _swap(request: Request, event: Mapping[str, Any], fields: list[Shown], *, status: int = 200) -> Response[str]:
    values = {**event_page.frame(request, event, "details"), **_choices(), "shown": fields}
    values["checklist"] = await readiness.checklist(event)
    return access.fragment(request, "admin/events/field.swap.html", status_code=status, **values)


async def _page(
    request: Request,
    event: Mapping[str, Any],
    *changed: Shown,
    made: tuple[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    fields = {name: shown(field, event) for name, field in FIELDS.items()}
    fields |= {each.field.name: each for each in changed}
    return event_page.page(
        request,
        event,
        "admin/events/details.html",
        tab="details",
        status_code=status,
        fields=fields,
        made=made,
        checklist=await readiness.checklist(event),
        public_address=site.here().absolute(f"/events/{event['slug']}"),
        **_choices(),
    )


def _choices() -> dict[str, Any]:
    return {"zones": zones.names(), "currencies": CURRENCIES}


def _in_words(problem: Exception, event: Mapping[str, Any]) -> str:
    if isinstance(problem, EndBeforeStart):
        return event_form.end_before_start(event["start_date"], event["timezone"])
    if isinstance(problem, PricesTyped):
        return event_form.prices_typed(event["currency"], on_sale=event["status"] == EventStatus.PUBLISHED)
    return event_form.CURRENCY_IN_USE.format(event["currency"]) if isinstance(problem, CurrencyInUse) else str(problem)
