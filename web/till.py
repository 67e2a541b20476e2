"""The pages of the till, one for each way a hold can stand. They say what the server knows and change nothing."""

import math
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response

from domain.errors import AlreadyPaid, CheckoutNotFound, HoldEnded, InLine, PaymentUnderWay
from domain.payments import OurProblem, PaymentStatus
from domain.reservations import HOLD, HoldState
from models import checkout as checkouts
from models.checkout import Visit
from services import links
from web import covers, own_hold, rendering, start_again, words
from web.buyer_form import BuyerForm, kept_buyer
from web.declines import Decline, decline_of
from web.rendering import is_htmx, redirect
from web.security import PAYMENT, PERSONAL

# Every answer of the till is for one person, and may be the page that takes the card.
OPTIONS = {PERSONAL: True, PAYMENT: True}

# Seconds until a page asks again: of itself, and when nobody could answer.
ASK_AGAIN, ASK_AGAIN_LATER = 2, 3
# A page that waits in line is back by then, whatever has become of the computer it is open on.
LONGEST_WAIT = 60
# What the page that only waits says already, when it asks again.
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the payment has to say, where it is said; templates/payments/_notice.html has every kind in words."""

    kind: str
    decline: Decline | None = None
    wait: str = ""  # in words, for who stands in line
    back: Any = None  # money on its way back: amount, currency


async def find(token: str) -> Visit:
    """Raises CheckoutNotFound."""
    visit = await checkouts.visit(links.checkout_behind(token))
    if visit is None:
        raise CheckoutNotFound
    return visit


async def show(request: Request, visit: Visit, *, sure: bool = True) -> Response[Any]:
    """The page for how it stands. `sure`: nothing is under way at the provider that we could not ask about."""
    match visit.state:
        case HoldState.PAID:
            return redirect(request, order_path(visit.checkout["order_id"]))
        case HoldState.HELD:
            return show_form(request, visit, notice=await notice_of(visit))
        case HoldState.CONFIRMING:
            return show_waiting(request, visit, sure=sure)
        case HoldState.ENDED if not sure:
            return show_waiting(request, visit)
        case _:
            return await show_ended(request, visit)


def show_form(
    request: Request,
    visit: Visit,
    *,
    buyer: BuyerForm | None = None,
    notice: Notice | None = None,
    status_code: int = 200,
) -> Response[str]:
    values = shown(visit) | _clock(visit) | {"buyer": buyer or kept_buyer(visit.checkout), "notice": notice}
    return rendering.page(request, "checkouts/show.html", status_code=status_code, **values)


def show_line(visit: Visit, line: InLine) -> Response[str]:
    """202, for the page's script: how long it takes until this payment starts, and the hold, which waits with it."""
    values = shown(visit) | _clock(visit) | {"notice": Notice("line", wait=about(line.seconds)), "fresh": True}
    headers = _ask_again(min(math.ceil(line.seconds), LONGEST_WAIT))
    return rendering.fragment("payments/in_line.swap.html", status_code=202, headers=headers, **values)


def show_waiting(request: Request, visit: Visit, *, sure: bool = False) -> Response[Any]:
    """202: the bank has agreed, or may have. The page asks again by itself; 204 when it says so already."""
    stage = {HoldState.CONFIRMING: "agreed", HoldState.HELD: "held"}.get(visit.state, "ended")
    if request.query_params.get(WAITING) == stage:
        return Response(None, status_code=204)
    again = ASK_AGAIN if sure else ASK_AGAIN_LATER
    values = shown(visit) | {"stage": stage, "again": again}
    if is_htmx(request):
        return rendering.fragment("payments/_waiting.html", status_code=202, headers=_ask_again(again), **values)
    return rendering.page(request, "payments/waiting.html", status_code=202, headers=_ask_again(again), **values)


def only_waits(request: Request) -> bool:
    """Asked by the page above, which has no place for what the payment has to say."""
    return WAITING in request.query_params


async def show_ended(request: Request, visit: Visit) -> Response[Any]:
    """410: the tickets are no longer held. What was chosen is kept, and offered again if it is still to be had."""
    if is_htmx(request):
        return redirect(request, checkout_path(visit))
    back = await checkouts.money_back(visit.checkout["id"])
    values = shown(visit) | {
        "why": _why_ended(visit, back),
        "agreed": _was_agreed(visit),
        "back": back,
        "offer": await start_again.offer(visit),
    }
    answer = rendering.page(request, "checkouts/ended.html", status_code=410, **values)
    return let_cookie_go(request, answer, visit.checkout["id"])


async def notice_of(visit: Visit) -> Notice | None:
    """What became of the last attempt to pay for tickets that are still held; None when there is nothing to say."""
    match visit.checkout["payment_status"]:
        case PaymentStatus.VOIDED:
            return Notice("called off")
        case PaymentStatus.REFUNDED:
            return Notice("sent back", back=await checkouts.money_back(visit.checkout["id"]))
    decline = decline_of(visit.checkout["payment_problem"])
    return Notice("declined", decline) if decline else None


def show_notice(visit: Visit, notice: Notice | None, *, status_code: int) -> Response[str]:
    """For the page's script: the notice alone."""
    headers = _ask_again(ASK_AGAIN_LATER) if status_code in (202, 503) else {}
    values = shown(visit) | {"notice": notice, "fresh": True}
    return rendering.fragment("payments/_notice.html", status_code=status_code, headers=headers, **values)


def let_cookie_go(request: Request, answer: Response[Any], checkout_id: UUID) -> Response[Any]:
    """The visitor no longer holds these tickets. A newer hold of theirs is not touched."""
    token = request.cookies.get(own_hold.cookie_name(), "")
    try:
        if token and links.checkout_behind(token) == checkout_id:
            answer.set_cookie(own_hold.forget())
    except CheckoutNotFound:
        answer.set_cookie(own_hold.forget())
    return answer


def checkout_path(visit: Visit) -> str:
    return f"/checkouts/{links.checkout_token(visit.checkout['id'])}"


def order_path(order_id: UUID) -> str:
    return f"/orders/{links.order_token(order_id)}"


def go_to_order(request: Request, refusal: AlreadyPaid) -> Response[None]:
    return redirect(request, order_path(refusal.order_id))


def go_to_checkout(request: Request, _: Exception) -> Response[None]:
    """Its page says how it stands."""
    return redirect(request, f"/checkouts/{request.path_params['token']}")


# What the till refuses is shown by the page of the purchase itself, not by a page about the refusal.
REFUSALS: Any = {AlreadyPaid: go_to_order, HoldEnded: go_to_checkout, PaymentUnderWay: go_to_checkout}


def shown(visit: Visit) -> dict[str, Any]:
    event, until = visit.event, visit.checkout["expires_at"]
    timezone = event["timezone"]
    return {
        "path": checkout_path(visit),
        "event": event,
        "hue": covers.hue(event),
        "timezone": timezone,
        "currency": event["currency"],
        "lines": [
            {"quantity": line["quantity"], "name": line["name"], "amount": line["line_total"]} for line in visit.lines
        ],
        "count": visit.quantity,
        "total": visit.amount,
        "until": until,
        # Without the script, which says it on the buyer's own clock, the zone must be named.
        "until_words": f"{words.clock(until, timezone)} {words.zone_name(until, timezone)}",
        "fresh": False,
    }


def about(seconds: float) -> str:
    """12 seconds, 3 minutes: never less than it takes."""
    return (
        words.plural(math.ceil(seconds), "second") if seconds <= 90 else words.plural(math.ceil(seconds / 60), "minute")
    )


def _clock(visit: Visit) -> dict[str, int]:
    seconds = math.ceil(visit.seconds_left)
    return {"seconds": seconds, "total_seconds": max(seconds, int(HOLD.total_seconds()))}


def _ask_again(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _why_ended(visit: Visit, back: Any) -> str:
    """What a person whose tickets are gone must know first: where their money is."""
    if back:
        return "sent back"
    if visit.state == HoldState.GIVEN_BACK:
        return "given back"
    if visit.checkout["payment_problem"] == OurProblem.AMOUNT_DIFFERS:
        return "amount"
    if visit.checkout["payment_problem"] == OurProblem.LATE:  # also when its seats had been nailed down once
        return "late"
    if visit.checkout["payment_was_agreed"]:
        return "called off"
    return "late" if _was_agreed(visit) else "time"


def _was_agreed(visit: Visit) -> bool:
    """Their bank has set money aside, and may still show it."""
    return (
        visit.state == HoldState.LETTING_GO
        or visit.checkout["payment_was_agreed"]
        or visit.checkout["payment_problem"] in (OurProblem.LATE, OurProblem.AMOUNT_DIFFERS)
    )
