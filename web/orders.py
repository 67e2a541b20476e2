"""The confirmation: what was bought, the tickets with their codes, the receipt. Only by its secret link."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from domain.errors import OrderNotFound
from domain.orders import OrderStatus
from domain.refunds import RefundStatus
from models import order as orders
from models.order import PaidOrder
from services import links
from web import calendar, covers, rendering, till
from web.security import PERSONAL
from web.tickets import code_of

REFUND_WORDS = {
    RefundStatus.REQUESTED: "We’re sending it to your card.",
    RefundStatus.PENDING: "On its way to your card. Banks usually take five to ten days.",
    RefundStatus.SUCCEEDED: "Sent to your card. Banks usually take five to ten days to show it.",
    RefundStatus.FAILED: "It did not reach your card, and is still with us. The organiser has been told.",
}


class OrdersController(Controller):
    path = "/orders/{token:str}"
    opt = {PERSONAL: True}  # noqa: RUF012

    @get()
    async def show(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Safe to reload. Between payment and tickets it says so, and asks again by itself."""
        paid = await _find(token)
        valid = sum(ticket["refund_id"] is None for ticket in paid.tickets)
        values = {
            "path": till.order_path(paid.order["id"]),
            "order": paid.order,
            "event": paid.event,
            "hue": covers.hue(paid.event),
            "timezone": paid.event["timezone"],
            "first_name": paid.order["buyer_name"].partition(" ")[0],
            "ready": paid.order["status"] == OrderStatus.COMPLETED,
            "lines": [{"quantity": i["quantity"], "name": i["name"], "amount": i["line_total"]} for i in paid.items],
            "tickets": [{"row": ticket, "qr": code_of(ticket)} for ticket in paid.tickets],
            "valid": valid,
            "over": bool(paid.tickets) and not valid,
            "refunds": [_said(refund) for refund in paid.refunds if refund["amount"]],
            "kept": paid.order["total_amount"] - _gone_back(paid),
        }
        answer = rendering.page(request, "orders/show.html", **values)
        return till.let_cookie_go(request, answer, paid.order["checkout_id"])

    @get("/calendar.ics")
    async def calendar_entry(self, token: FromPath[str]) -> Response[bytes]:
        paid = await _find(token)
        admits = not paid.tickets or any(ticket["refund_id"] is None for ticket in paid.tickets)
        what = "Your tickets are" if admits else "Your tickets are no longer valid. Your order is"
        note = f"Order {paid.order['number']}. {what} behind this link, which is yours alone:"
        return calendar.invitation(paid.event, url=till.order_path(paid.order["id"]), note=note)


def _said(refund: Any) -> dict[str, Any]:
    return {
        "amount": refund["amount"],
        "date": refund["created_at"],
        "failed": refund["status"] == RefundStatus.FAILED,
        "words": REFUND_WORDS[RefundStatus(refund["status"])],
        # Of a payment that came twice: this order keeps what was paid for it.
        "extra": refund["order_id"] is None,
    }


def _gone_back(paid: PaidOrder) -> int:
    """Of this order's money, in minor units."""
    return sum(r["amount"] for r in paid.refunds if r["order_id"] and r["status"] != RefundStatus.FAILED)


async def _find(token: str) -> PaidOrder:
    paid = await orders.paid_order(links.order_behind(token))
    if paid is None:
        raise OrderNotFound
    return paid
