"""The details of one event. Each field is saved by itself; what is wrong, or who was quicker, stands beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain import local_time
from domain.access import Permission
from domain.errors import CurrencyInUse, EndBeforeStart, Overtaken
from domain.events import EventStatus
from models import event_desk
from services import events
from services.audit import Actor
from web import site, words
from web.admin import access, event_form, event_page, publication, zones
from web.admin.access import Me
from web.admin.event_form import CURRENCIES, FIELDS, Field
from web.rendering import is_htmx

EDIT = access.requires(Permission.EDIT_EVENTS)
# What else is saved when one field is: shown anew with it.
MOVES = {"start_date": ("end_date",), "timezone": ("start_date", "end_date")}
EXCERPT = 200  # characters of what somebody else wrote
# What people with a ticket would want to know.
MATTERS = frozenset({"start_date", "end_date", "timezone", "location", "address", "city"})
MADE = {
    "new": ("Your draft is saved", "Add ticket types next, then publish it. Everything here is saved as you leave it."),
    "copy": (
        "This is the copy, a draft",
        "Texts, dates, capacity and ticket types came along; orders and holds did not. "
        "Give it a name, and check its dates and those of its sales.",
    ),
}


@dataclass(frozen=True, slots=True)
class Theirs:
    """What somebody else made of a field meanwhile, in a sentence; `whose` names it on a button."""

    said: str
    whose: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as it stands on the page. `typed` is in its control; `was` goes along with it when it is sent."""

    field: Field
    typed: str
    was: str
    said: str = ""
    note: str = ""
    error: str = ""
    theirs: Theirs | None = None


class DetailsController(Controller):
    path = "/events/{event_id:uuid}/details"
    opt = access.requires(Permission.SEE_EVENTS)

    @get()
    async def show(
        self, request: Request, event_id: FromPath[UUID], made: FromQuery[str] = "", saved: FromQuery[str] = ""
    ) -> Response[Any]:
        event = await event_page.find(event_id)
        changed = [_shown(FIELDS[saved], event, said="Saved")] if saved in FIELDS else []
        return await _page(request, event, *changed, made=MADE.get(made))

    @post("/{name:str}", status_code=200, opt=EDIT)
    async def save(self, request: Request, event_id: FromPath[UUID], name: FromPath[str]) -> Response[Any]:
        field = FIELDS.get(name)
        if field is None:
            raise NotFoundException
        event, form = await event_page.find(event_id), await request.form()
        typed, was = event_form.text(form, name), event_form.text(form, "was")
        try:
            if form.get("choice") != "theirs":
                to = event_form.read(field, typed, event["timezone"])
                await _save(event, field, was=event_form.read_mark(field, was), to=to, actor=access.actor(request))
        except Overtaken:
            fresh = await event_page.find(event_id)
            shown = _shown(field, fresh, typed=typed, theirs=await _theirs(field, fresh, access.me(request)))
            return await _refuse(request, fresh, shown, status=409)
        except (ValueError, EndBeforeStart, CurrencyInUse) as problem:
            shown = _shown(field, event, typed=typed, was=was, error=_in_words(problem, event))
            return await _refuse(request, event, shown, status=422)
        return await _done(request, event, field, said="Kept as it is" if form.get("choice") == "theirs" else "Saved")


async def _save(event: Mapping[str, Any], field: Field, *, was: Any, to: Any, actor: Actor) -> None:
    match field.name:
        case "start_date":
            await events.move(event["id"], was=was, to=to, timezone=event["timezone"], actor=actor)
        case "timezone":
            await events.set_timezone(event["id"], was=was, to=to, actor=actor)
        case name:
            # A time was typed on the clocks of this zone, and means nothing in another.
            zone = {"timezone": (event["timezone"], event["timezone"])} if field.kind == "moment" else {}
            await events.change(event["id"], {name: (was, to), **zone}, actor=actor)


async def _done(request: Request, before: Mapping[str, Any], field: Field, *, said: str) -> Response[Any]:
    """Without JavaScript back to the field. With it: the field, and whatever moved with it."""
    if not is_htmx(request):
        address = f"/admin/events/{before['id']}/details?saved={field.name}#field-{field.name}"
        return Response(None, status_code=303, headers={"Location": address})
    event = await event_page.find(before["id"])
    shown = [_shown(field, event, said=said)]
    for name in MOVES.get(field.name, ()):
        moved = field.name == "start_date" and event[name] != before[name]
        shown.append(_shown(FIELDS[name], event, said="Moved along" if moved else ""))
    return await _swap(request, event, shown)


async def _refuse(request: Request, event: Mapping[str, Any], shown: Shown, *, status: int) -> Response[str]:
    if is_htmx(request):
        return await _swap(request, event, [shown], status=status)
    return await _page(request, event, shown, status=status)


async def _swap(request: Request, event: Mapping[str, Any], shown: list[Shown], *, status: int = 200) -> Response[str]:
    values = {**event_page.frame(request, event, "details"), **_choices(), "shown": shown}
    values["checklist"] = await publication.checklist(event)
    return access.fragment(request, "admin/events/field.swap.html", status_code=status, **values)


async def _page(
    request: Request,
    event: Mapping[str, Any],
    *changed: Shown,
    made: tuple[str, str] | None = None,
    status: int = 200,
) -> Response[str]:
    fields = {name: _shown(field, event) for name, field in FIELDS.items()}
    fields |= {shown.field.name: shown for shown in changed}
    return event_page.page(
        request,
        event,
        "admin/events/details.html",
        tab="details",
        status_code=status,
        fields=fields,
        made=made,
        checklist=await publication.checklist(event),
        public_address=site.here().absolute(f"/events/{event['slug']}"),
        **_choices(),
    )


def _choices() -> dict[str, Any]:
    return {"zones": zones.names(), "currencies": CURRENCIES}


def _shown(
    field: Field,
    event: Mapping[str, Any],
    *,
    typed: str | None = None,
    was: str | None = None,
    said: str = "",
    error: str = "",
    theirs: Theirs | None = None,
) -> Shown:
    stored = event[field.name]
    return Shown(
        field=field,
        typed=event_form.in_control(field, stored, event["timezone"]) if typed is None else typed,
        was=event_form.mark(stored) if was is None else was,
        said=said,
        note=_untold(field, event) if said == "Saved" else _note(field, event),
        error=error,
        theirs=theirs,
    )


def _note(field: Field, event: Mapping[str, Any]) -> str:
    """What an organiser should know of a time that is as it is."""
    moment = event[field.name] if field.kind == "moment" else None
    if moment is None:
        return ""
    if local_time.comes_twice(moment, words.zone(event["timezone"])):
        return f"Clocks show this hour twice that night. This is {words.zone_name(moment, event['timezone'])}."
    is_draft = event["status"] == EventStatus.DRAFT
    return "This is in the past." if field.name == "start_date" and is_draft and moment <= event["now"] else ""


def _untold(field: Field, event: Mapping[str, Any]) -> str:
    if field.name in MATTERS and event["orders"]:
        return "People who have tickets are not told by us: write to them."
    return _note(field, event)


async def _theirs(field: Field, event: Mapping[str, Any], me: Me) -> Theirs:
    """Who was quicker, as the audit knows. A time may have changed with its zone."""
    change = await event_desk.last_change(event["id"], field.name)
    moment, timezone = change["created_at"] if change else event["updated_at"], event["timezone"]
    at = f"at {words.clock(moment, timezone)} {words.zone_name(moment, timezone)}"
    became = f"to “{_excerpt(field, event)}”" if event[field.name] else "and left it empty"
    if change and change["actor_id"] == me.admin_id:
        return Theirs(f"You changed this {at} in another window {became}.", "the other")
    return Theirs(f"{change['actor_name'] if change else 'Somebody'} changed this {at} {became}.", "theirs")


def _excerpt(field: Field, event: Mapping[str, Any]) -> str:
    stored = event[field.name]
    if field.kind == "moment":
        return event_form.on_clocks(stored, event["timezone"])
    return stored if len(stored) <= EXCERPT else stored[:EXCERPT].rstrip() + "…"


def _in_words(problem: Exception, event: Mapping[str, Any]) -> str:
    if isinstance(problem, EndBeforeStart):
        return event_form.end_before_start(event["start_date"], event["timezone"])
    return event_form.CURRENCY_IN_USE.format(event["currency"]) if isinstance(problem, CurrencyInUse) else str(problem)
