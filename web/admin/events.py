"""All events at the desk: the list, which stays live, a new one, and a copy of one."""

from typing import Any
from uuid import UUID, uuid5

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.access import Permission
from models.ids import new_id
from services import events
from web import live, rendering
from web.admin import access, event_form, event_list, new_event, stream, zones
from web.admin.event_form import CURRENCIES, FIELDS
from web.admin.event_list import HERE, STATUSES, Row
from web.admin.new_event import NewEvent
from web.availability import changes_in
from web.live import Seen
from web.rendering import is_htmx, redirect
from web.security import BACKGROUND, QUIET

EDIT = access.requires(Permission.EDIT_EVENTS)
SALES = access.requires(Permission.SEE_SALES)


class EventsDeskController(Controller):
    path = "/events"
    opt = access.requires(Permission.SEE_EVENTS)

    @get()
    async def index(self, request: Request) -> Response[Any]:
        search = event_list.read_search(request)
        values: dict[str, Any] = {
            "search": search,
            "found": await event_list.find(search),
            "statuses": STATUSES,
            "copy_key": new_id(),
            **_rights(request),
        }
        if is_htmx(request):
            answer = access.fragment(request, "admin/events/_list.html", **values)
            answer.headers["HX-Replace-Url"] = search.address(page=search.page)
            return answer
        return access.page(request, "admin/events/index.html", section="events", **values)

    @get("/live", opt={**SALES, **stream.LIVE})
    async def live(self, request: Request) -> Response[Any]:
        """How full the events are that a page of the list shows. Pages that show the same share one look."""
        search = event_list.read_search(request)
        shown = [row.event["id"] for row in (await event_list.find(search)).rows]

        async def look(changed: set[UUID] | None) -> dict[UUID, Seen]:
            wanted = shown if changed is None else [event_id for event_id in shown if event_id in changed]
            return {row.event["id"]: _seen(row) for row in await event_list.look(wanted)}

        return stream.answer(request, ("desk", "events", tuple(shown)), look, since=live.since(request))

    @get("/now", opt={**SALES, QUIET: True, BACKGROUND: True})
    async def look_again(self, request: Request) -> Response[str]:
        """The same, for a page whose stream is broken."""
        found = await event_list.find(event_list.read_search(request))
        return rendering.html("".join(_seen(row).body for row in found.rows), headers={"Cache-Control": "no-store"})

    @get("/new", opt=EDIT)
    async def ask(self, request: Request) -> Response[Any]:
        return _form(request, await new_event.blank())

    @post(status_code=303, opt=EDIT, request_max_body_size=event_form.LARGEST_BODY)
    async def create(self, request: Request) -> Response[Any]:
        """AC A1–A4, flow 1.3.1: a draft with room for ticket types, and on to its page."""
        new = new_event.read(await request.form())
        if new.errors:
            return _form(request, new)
        event_id = await events.draft(**new.wish, event_id=new.event_id, actor=access.actor(request))
        return redirect(request, f"{HERE}/{event_id}/details?made=new")

    @post("/preview", status_code=200, opt=EDIT, request_max_body_size=event_form.LARGEST_BODY)
    async def preview(self, request: Request) -> Response[str]:
        """A description that is being typed, as the shop would show it. Saves nothing."""
        typed = event_form.text(await request.form(), "description")
        return access.fragment(request, "admin/events/_preview.html", text=typed)

    @post("/{event_id:uuid}/copies", status_code=303, opt=EDIT)
    async def duplicate(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        # The page's key and the event: pressed twice it is copied once, on a later visit once more.
        copy_id = uuid5(new_event.read_key(await request.form()), str(event_id))
        await events.duplicate(event_id, copy_id=copy_id, actor=access.actor(request))
        return redirect(request, f"{HERE}/{copy_id}/details?made=copy")


def _form(request: Request, new: NewEvent) -> Response[str]:
    return access.page(
        request,
        "admin/events/new.html",
        section="events",
        status_code=422 if new.errors else 200,
        new=new,
        fields=FIELDS,
        zones=zones.names(),
        currencies=CURRENCIES,
    )


def _rights(request: Request) -> dict[str, bool]:
    me = access.me(request)
    return {"may_edit": me.may(Permission.EDIT_EVENTS), "may_see_sales": me.may(Permission.SEE_SALES)}


def _seen(row: Row) -> Seen:
    body = rendering.render("admin/events/row.swap.html", row=row)
    return Seen(body, row.shelf.now.timestamp(), changes_in(row.shelf))
