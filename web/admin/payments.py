"""Payments needing attention: the list, and the buttons beside what stands on it."""

import re
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from domain.access import Permission
from domain.attention import NotOnTheList, Subject
from domain.errors import NoSeatFree, NothingToRefund, NothingToTakeBack, TicketsNotRefundable
from models import attention as facts
from models import database, desk, invariants
from services import attention, disputes, refunds, seats
from tasks import queue
from web.admin import access
from web.admin.attention import in_words
from web.admin.durations import ago
from web.rendering import is_htmx, redirect
from web.security import BACKGROUND, QUIET

HERE = "/admin/payments"
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SETTLE = access.requires(Permission.SETTLE_PAYMENTS)


class PaymentsDeskController(Controller):
    path = "/payments"
    opt = access.requires(Permission.SEE_PAYMENTS)

    @get()
    async def show(self, request: Request) -> Response[Any]:
        return access.page(request, "admin/payments/index.html", section="payments", **await _list(request))

    @get("/now", opt={BACKGROUND: True, QUIET: True})
    async def look_again(self, request: Request) -> Response[Any]:
        """What an open page asks every few seconds, while somebody can see it."""
        return access.fragment(request, "admin/payments/list.swap.html", **await _list(request))

    @post("/{kind:str}/{subject_id:str}/questions", opt=SETTLE)
    async def ask_again(self, request: Request, kind: FromPath[str], subject_id: FromPath[str]) -> Response[Any]:
        await _unless_gone(attention.ask_again(_subject(kind), subject_id, actor=access.actor(request)))
        await queue.ring("drain_outbox")  # what came of it may have a mail to send
        return await _answer(request, f"{kind}-{subject_id}")

    @post("/{kind:str}/{subject_id:str}/retries", opt=SETTLE)
    async def try_again(self, request: Request, kind: FromPath[str], subject_id: FromPath[str]) -> Response[Any]:
        await _unless_gone(attention.try_again(_subject(kind), subject_id, actor=access.actor(request)))
        await queue.ring("drain_outbox" if kind == Subject.NOTE else "handle_notices")
        return await _answer(request, f"{kind}-{subject_id}")

    @post("/{kind:str}/{subject_id:str}/seen", opt=SETTLE)
    async def see(self, request: Request, kind: FromPath[str], subject_id: FromPath[str]) -> Response[Any]:
        status = request.query_params.get("status", "")
        await _unless_gone(attention.see(_subject(kind), subject_id, status=status, actor=access.actor(request)))
        return await _answer(request, f"{kind}-{subject_id}")

    @post("/comparisons", opt=SETTLE)
    async def compare(self, request: Request) -> Response[Any]:
        if await attention.ask_for_comparison(actor=access.actor(request)):
            await queue.ring("compare_now")
        return await _answer(request, "book")

    @get("/refunds/{refund_id:uuid}/seats", opt=access.requires(Permission.REFUND))
    async def ask_about_seats(self, request: Request, refund_id: FromPath[UUID]) -> Response[Any]:
        """Sold again is for ever: asked first, on a page of its own."""
        refund = await desk.refund_with_seats(refund_id)
        if refund is None:
            raise NotFoundException
        return access.page(
            request,
            "admin/payments/seats.html",
            section="payments",
            refund=refund,
            seats=len(refund["tickets"]),
            back=_back(request.query_params.get("back"), refund["order_id"]),
        )

    @post("/refunds/{refund_id:uuid}/seats", opt=access.requires(Permission.REFUND))
    async def return_seats(self, request: Request, refund_id: FromPath[UUID]) -> Response[Any]:
        refund = await desk.refund_with_seats(refund_id)
        if refund is None:
            raise NotFoundException
        with suppress(NothingToRefund):  # its money came back to us meanwhile: the list says so
            await refunds.return_seats(refund_id, actor=access.actor(request))
        return redirect(request, _back((await request.form()).get("back"), refund["order_id"]))

    @post("/refunds/{refund_id:uuid}/admission", opt=access.requires(Permission.REFUND))
    async def take_seats_back(self, request: Request, refund_id: FromPath[UUID]) -> Response[Any]:
        """One press: a seat that is free makes the ticket of a failed refund valid again."""
        refund = await desk.refund_with_seats(refund_id)
        if refund is None:
            raise NotFoundException
        try:
            await seats.take_back(refund_id, actor=access.actor(request))
        except NothingToTakeBack:
            pass  # somebody was quicker: the list says so
        except NoSeatFree:
            return await _no_seat(request, refund)
        await queue.ring("drain_outbox")
        back = _back((await request.form()).get("back"), refund["order_id"])
        return redirect(request, back) if back != HERE else await _answer(request, f"refund-{refund_id}")

    @get("/disputes/{dispute_id:str}/tickets", opt=access.requires(Permission.REFUND))
    async def ask_about_tickets(self, request: Request, dispute_id: FromPath[str]) -> Response[Any]:
        """Nobody comes in with them any more: asked first, on a page of its own."""
        return await _ask_about_tickets(request, dispute_id)

    @post("/disputes/{dispute_id:str}/tickets", opt=access.requires(Permission.REFUND))
    async def make_tickets_invalid(self, request: Request, dispute_id: FromPath[str]) -> Response[Any]:
        form = await request.form()
        chosen = {UUID(id) for id in form.getall("ticket", []) if UUID_TEXT.fullmatch(str(id))}
        if not chosen:
            return await _ask_about_tickets(request, dispute_id, error="Choose at least one ticket.")
        try:
            await disputes.make_tickets_invalid(dispute_id, chosen, actor=access.actor(request))
        except (TicketsNotRefundable, NotOnTheList):
            return await _ask_about_tickets(request, dispute_id, changed=True)
        await queue.ring("drain_outbox")
        return redirect(request, f"{HERE}#dispute-{dispute_id}")

    @get("/promises")
    async def check_promises(self, request: Request) -> Response[Any]:
        """Only when somebody asks: it counts every row there is."""
        began = time.perf_counter()
        broken, unknown = await _check_promises()
        return access.page(
            request,
            "admin/payments/promises.html",
            section="payments",
            names=list(invariants.INVARIANTS),
            broken=broken,
            unknown=unknown,
            seconds=f"{time.perf_counter() - began:.1f}",
        )


async def count(request: Request) -> None:
    """Before every page of the desk: how many things the navigation says need somebody. Parts of pages have none."""
    who = request.state.get("me")
    if who and who.may(Permission.SEE_PAYMENTS) and not is_htmx(request):
        request.state.counts = {"payments": await facts.count()}


async def _list(request: Request, pressed: str | None = None, said: str | None = None) -> dict[str, Any]:
    """`said`: what came of the press, where nothing was done that the audit could tell."""
    desk = in_words(await facts.look(attention.ANSWERS), pressed=pressed, said=said)
    me = access.me(request)
    return {
        "desk": desk,
        "ago": ago,
        "may_settle": me.may(Permission.SETTLE_PAYMENTS),
        "may_refund": me.may(Permission.REFUND),
    }


async def _answer(request: Request, pressed: str) -> Response[Any]:
    """The list as it is now, with what came of it; what was done is in the audit, so a plain reload says it too."""
    if not is_htmx(request):
        return Response(None, status_code=303, headers={"Location": f"{HERE}#{pressed}"})
    return access.fragment(request, "admin/payments/list.swap.html", **await _list(request, pressed))


async def _unless_gone(doing: Any) -> None:
    """What was settled meanwhile is no mistake of whoever pressed: the list shows it gone."""
    with suppress(NotOnTheList):
        await doing


async def _no_seat(request: Request, refund: Any) -> Response[Any]:
    """409: the last one went to somebody else just now. On the list where it was pressed, or as a page of its own."""
    if is_htmx(request):
        values = await _list(request, f"refund-{refund['id']}", "No seat is free any more. Nothing has changed.")
        return access.fragment(request, "admin/payments/list.swap.html", status_code=409, **values)
    back = _back((await request.form()).get("back"), refund["order_id"])
    return access.page(
        request, "admin/payments/no_seat.html", section="payments", status_code=409, refund=refund, back=back
    )


async def _ask_about_tickets(
    request: Request, dispute_id: str, *, error: str | None = None, changed: bool = False
) -> Response[Any]:
    found = await desk.lost_dispute(dispute_id)
    if found is None and not changed:
        raise NotFoundException
    dispute, tickets = found or (None, [])
    return access.page(
        request,
        "admin/payments/disputed_tickets.html",
        section="payments",
        status_code=422 if error else 409 if changed else 200,
        dispute=dispute,
        tickets=tickets,
        error=error,
        changed=changed,
        back=HERE,
    )


def _subject(kind: str) -> Subject:
    try:
        return Subject(kind)
    except ValueError:
        raise NotFoundException from None


def _back(asked: object, order_id: UUID | None) -> str:
    """To the order's refunds when the way led from there."""
    return f"/admin/orders/{order_id}/refund" if asked and order_id and asked != HERE else HERE


async def _check_promises() -> tuple[dict[str, list[tuple]], set[str]]:
    """The broken ones with the rows that break them, and those that took too long to count."""
    broken, unknown = {}, set()
    for name, sql in invariants.INVARIANTS.items():
        try:
            if rows := await database.fetch(sql):
                broken[name] = [tuple(row) for row in rows]
        except asyncpg.QueryCanceledError:
            unknown.add(name)
    return broken, unknown
