"""Paying: the one live payment of a checkout, and how it stands."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.errors import AlreadyPaid, AmountNotPayable
from domain.reservations import HoldState
from services import checkout
from services.checkout import FreeOfCharge
from services.gateway import OutcomeUnknown
from tasks import queue
from web import till
from web.buyer_form import read_buyer
from web.checkouts import answer_buyer, remember
from web.rendering import is_htmx, redirect
from web.till import Notice

UNREACHABLE = Notice("unreachable")


class PaymentsController(Controller):
    path = "/checkouts/{token:str}"
    opt = till.OPTIONS
    exception_handlers = till.REFUSALS

    @get("/payment")
    async def go_back(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """The address of the form, opened by hand or reloaded."""
        return redirect(request, till.checkout_path(await till.find(token)))

    @post("/payment", status_code=200)
    async def start(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Start the payment, or find it again. What can be paid with is only handed out to a buyer whom we know:
        an order copies the name and e-mail. A free purchase is done at once."""
        visit = await till.find(token)
        if visit.state != HoldState.HELD:
            return redirect(request, till.checkout_path(visit))
        buyer = read_buyer(await request.form())
        await remember(visit, buyer)
        if buyer.errors or (visit.amount and not is_htmx(request)):
            # Without JavaScript there is no card field: the details are kept, and the page says what to do.
            return answer_buyer(request, visit, buyer)
        try:
            started = await checkout.start_payment(visit.checkout["id"])
        except OutcomeUnknown:
            return till.show_notice(visit, UNREACHABLE, status_code=503)
        except AmountNotPayable:
            return till.show_notice(visit, Notice("amount"), status_code=409)
        except AlreadyPaid:
            await queue.ring("drain_outbox")
            raise
        if isinstance(started, FreeOfCharge):
            await queue.ring("drain_outbox")
            return await till.show(request, await till.find(token))
        # The secret travels in this body only: never in an address, a log, the history or a cached page.
        return Response({"client_secret": started.client_secret}, headers={"Cache-Control": "no-store"})

    @get("/status")
    async def show_status(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Ask the provider, bring the purchase as far as it can go, and say how it stands.

        303 to the order; 402 the bank said no; 200 nothing has happened yet; 202 tickets are being made; 503 unknown.
        """
        visit, sure = await till.find(token), True
        if visit.state != HoldState.PAID:
            try:
                await checkout.ask_about_payment(visit.checkout["id"])
            except OutcomeUnknown:
                sure = False
            visit = await till.find(token)
            if visit.state == HoldState.PAID:
                await queue.ring("drain_outbox")
        if visit.state != HoldState.HELD:
            return await till.show(request, visit, sure=sure)
        return self._show_held(request, visit, sure)

    def _show_held(self, request: Request, visit: till.Visit, sure: bool) -> Response[Any]:
        notice = till.notice_of(visit) if sure else UNREACHABLE
        status_code = 503 if not sure else 402 if notice else 200
        if is_htmx(request):
            return till.show_notice(visit, notice, status_code=status_code)
        if sure:
            return redirect(request, till.checkout_path(visit))
        return till.show_form(request, visit, notice=notice, status_code=status_code)
