"""The confirmation: what was bought, the tickets with their codes, the receipt. Only by its secret link."""

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, FromQuery

from domain.errors import OrderNotFound
from domain.orders import OrderStatus
from domain.refunds import RefundReason, RefundStatus
from models import order as orders
from models.order import PaidOrder
from services import links
from web import calendar, covers, rendering, till
from web.security import BACKGROUND, PERSONAL, QUIET
from web.tickets import code_of

REFUND_WORDS = {
    RefundStatus.REQUESTED: "We’re sending it to your card.",
    RefundStatus.PENDING: "On its way to your card. Banks usually take five to ten days.",
    RefundStatus.SUCCEEDED: "Sent to your card. Banks usually take five to ten days to show it.",
    RefundStatus.FAILED: "It did not reach your card. The money is still with the organiser, who has been told.",
}
BY_HAND = "It was not paid online: the organiser gives it back to you."
# Ours was not made: the money had gone back by another, which is told of itself.
ELSEWHERE = "given_back_elsewhere"


class OrdersController(Controller):
    path = "/orders/{token:str}"
    opt = {PERSONAL: True}  # noqa: RUF012

    @get()
    async def show(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Safe to reload. Between payment and tickets it says so, and asks again by itself."""
        paid = await _find(token)
        answer = rendering.page(request, "orders/show.html", **await _shown(paid))
        return till.let_cookie_go(request, answer, paid.order["checkout_id"])

    @get("/now", opt={BACKGROUND: True, QUIET: True})
    async def look_again(self, token: FromPath[str], standing: FromQuery[str] = "") -> Response[Any]:
        """What an open page asks now and then: 204 while it says what is true."""
        order_id = links.order_behind(token)
        if await orders.standing(order_id) == standing:
            return Response(None, status_code=204)
        return rendering.fragment("orders/now.swap.html", **await _shown(await _find(token)))

    @get("/calendar.ics")
    async def calendar_entry(self, token: FromPath[str]) -> Response[bytes]:
        paid = await _find(token)
        admits = not paid.tickets or any(ticket["refund_id"] is None for ticket in paid.tickets)
        what = "Your tickets are" if admits else "Your tickets are no longer valid. Your order is"
        note = f"Order {paid.order['number']}. {what} behind this link, which is yours alone:"
        return calendar.invitation(paid.event, url=till.order_path(paid.order["id"]), note=note)


async def _shown(paid: PaidOrder) -> dict[str, Any]:
    valid = sum(ticket["refund_id"] is None for ticket in paid.tickets)
    kept = paid.order["total_amount"] - _gone_back(paid)
    shut_out = sum(_is_shut_out(ticket, kept) for ticket in paid.tickets)
    refunds = [_said(refund) for refund in paid.refunds if refund["amount"] and refund["last_error"] != ELSEWHERE]
    return {
        "path": till.order_path(paid.order["id"]),
        "order": paid.order,
        "event": paid.event,
        "hue": covers.hue(paid.event),
        "timezone": paid.event["timezone"],
        "first_name": paid.order["buyer_name"].partition(" ")[0],
        "ready": paid.order["status"] == OrderStatus.COMPLETED,
        "lines": [{"quantity": i["quantity"], "name": i["name"], "amount": i["line_total"]} for i in paid.items],
        "tickets": [
            {"row": ticket, "qr": code_of(ticket), "shut_out": _is_shut_out(ticket, kept)} for ticket in paid.tickets
        ],
        "valid": valid,
        "shut_out": shut_out,
        "disputed": any(_is_of_a_lost_dispute(refund) for refund in paid.refunds),
        "over": bool(paid.tickets) and not valid and not shut_out,
        "refunds": refunds,
        "failed": next((refund for refund in refunds[-1:] if refund["failed"]), None),
        "kept": kept,
        "standing": await orders.standing(paid.order["id"]),
    }


def _is_shut_out(ticket: Any, kept: int) -> bool:
    """Paid for, and without a seat: its refund failed after the seat had gone to somebody else."""
    return ticket["returned"] and (ticket["refund_status"] == RefundStatus.FAILED or (ticket["swept"] and kept > 0))


def _is_of_a_lost_dispute(refund: Any) -> bool:
    return refund["reason"] == RefundReason.DISPUTED and refund["status"] != RefundStatus.FAILED


def _said(refund: Any) -> dict[str, Any]:
    return {
        "amount": refund["amount"],
        "date": refund["created_at"],
        "failed": refund["status"] == RefundStatus.FAILED,
        "words": BY_HAND if refund["by_hand"] else REFUND_WORDS[RefundStatus(refund["status"])],
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
