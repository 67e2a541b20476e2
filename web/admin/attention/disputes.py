"""Disputes: what the bank says, until when to answer, how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.attention import CLOSED_DISPUTE, Subject
from models.attention import Attention
from web import words
from web.admin.attention.saying import ASK, Action, amount, button, refunds_of, title
from web.admin.durations import ahead

DISPUTE_REASONS = {
    "bank_cannot_process": "the bank could not process the charge",
    "credit_not_processed": "they say a refund never came",
    "customer_initiated": "the card holder asked for it",
    "duplicate": "they say they were charged twice",
    "fraudulent": "the card holder says it was not them",
    "general": "no reason given",
    "noncompliant": "a rule of the card network",
    "product_not_received": "they say they got no tickets",
    "product_unacceptable": "they say it was not what was sold",
    "subscription_canceled": "they say they had cancelled",
    "unrecognized": "the card holder does not recognise it",
}
DISPUTE_STATES = {
    "needs_response": ("Answer needed", "bad"),
    "warning_needs_response": ("Answer needed", "bad"),
    "under_review": ("With the bank", "info"),
    "warning_under_review": ("With the bank", "info"),
    "won": ("Won", "ok"),
    "lost": ("Lost", "bad"),
    "warning_closed": ("Closed", "ok"),
    "prevented": ("Closed", "ok"),
}
DISPUTE_ENDS = {
    "won": "The bank decided for you: the money is yours again.",
    "lost": "The bank decided for the card holder, who has the money back.",
    "warning_closed": "The bank dropped its question. No money moved.",
    "prevented": "It ended before any money moved.",
}


TAKEN_MEANWHILE = ("needs_response", "under_review")
ONLY_ASKED = ("warning_needs_response", "warning_under_review")


def dispute(row: Any, found: Attention) -> dict[str, Any]:
    state, tone = DISPUTE_STATES.get(row["status"], ("Open", "warn"))
    closed = row["status"] in CLOSED_DISPUTE
    moved = "asks about" if row["status"].startswith("warning") else "took back"
    what = DISPUTE_ENDS.get(row["status"]) or f"The buyer’s bank {moved} {amount(row)}: {_why(row)}."
    actions = [button(Subject.DISPUTE, row, f"seen?status={row['status']}", "Seen")] if closed else []
    if not closed:
        actions.append(button(Subject.DISPUTE, row, "questions", ASK))
    if row["status"] == "lost" and row["valid"]:
        said = "Make the ticket invalid" if row["tickets"] == 1 else "Make tickets invalid"
        address = f"/admin/payments/disputes/{row['id']}/tickets"
        actions.append(Action(address, said, title(row), post=False, refund=True))
    if row["order_id"] and row["status"] != "lost":
        actions.append(refunds_of(row))
    return {
        "state": state,
        "tone": tone,
        "what": what + _about_tickets(row),
        "will": _dispute_future(row, found.now),
        "facts": [("Dispute", row["id"]), ("Payment", row["intent"])],
        "actions": actions,
    }


def _about_tickets(row: Any) -> str:
    if not row["tickets"] or row["status"] not in ("lost", *TAKEN_MEANWHILE, *ONLY_ASKED):
        return ""
    if not row["valid"]:
        return " None of the tickets is valid."
    if row["valid"] == row["tickets"]:
        return " The ticket is still valid." if row["tickets"] == 1 else " The tickets are still valid."
    return f" {row['valid']} of {row['tickets']} tickets are still valid."


@dataclass(frozen=True, slots=True)
class Caution:
    """What to know before money of a disputed payment is given back."""

    tone: str
    title: str
    text: str


def before_refunding(disputes: Sequence[Any]) -> Caution | None:
    """The gravest first: what would pay twice, then what has been paid already, then what is only asked about."""
    if open_one := _first(disputes, TAKEN_MEANWHILE):
        return Caution(
            "bad",
            f"The buyer’s bank has taken {amount(open_one)} back: a dispute is open",
            f"The reason given: {_why(open_one)}. Until it is decided Stripe refuses a refund, and one that went "
            "through would pay the buyer twice. Answer the dispute in Stripe’s dashboard; to give the money up, accept "
            "it there.",
        )
    if lost := _first(disputes, ("lost",)):
        return Caution(
            "bad",
            f"The buyer has {amount(lost)} back from their bank already",
            "The dispute about this payment was lost. Stripe refuses a refund, and one that went through would pay the "
            "buyer twice.",
        )
    if asked := _first(disputes, ONLY_ASKED):
        return Caution(
            "warn",
            f"The buyer’s bank is asking about {amount(asked)} of this payment",
            f"The reason given: {_why(asked)}. No money has moved. A full refund usually ends the question; after a "
            "partial one the bank may still take the rest.",
        )
    return None


def _first(disputes: Sequence[Any], statuses: Sequence[str]) -> Any | None:
    return next((dispute for dispute in disputes if dispute["status"] in statuses), None)


def _why(dispute: Any) -> str:
    return DISPUTE_REASONS.get(dispute["reason"], dispute["reason"].replace("_", " "))


def _dispute_future(row: Any, now: datetime) -> str:
    if row["status"] in CLOSED_DISPUTE:
        return "Nothing more happens."
    if not row["status"].endswith("needs_response"):
        return "The bank decides, which can take two months. We ask once a day."
    if row["respond_by"] is None:
        return "Answer in Stripe’s dashboard."
    deadline = words.when_in_words(row["respond_by"], "UTC")
    if row["respond_by"] < now:
        return f"The time to answer ended on {deadline} (UTC). The bank decides without us."
    left = ahead(row["respond_by"] - now)
    return f"Answer in Stripe’s dashboard by {deadline} (UTC), {left}. Without an answer it is lost."
