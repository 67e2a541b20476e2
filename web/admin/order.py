"""One order at the desk: what was bought, by whom, how it was paid, what became of it; and what can be put right."""

from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain.access import Permission
from domain.attention import NotOnTheList
from domain.errors import OrderNotComplete, Overtaken, RequestKeyReused
from domain.orders import JustSent, NothingToSend, OrderStatus
from models import order_page
from models.order_page import OrderPage
from services import attention, orders
from tasks import queue
from web import till
from web.admin import access, order_list, refunds
from web.admin.timeline import timeline
from web.buyer_form import LONG_NAME, MAX_NAME, NO_NAME, ODD_NAME, BuyerForm, read_buyer
from web.forms import REQUEST_KEY, new_request_key
from web.security import BACKGROUND, QUIET

EDIT = access.requires(Permission.EDIT_ORDERS)
NAME_PROBLEMS = {
    NO_NAME: "Enter a name, as it should appear on the tickets.",
    ODD_NAME: "Use letters and spaces only. Something in this name can’t be printed.",
    LONG_NAME: f"Shorten the name to {MAX_NAME} characters, so that it fits on the tickets.",
}
EMAIL_IS_MISSING = "Enter the email that the tickets should go to."
DONE = frozenset({"buyer", "email", "holder", "mail", "asked", "sold", "not_yet", "none_left"})


@dataclass(slots=True)
class Editing:
    """What of the page is being put right. `was`: what its reader had before them; `theirs`: what somebody else made
    of it meanwhile."""

    what: str  # “buyer”, or the id of a ticket
    typed: dict[str, str]
    was: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    theirs: list[str] = field(default_factory=list)
    holders_too: bool = True


class OrderDeskController(Controller):
    path = "/orders/{order_id:uuid}"
    opt = access.requires(Permission.SEE_ORDERS)

    @get()
    async def show(self, request: Request, order_id: FromPath[UUID], done: FromQuery[str] = "") -> Response[Any]:
        return _page(request, await _find(order_id), done=done)

    @get("/now", opt={BACKGROUND: True, QUIET: True})
    async def look_again(self, request: Request, order_id: FromPath[UUID], done: FromQuery[str] = "") -> Response[Any]:
        """What an open page asks every few seconds, unless somebody is typing in it."""
        return access.fragment(request, "admin/orders/_order.html", **_shown(request, await _find(order_id), done=done))

    @get("/buyer", opt=EDIT)
    async def edit_buyer(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        page = await _find(order_id)
        now = _buyer(page)
        return _page(request, page, editing=Editing("buyer", now, now))

    @post("/buyer", opt=EDIT)
    async def correct_buyer(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        page, form = await _find(order_id), await request.form()
        typed, errors = _read(read_buyer(form))
        now = _buyer(page)
        was = {name: _text(form.get(f"was_{name}"), now[name]) for name in typed}
        editing = Editing("buyer", typed, was, errors, holders_too=bool(form.get("holders")))
        if errors:
            return _page(request, page, editing=editing, status_code=422)
        fields = {f"buyer_{name}": (was[name], typed[name]) for name in typed if typed[name] != was[name]}
        try:
            await orders.correct_buyer(order_id, fields, holders_too=editing.holders_too, actor=access.actor(request))
        except Overtaken:
            return _overtaken(request, await _find(order_id), editing)
        return _back(order_id, "email" if typed["email"] != now["email"] else "buyer")

    @get("/tickets/{ticket_id:uuid}", opt=EDIT)
    async def edit_holder(self, request: Request, order_id: FromPath[UUID], ticket_id: FromPath[UUID]) -> Response[Any]:
        page = await _find(order_id)
        now = _holder(page, ticket_id)
        return _page(request, page, editing=Editing(str(ticket_id), now, now))

    @post("/tickets/{ticket_id:uuid}", opt=EDIT)
    async def correct_holder(
        self, request: Request, order_id: FromPath[UUID], ticket_id: FromPath[UUID]
    ) -> Response[Any]:
        page, form = await _find(order_id), await request.form()
        now = _holder(page, ticket_id)
        typed, errors = _read(read_buyer(form))
        was = {"name": _text(form.get("was_name"), now["name"])}
        editing = Editing(
            str(ticket_id), {"name": typed["name"]}, was, {n: e for n, e in errors.items() if n == "name"}
        )
        if editing.errors:
            return _page(request, page, editing=editing, status_code=422)
        try:
            await orders.correct_holder(
                order_id, ticket_id, was=was["name"], to=typed["name"], actor=access.actor(request)
            )
        except Overtaken:
            return _overtaken(request, await _find(order_id), editing)
        return _back(order_id, "holder")

    @post("/mails", opt=EDIT)
    async def send_again(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """Once per press and once a minute, to the address that the order has now."""
        page = await _find(order_id)
        key = (await request.form()).get("request_key")
        key = key if isinstance(key, str) and REQUEST_KEY.fullmatch(key) else new_request_key()
        try:
            await orders.send_again(order_id, request_key=key, actor=access.actor(request))
        except JustSent as refusal:
            return _page(request, page, done="just_sent", wait=ceil(refusal.wait), status_code=429)
        except NothingToSend:
            return _page(request, page, done="none_left", status_code=409)
        except (OrderNotComplete, RequestKeyReused):
            return _page(request, page, done="not_yet", status_code=409)
        await queue.ring("drain_outbox")
        return _back(order_id, "mail")

    @post("/questions", opt=access.requires(Permission.SETTLE_PAYMENTS))
    async def ask_again(self, request: Request, order_id: FromPath[UUID]) -> Response[Any]:
        """Whatever of it has no end yet is asked about now."""
        page = await _find(order_id)
        for subject, subject_id in page.unsettled:
            with suppress(NotOnTheList):
                await attention.ask_again(subject, subject_id, actor=access.actor(request))
        await queue.ring("drain_outbox")
        return _back(order_id, "asked")


def _page(request: Request, page: OrderPage, *, status_code: int = 200, **values: Any) -> Response[Any]:
    return access.page(
        request, "admin/orders/show.html", section="orders", status_code=status_code, **_shown(request, page, **values)
    )


def _shown(
    request: Request, page: OrderPage, *, editing: Editing | None = None, done: str = "", wait: int = 0
) -> dict[str, Any]:
    me = access.me(request)
    may_edit = me.may(Permission.EDIT_ORDERS)
    return {
        **refunds.shown(page.found),
        "payment": page.payment,
        "ready": page.order["status"] == OrderStatus.COMPLETED,
        "sendable": any(ticket["refund_id"] is None for ticket in page.found.tickets),
        "chips": order_list.chips(page.payment),
        "moments": timeline(page.order, page.traces),
        "editing": editing,
        "done": done if done in DONE or wait else "",
        "wait": wait,
        "unsettled": bool(page.unsettled) and me.may(Permission.SETTLE_PAYMENTS),
        "may_edit": may_edit,
        "may_refund": me.may(Permission.REFUND),
        # As good as the tickets themselves: only for those who may send them too.
        "tickets_path": till.order_path(page.order["id"]) if may_edit else None,
        "request_key": new_request_key(),
    }


def _overtaken(request: Request, page: OrderPage, editing: Editing) -> Response[Any]:
    """Somebody else was quicker: what they wrote is shown, what was typed is kept, and saving again is a decision."""
    now = _buyer(page) if editing.what == "buyer" else _holder(page, UUID(editing.what))
    for name, was in editing.was.items():
        if editing.typed[name] == was:
            editing.typed[name] = now[name]  # nobody touched it here: it is as somebody else has put it
        elif now[name] != was:
            editing.theirs.append(f"The {name} is “{now[name]}” now.")
    editing.was = {name: now[name] for name in editing.was}
    return _page(request, page, editing=editing, status_code=409)


def _back(order_id: UUID, done: str) -> Response[None]:
    """A plain 303 also for htmx, which follows it and takes the order out of the page."""
    return Response(None, status_code=303, headers={"Location": f"/admin/orders/{order_id}?done={done}"})


def _read(form: BuyerForm) -> tuple[dict[str, str], dict[str, str]]:
    """By the shop's own rules, in words for somebody who writes about another person."""
    errors = dict(form.errors)
    if "name" in errors:
        errors["name"] = NAME_PROBLEMS[errors["name"]]
    if "email" in errors and not form.email:
        errors["email"] = EMAIL_IS_MISSING
    return {"name": form.name, "email": form.email}, errors


def _text(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _buyer(page: OrderPage) -> dict[str, str]:
    return {"name": page.order["buyer_name"], "email": page.order["buyer_email"]}


def _holder(page: OrderPage, ticket_id: UUID) -> dict[str, str]:
    ticket = next((ticket for ticket in page.found.tickets if ticket["id"] == ticket_id), None)
    if ticket is None:
        raise NotFoundException
    return {"name": ticket["holder_name"]}


async def _find(order_id: UUID) -> OrderPage:
    page = await order_page.order_page(order_id)
    if page is None:
        raise NotFoundException
    return page
