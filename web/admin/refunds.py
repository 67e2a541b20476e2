"""Giving the money of an order back: by item, by amount or all of it, and what became of that."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain.access import Permission
from domain.errors import OrderNotComplete, Refusal
from domain.orders import OrderStatus
from domain.refunds import DESK_REASONS, RefundPlan, RefundReason
from models import desk
from models.desk import Refundable
from services import refunds
from tasks import queue
from web.admin import access, refund_form
from web.admin.attention.disputes import before_refunding
from web.admin.refund_form import REASONS, RefundForm
from web.rendering import redirect
from web.security import BACKGROUND, QUIET
from web.words import money

STATES = {
    "REQUESTED": ("On its way to Stripe", "info"),
    "PENDING": ("With the bank", "info"),
    "SUCCEEDED": ("Sent back", "ok"),
    "FAILED": ("Failed: still with us", "bad"),
}
BY_HAND = ("Given back by hand", "ok")


class RefundsDeskController(Controller):
    path = "/orders/{order_id:uuid}/refund"
    opt = access.requires(Permission.REFUND)

    @get()
    async def show(self, request: Request, order_id: FromPath[UUID], made: FromQuery[str] = "") -> Response[Any]:
        found = await _find(order_id)
        new = next((refund for refund in found.refunds if str(refund["id"]) == made), None)
        form = refund_form.blank(found)
        if "what" in request.query_params:
            form = refund_form.read(request.query_params, found)
            form.errors.clear()
        return _form(request, found, form, made=new)

    @get("/question")
    async def ask(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """What exactly will happen. Nothing has happened yet, so it may be reloaded, left and come back to."""
        found = await _find(order_id)
        form = refund_form.read(request.query_params, found)
        if known := await desk.refund_of_request(form.key):
            return _to_made(request, order_id, known)
        decided = refund_form.decide(form, found)
        if form.errors or decided is None:
            return _form(request, found, form)
        return _confirm(request, found, form, decided)

    @post(status_code=200)
    async def give_back(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """What was read happens, and nothing else. The same form pressed twice pays once."""
        found = await _find(order_id)
        typed = await request.form()
        form = refund_form.read(typed, found)
        if known := await desk.refund_of_request(form.key):
            return _to_made(request, order_id, known)
        decided = refund_form.decide(form, found)
        if form.errors or decided is None:
            return _form(request, found, form)
        refund_form.read_why(typed, form)
        changed = typed.get("confirmed") != refund_form.fingerprint(decided)
        if form.errors or changed:
            return _confirm(request, found, form, decided, changed=changed)
        return await _request(request, found, form)

    @get("/summary", opt={BACKGROUND: True, QUIET: True})
    async def say(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """What would happen, while it is being chosen."""
        found = await _find(order_id)
        form = refund_form.read(request.query_params, found)
        return access.fragment(request, "admin/refunds/_summary.html", lines=_summary(form, found))

    @get("/list", opt={BACKGROUND: True, QUIET: True})
    async def look_again(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """What became of the refunds, while the page is open."""
        return access.fragment(request, "admin/refunds/list.swap.html", **shown(await _find(order_id)))


async def _request(request: Request, found: Refundable, form: RefundForm) -> Response[Any]:
    assert form.wish is not None
    try:
        made = await refunds.request(
            found.order["id"],
            form.wish,
            reason=RefundReason(form.reason),
            note=form.note,
            seats_return=form.seats_return,
            request_key=form.key,
            actor=access.actor(request),
        )
    except OrderNotComplete:
        return _form(request, found, form)
    except Refusal as refusal:
        found = await _find(found.order["id"])
        refund_form.explain(refusal, form, found)
        return _form(request, found, form)
    await queue.ring("drain_outbox")
    return _to_made(request, found.order["id"], made)


def _to_made(request: Request, order_id: UUID, refund_id: UUID) -> Response[Any]:
    return redirect(request, f"/admin/orders/{order_id}/refund?made={refund_id}")


def _form(request: Request, found: Refundable, form: RefundForm, made: Any = None) -> Response[Any]:
    return access.page(
        request,
        "admin/refunds/show.html",
        section="orders",
        status_code=422 if form.errors else 200,
        form=form,
        made=made,
        warning=before_refunding(found.disputes),
        ready=found.order["status"] == OrderStatus.COMPLETED,
        lines=_summary(form, found),
        **shown(found),
    )


def _confirm(
    request: Request, found: Refundable, form: RefundForm, decided: RefundPlan, *, changed: bool = False
) -> Response[Any]:
    return access.page(
        request,
        "admin/refunds/confirm.html",
        section="orders",
        status_code=409 if changed else 422 if form.errors else 200,
        form=form,
        warning=before_refunding(found.disputes),
        reasons={reason: REASONS[reason] for reason in DESK_REASONS},
        back=f"/admin/orders/{found.order['id']}/refund?{refund_form.as_query(form)}",
        decided=decided,
        fingerprint=refund_form.fingerprint(decided),
        lines=refund_form.in_words(decided, form, found),
        changed=changed,
        **shown(found),
    )


def shown(found: Refundable) -> dict[str, Any]:
    """An order and its refunds, as the refund form and the order's own page show them."""
    return {
        "order": found.order,
        "items": found.items,
        "tickets": found.tickets,
        "refunds": [_said(refund) for refund in found.refunds],
        "left": found.left,
        "can_refund": bool(found.left or refund_form.valid(found)),
        "moving": any(refund["status"] in ("REQUESTED", "PENDING") for refund in found.refunds),
    }


def _said(refund: Any) -> dict[str, Any]:
    state, tone = BY_HAND if refund["by_hand"] else STATES[refund["status"]]
    title = money(refund["amount"], refund["currency"]) if refund["amount"] else "Tickets cancelled"
    return {
        "row": refund,
        "title": title,
        "state": state if refund["amount"] else "Called off" if refund["status"] == "FAILED" else "Done",
        "tone": tone,
        "reason": REASONS[RefundReason(refund["reason"])],
        "seats_waiting": refund["seats_kept"] if refund["status"] in ("PENDING", "SUCCEEDED") else 0,
        "shut_out": refund["shut_out"],
    }


def _summary(form: RefundForm, found: Refundable) -> list[str]:
    """Empty while there is something missing or wrong: that is said at its field, once the form is sent."""
    trial = RefundForm(form.request_key, what=form.what, tickets=form.tickets, wish=form.wish)
    trial.seats_return = form.seats_return
    decided = refund_form.decide(trial, found)
    return refund_form.in_words(decided, trial, found) if decided else []


async def _find(order_id: UUID) -> Refundable:
    found = await desk.refundable(order_id)
    if found is None:
        raise NotFoundException
    return found
