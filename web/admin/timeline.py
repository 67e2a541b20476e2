"""How an order came about and what became of it, in words: newest first, each with its moment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.attention import CLOSED_DISPUTE
from domain.payments import OurProblem, PaymentStatus, Provider
from domain.refunds import RefundReason
from models.timeline import Traces
from services.desk_sales import SOLD
from services.orders import BUYER_CORRECTED, HOLDER_CORRECTED, SENT_AGAIN
from web import words
from web.admin.refund_form import REASONS
from web.declines import decline_of

AT_THE_DESK = (Provider.MANUAL, Provider.COMPLIMENTARY)


@dataclass(frozen=True, slots=True)
class Moment:
    """`detail` stands below; `tone` marks what went wrong (bad), nearly so (warn), or is only told for completeness
    (quiet)."""

    key: str
    at: datetime
    words: str
    detail: str = ""
    tone: str | None = None


def timeline(order: Any, traces: Traces) -> list[Moment]:
    found = [
        *_hold(order, traces),
        *_payments(order, traces),
        *_notices(traces),
        *_order(order),
        *_mails(order, traces),
        *_deeds(order, traces),
        *_disputes(traces),
    ]
    return sorted(found, key=lambda moment: moment.at)[::-1]  # of the same moment too, the later step first


# ---------------------------------------------------------------- from hold to tickets


def _hold(order: Any, traces: Traces) -> Iterator[Moment]:
    if order["payment_provider"] in AT_THE_DESK:
        return
    until = words.clock(traces.checkout["expires_at"], order["timezone"])
    held = words.plural(traces.checkout["tickets"], "ticket")
    yield Moment("held", traces.checkout["created_at"], f"{held} held", f"until {until}")


ABOUT_THEM = {"Your bank": "The bank", "your bank": "the bank", "that it is you": "that it was them"}
OURS = {
    OurProblem.LATE: "It came when the hold had ended.",
    OurProblem.AMOUNT_DIFFERS: "The bank agreed to another amount.",
    OurProblem.CAPTURED_BY_HAND: "It was taken by hand in Stripe’s dashboard.",
}


def _payments(order: Any, traces: Traces) -> Iterator[Moment]:
    told = any(notice["payload"] for notice in traces.notices)
    for payment in traces.payments:
        if payment["provider"] != Provider.STRIPE:
            continue
        amount = words.money(payment["amount"], payment["currency"])
        reason = _reason(payment["last_error"])
        said_no = f"A card was declined before. {reason}" if reason and not told else ""
        if payment["status"] != PaymentStatus.VOIDED:
            yield Moment(f"payment-{payment['id']}", payment["created_at"], f"Payment of {amount} started", said_no)
        if payment["status"] == PaymentStatus.VOIDED:
            yield Moment(f"payment-{payment['id']}", payment["created_at"], f"Payment of {amount} started")
            yield Moment(
                f"void-{payment['id']}", payment["updated_at"], f"Payment of {amount} let go", _why(payment), "warn"
            )
        if payment["status"] == PaymentStatus.REFUNDED:
            taken = words.money(payment["captured"], payment["currency"])
            what = f"{taken} taken, and sent back"
            yield Moment(f"extra-{payment['id']}", payment["updated_at"], what, _why(payment), "warn")


def _why(payment: Any) -> str:
    problem = payment["last_error"]
    if problem in set(OurProblem):
        return OURS.get(OurProblem(problem), "Nobody was charged.")
    return _reason(problem) or "Nobody was charged."


def _reason(code: str | None) -> str:
    """As the buyer was told, in words about them."""
    decline = decline_of(code)
    said = decline.reason if decline else ""
    for yours, theirs in ABOUT_THEM.items():
        said = said.replace(yours, theirs)
    return said


TOLD = {
    "payment_intent.requires_action": "The bank asked the buyer to confirm",
    "payment_intent.amount_capturable_updated": "Stripe reported: card authorised",
    "payment_intent.succeeded": "Stripe reported: paid",
    "payment_intent.canceled": "Stripe reported: payment cancelled",
    "charge.refunded": "Stripe reported: refunded",
    "charge.dispute.created": "Stripe reported: disputed",
    "charge.dispute.closed": "Stripe reported: dispute closed",
}


def _notices(traces: Traces) -> Iterator[Moment]:
    for notice in traces.notices:
        key = f"notice-{notice['id']}"
        if notice["payload"]:
            yield Moment(key, notice["created_at"], "Card declined", _reason(_problem_in(notice["payload"])), "warn")
        elif notice["type"] in TOLD:
            yield Moment(key, notice["created_at"], TOLD[notice["type"]], tone="quiet")


def _problem_in(payload: str) -> str:
    """The bank's code, as Stripe's notice has it; whatever is not there gives the words for no reason."""
    try:
        error = json.loads(payload)["data"]["object"]["last_payment_error"]
        return error.get("decline_code") or error["code"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "unknown"


def _order(order: Any) -> Iterator[Moment]:
    if order["payment_provider"] not in AT_THE_DESK:
        amount = words.money(order["total_amount"], order["currency"])
        yield Moment("paid", order["created_at"], f"Paid {amount}" if order["total_amount"] else "Ordered, for free")
    if order["completed_at"]:
        issued = words.plural(order["total_quantity"], "ticket")
        yield Moment("issued", order["completed_at"], f"{issued} issued")


# ---------------------------------------------------------------- mails

MAILS = {
    "confirmation_mail": "Tickets",
    "confirmation_again_mail": "Tickets",
    "not_charged_mail": "Email that nothing was charged",
    "refund_mail": "Email about a refund",
    "refund_failed_mail": "Email about a refund that failed",
    "valid_again_mail": "Email about tickets that are valid again",
}
WITH_TICKETS = ("confirmation_mail", "confirmation_again_mail")


def _mails(order: Any, traces: Traces) -> Iterator[Moment]:
    for mail in traces.mails:
        key, what = f"mail-{mail['id']}", MAILS[mail["kind"]]
        if mail["done_at"]:
            to = f"to {_address_at(mail['done_at'], order, traces)}" if mail["kind"] in WITH_TICKETS else ""
            yield Moment(key, mail["done_at"], f"{what} sent", to)
        elif mail["given_up"]:
            tried = f"Given up after {words.plural(mail['attempts'], 'attempt')}."
            yield Moment(key, mail["created_at"], f"{what} not sent", tried, "bad")
        else:
            again = "It was not taken yet, and is tried again by itself." if mail["last_error"] else ""
            yield Moment(key, mail["created_at"], f"{what} waiting to be sent", again, "warn" if again else "quiet")


def _address_at(moment: datetime, order: Any, traces: Traces) -> str:
    """Where mail went then: the address before the first correction after it."""
    later = [d for d in traces.deeds if d["action"] == BUYER_CORRECTED and d["created_at"] > moment]
    for deed in sorted(later, key=lambda deed: deed["created_at"]):
        if address := json.loads(deed["before"]).get("buyer_email"):
            return address
    return order["buyer_email"]


# ---------------------------------------------------------------- deeds

REFUND_STEPS = {
    "refund pending": ("is with the bank", None),
    "refund succeeded": ("was sent back", None),
    "refund failed": ("failed: the money is still here", "bad"),
    "refund found": ("was made in Stripe’s dashboard", None),
}
OTHERS = {
    "made tickets": "Tickets made",
    "asked again": "Stripe asked again",
    "seats returned to sale": "Seats put back on sale",
    "seats taken back": "Seats taken back",
}


def _deeds(order: Any, traces: Traces) -> Iterator[Moment]:
    for deed in traces.deeds:
        said = _say(order, deed, json.loads(deed["before"]), json.loads(deed["after"]))
        if said:
            what, detail, tone = said
            yield Moment(f"deed-{deed['id']}", deed["created_at"], what, detail, tone)


def _say(order: Any, deed: Any, before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str, str | None] | None:
    by = f"by {deed['actor_name']}" if deed["actor_id"] else ""
    match deed["action"]:
        case action if action == SOLD:
            return _sold(after, by)
        case action if action == BUYER_CORRECTED:
            return _buyer_corrected(before, after, by)
        case action if action == HOLDER_CORRECTED:
            return f"Name on {after['ticket']} corrected {by}", _change(before, after, "holder_name"), None
        case action if action == SENT_AGAIN:
            return f"Tickets sent again {by}", f"to {after['to']}", "quiet"
        case "refund requested":
            return _refund_requested(order, after, by)
        case action if action in REFUND_STEPS:
            step, tone = REFUND_STEPS[action]
            sum_ = words.money(deed["amount"], deed["currency"]) if deed["amount"] is not None else "A refund"
            return f"{sum_} {step}", "", tone
        case action if action in OTHERS:
            return f"{OTHERS[action]} {by}".strip(), "", "quiet"
    return None


def _sold(after: dict[str, Any], by: str) -> tuple[str, str, str | None]:
    note = [after["note"]] if after.get("note") else []
    if not after.get("amount"):
        return f"Given as a gift {by}", " · ".join(note), None
    amount = words.money(after["amount"], after["currency"])
    return f"Sold at the desk {by}", " · ".join([f"{amount} {words.paid_by(after['method'])}", *note]), None


def _buyer_corrected(before: dict[str, Any], after: dict[str, Any], by: str) -> tuple[str, str, str | None]:
    named = {"buyer_name": "name", "buyer_email": "email"}
    fields = [name for name in named if name in before]
    what = " and ".join(named[name] for name in fields).capitalize()
    return f"{what} corrected {by}", "; ".join(_change(before, after, name) for name in fields), None


def _change(before: dict[str, Any], after: dict[str, Any], name: str) -> str:
    return f"{before[name]} → {after[name]}"


def _refund_requested(order: Any, after: dict[str, Any], by: str) -> tuple[str, str, str | None]:
    count = words.plural(after["tickets"], "ticket")
    reason = REASONS.get(RefundReason(after["reason"]), "")
    if not after["amount"]:
        return f"{count} cancelled {by}", reason, None
    amount = words.money(after["amount"], after["currency"])
    detail = f"{count} · {reason}" if after["tickets"] else reason
    if order["payment_provider"] == Provider.MANUAL:
        return f"{amount} given back by hand {by}", detail, None
    return f"Refund of {amount} asked for {by}", detail, None


# ---------------------------------------------------------------- disputes


def _disputes(traces: Traces) -> Iterator[Moment]:
    for dispute in traces.disputes:
        amount = words.money(dispute["amount"], dispute["currency"])
        reason = dispute["reason"].replace("_", " ")
        yield Moment(f"dispute-{dispute['id']}", dispute["created_at"], f"{amount} disputed", reason, "bad")
        if dispute["status"] in CLOSED_DISPUTE:
            end = dispute["status"].replace("_", " ")
            yield Moment(f"end-{dispute['id']}", dispute["updated_at"], f"Dispute {end}", "", None)
