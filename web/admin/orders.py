"""The list of orders: found, narrowed, page by page; and what has come while it was open."""

from typing import Any

from litestar import Controller, Request, Response, get

from domain.access import Permission
from models import order_desk
from web.admin import access, order_list, order_search, stream
from web.admin.order_list import Place
from web.admin.order_search import OrderSearch
from web.security import BACKGROUND, QUIET

HERE = "/admin/orders"


class OrdersController(Controller):
    path = "/orders"
    opt = access.requires(Permission.SEE_ORDERS)

    @get()
    async def index(self, request: Request) -> Response[Any]:
        search = order_search.read(request.query_params)
        place = await _place(search)
        return access.page(
            request,
            "admin/orders/index.html",
            section="orders",
            status_code=422 if search.errors else 200,
            events=(events := await order_desk.events()),
            more_events=len(events) == order_desk.MOST_EVENTS,
            **await order_list.shown(request, search, place),
        )

    @get("/list")
    async def look(self, request: Request) -> Response[Any]:
        search = order_search.read(request.query_params)
        return await order_list.answer(request, search, await _place(search))

    @get("/arrivals", opt={BACKGROUND: True, QUIET: True})
    async def arrivals(self, request: Request) -> Response[Any]:
        search = order_search.read(request.query_params)
        return await order_list.say_arrivals(request, search, await _place(search))

    @get("/live", opt=stream.LIVE)
    async def live(self, request: Request) -> Response[Any]:
        return stream.answer(request, "desk-orders", order_list.look())


async def _place(search: OrderSearch) -> Place:
    """Days and times of one event are its own; over all of them, those of where most events take place."""
    event = await order_desk.event(search.event) if search.event else None
    return Place(HERE, event["timezone"] if event else await order_desk.zone(), event)
