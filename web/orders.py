"""The confirmation: what was bought, the tickets with their codes, the receipt. Only by its secret link."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from domain.errors import OrderNotFound
from domain.orders import OrderStatus
from models import order as orders
from models.order import PaidOrder
from services import links
from web import calendar, covers, rendering, till
from web.security import PERSONAL
from web.tickets import qr


class OrdersController(Controller):
    path = "/orders/{token:str}"
    opt = {PERSONAL: True}  # noqa: RUF012

    @get()
    async def show(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Safe to reload. Between payment and tickets it says so, and asks again by itself."""
        paid = await _find(token)
        values = {
            "path": till.order_path(paid.order["id"]),
            "order": paid.order,
            "event": paid.event,
            "hue": covers.hue(paid.event["slug"]),
            "timezone": paid.event["timezone"],
            "first_name": paid.order["buyer_name"].partition(" ")[0],
            "ready": paid.order["status"] == OrderStatus.COMPLETED,
            "lines": [{"quantity": i["quantity"], "name": i["name"], "amount": i["line_total"]} for i in paid.items],
            "tickets": [{"row": ticket, "qr": qr(ticket["id"], ticket["number"])} for ticket in paid.tickets],
        }
        answer = rendering.page(request, "orders/show.html", **values)
        return till.let_cookie_go(request, answer, paid.order["checkout_id"])

    @get("/calendar.ics")
    async def calendar_entry(self, token: FromPath[str]) -> Response[bytes]:
        paid = await _find(token)
        note = f"Order {paid.order['number']}. Your tickets are behind this link, which is yours alone:"
        return calendar.invitation(paid.event, url=till.order_path(paid.order["id"]), note=note)


async def _find(token: str) -> PaidOrder:
    paid = await orders.paid_order(links.order_behind(token))
    if paid is None:
        raise OrderNotFound
    return paid
