"""The buyer's visit to the till: how the hold stands, who is buying, giving the tickets back."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.reservations import HoldState
from models.checkout import Visit
from services import checkout
from services.gateway import OutcomeUnknown
from web import rendering, till
from web.buyer_form import BuyerForm, kept_buyer, read_buyer
from web.rendering import is_htmx, redirect


class CheckoutsController(Controller):
    path = "/checkouts/{token:str}"
    opt = till.OPTIONS
    exception_handlers = till.REFUSALS

    @get()
    async def show(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """The personal page of one purchase, on whatever device its link is opened."""
        visit = await till.find(token)
        if "payment_intent" in request.query_params:
            # Back from the bank's own page. The address names the intent's secret: leave it at once.
            return redirect(request, f"{till.checkout_path(visit)}/status")
        visit, sure = await _ask_before_it_ends(visit, token)
        return await till.show(request, visit, sure=sure)

    @post("/buyer", status_code=200)
    async def keep_buyer(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Remember what is good in the form, and say what is not: 422."""
        visit = await till.find(token)
        if visit.state != HoldState.HELD:
            return redirect(request, till.checkout_path(visit))
        buyer = read_buyer(await request.form())
        await remember(visit, buyer)
        return answer_buyer(request, visit, buyer)

    @get("/buyer")
    async def go_back(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """The address of the form, opened by hand or reloaded."""
        return redirect(request, till.checkout_path(await till.find(token)))

    @get("/release")
    async def ask_release(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Asks before giving back; only seen without JavaScript, the page has the same question in a dialog."""
        visit = await till.find(token)
        if visit.state != HoldState.HELD:
            return redirect(request, till.checkout_path(visit))
        return rendering.page(request, "checkouts/release.html", **till.shown(visit))

    @post("/release")
    async def release(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Let the tickets go for others. Harmless when they are gone already."""
        visit = await till.find(token)
        await checkout.give_back(visit.checkout["id"])
        answer = redirect(request, till.checkout_path(visit))
        return till.let_cookie_go(request, answer, visit.checkout["id"])


async def remember(visit: Visit, buyer: BuyerForm) -> None:
    """Keep the good fields. A bad one never takes the place of what was good before: a payment may rely on it."""
    kept = kept_buyer(visit.checkout)
    name = kept.name if "name" in buyer.errors else buyer.name
    email = kept.email if "email" in buyer.errors else buyer.email
    if (name, email) != (kept.name, kept.email):
        await checkout.remember_buyer(visit.checkout["id"], name=name, email=email)


def answer_buyer(request: Request, visit: Visit, buyer: BuyerForm) -> Response[Any]:
    """The form with its errors, or as it is now remembered."""
    status_code = 422 if buyer.errors else 200
    if is_htmx(request):
        return rendering.fragment("checkouts/_buyer.html", status_code=status_code, buyer=buyer)
    if buyer.errors:
        return till.show_form(request, visit, buyer=buyer, status_code=status_code)
    return redirect(request, till.checkout_path(visit))


async def _ask_before_it_ends(visit: Visit, token: str) -> tuple[Visit, bool]:
    """Nobody is told that their hold has ended while a payment of theirs may have gone through. True: we are sure."""
    if visit.state != HoldState.ENDED or visit.checkout["payment_status"] != "OPEN":
        return visit, True
    try:
        await checkout.ask_about_payment(visit.checkout["id"])
    except OutcomeUnknown:
        return visit, False
    return await till.find(token), True
