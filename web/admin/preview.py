"""A draft as its buyers will see it: the shop's own page, by the shop's own rules, as if it were published."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from domain.access import Permission
from domain.events import EventStatus
from models import ticket_desk
from web import events, rendering
from web.admin import access, event_page, readiness
from web.rendering import redirect


class PreviewController(Controller):
    path = "/events/{event_id:uuid}/preview"
    opt = access.requires(Permission.SEE_EVENTS)

    @get()
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """Once it is published, the page itself is there to be seen."""
        event = await event_page.find(event_id)
        if event["status"] == EventStatus.PUBLISHED:
            return redirect(request, f"/events/{event['slug']}")
        seen = {**event, "status": EventStatus.PUBLISHED, "about_types": await ticket_desk.about_types(event_id)}
        shelf = readiness.if_published(event["shelf"])
        parts = events.shown(seen, shelf, None, None)
        return rendering.page(
            request,
            "admin/publication/preview.html",
            headers={"Cache-Control": "no-store", "X-Robots-Tag": "noindex"},
            request_key="",
            preview=True,
            address=f"/admin/events/{event_id}",
            **parts,
            **events.about(seen, shelf, parts["a"]),
        )
