"""Removing a draft that came to nothing: asked first, on a page of its own."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.access import Permission
from domain.errors import EventInUse, Overtaken
from models.audit import last_deed
from services import events
from web.admin import access, event_page
from web.admin.typed import text, whole_number
from web.rendering import redirect


class RemovalController(Controller):
    path = "/events/{event_id:uuid}/removal"
    opt = access.requires(Permission.EDIT_EVENTS)

    @get()
    async def ask(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await _ask(request, event_id)

    @post(status_code=303)
    async def remove(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        after = whole_number(text(await request.form(), "after"))
        try:
            await events.remove(event_id, after=-1 if after is None else after, actor=access.actor(request))
        except EventInUse:
            return await _ask(request, event_id, status_code=409, in_use=True)
        except Overtaken:
            return await _ask(request, event_id, status_code=409, overtaken=True)
        return redirect(request, "/admin/events")


async def _ask(
    request: Request, event_id: UUID, *, status_code: int = 200, in_use: bool = False, overtaken: bool = False
) -> Response[Any]:
    return access.page(
        request,
        "admin/events/removal.html",
        section="events",
        status_code=status_code,
        event=await event_page.find(event_id),
        after=await last_deed(event_id),
        in_use=in_use,
        overtaken=overtaken,
    )
