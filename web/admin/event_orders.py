"""The orders of one event, within its frame."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from domain.access import Permission
from web.admin import access, event_page, order_list, order_search, stream
from web.admin.order_list import Place
from web.admin.order_search import OrderSearch
from web.security import BACKGROUND, QUIET


class EventOrdersController(Controller):
    path = "/events/{event_id:uuid}/orders"
    opt = access.requires(Permission.SEE_ORDERS)

    @get()
    async def index(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        event, search = await event_page.find(event_id), _search(request)
        return event_page.page(
            request,
            event,
            "admin/orders/event.html",
            tab="orders",
            status_code=422 if search.errors else 200,
            **await order_list.shown(request, search, _place(event)),
        )

    @get("/list")
    async def look(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await order_list.answer(request, _search(request), _place(await event_page.find(event_id)))

    @get("/arrivals", opt={BACKGROUND: True, QUIET: True})
    async def arrivals(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await order_list.say_arrivals(request, _search(request), _place(await event_page.find(event_id)))

    @get("/live", opt=stream.LIVE)
    async def live(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        await event_page.find(event_id)
        return stream.answer(request, ("desk-orders", event_id), order_list.look(event_id))


def _search(request: Request) -> OrderSearch:
    """Within an event, whatever the address says of another."""
    asked = {name: value for name, value in request.query_params.items() if name != "event"}
    return order_search.read(asked)


def _place(event: Any) -> Place:
    return Place(f"/admin/events/{event['id']}/orders", event["timezone"], event, own=True)
