"""Paying: the one live payment of a checkout, and how it stands."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.errors import AlreadyPaid, AmountNotPayable, InLine, TooBusy
from domain.reservations import HoldState
from services import checkout
from services.checkout import FreeOfCharge
from services.gateway import NotAsked, OutcomeUnknown
from tasks import queue
from web import till
from web.buyer_form import read_buyer
from web.checkouts import answer_buyer, remember
from web.rendering import is_htmx, redirect
from web.till import Notice

UNREACHABLE, BUSY, ASKING = Notice("unreachable"), Notice("busy"), Notice("asking")


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
        an order copies the name and e-mail. A free purchase is done at once.

        200 with the secret; 202 more buyers than the provider may be asked for: come again, the hold waits too.
        """
        visit = await till.find(token)
        if visit.state == HoldState.PAID:  # pressed twice: the first press has done it
            return redirect(request, till.order_path(visit.checkout["order_id"]))
        if visit.state != HoldState.HELD:
            return redirect(request, till.checkout_path(visit))
        buyer = read_buyer(await request.form())
        await remember(visit, buyer)
        if buyer.errors or (visit.amount and not is_htmx(request)):
            # Without JavaScript there is no card field: the details are kept, and the page says what to do.
            return answer_buyer(request, visit, buyer)
        try:
            started = await checkout.start_payment(visit.checkout["id"])
        except InLine as line:
            return till.show_line(await till.find(token), line)
        except OutcomeUnknown:
            return await self._show_unreachable(request, token)
        except TooBusy:
            return till.show_notice(visit, BUSY, status_code=503)
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

        303 to the order; 402 it came to nothing; 200 nothing has happened yet; 202 tickets are being made, or there is
        a line and we ask in a moment; 503 unknown.
        """
        visit, trouble = await till.find(token), None
        if visit.state != HoldState.PAID:
            try:
                await checkout.ask_about_payment(visit.checkout["id"])
            except OutcomeUnknown as silence:
                trouble = silence
            visit = await till.find(token)
            if visit.state == HoldState.PAID:
                await queue.ring("drain_outbox")
        if visit.state != HoldState.HELD:
            return await till.show(request, visit, sure=trouble is None)
        if is_htmx(request) and not till.only_waits(request):
            return await self._tell_script(visit, trouble)
        return till.show_waiting(request, visit) if trouble else redirect(request, till.checkout_path(visit))

    async def _tell_script(self, visit: till.Visit, trouble: OutcomeUnknown | None) -> Response[str]:
        """The page with the card fields, while the tickets are held."""
        if isinstance(trouble, NotAsked):
            return till.show_notice(visit, ASKING, status_code=202)
        if trouble:
            return till.show_notice(visit, UNREACHABLE, status_code=503)
        notice = await till.notice_of(visit)
        return till.show_notice(visit, notice, status_code=402 if notice else 200)

    async def _show_unreachable(self, request: Request, token: str) -> Response[Any]:
        visit = await till.find(token)
        if visit.state != HoldState.HELD:
            # Paid in another tab, and the answer about its money is still out: no invitation to try again.
            return redirect(request, till.checkout_path(visit))
        return till.show_notice(visit, UNREACHABLE, status_code=503)
