"""Disputes: what the bank says, until when to answer, how it ended."""

from datetime import datetime
from typing import Any

from domain.attention import CLOSED_DISPUTE, Subject
from models.attention import Attention
from web import words
from web.admin.attention.saying import ASK, amount, button, refunds_of
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
    "lost": "The bank decided for the card holder, who has the money back. The tickets still admit.",
    "warning_closed": "The bank dropped its question. No money moved.",
    "prevented": "It ended before any money moved.",
}


def dispute(row: Any, found: Attention) -> dict[str, Any]:
    state, tone = DISPUTE_STATES.get(row["status"], ("Open", "warn"))
    why = DISPUTE_REASONS.get(row["reason"], row["reason"].replace("_", " "))
    closed = row["status"] in CLOSED_DISPUTE
    moved = "asks about" if row["status"].startswith("warning") else "took back"
    what = DISPUTE_ENDS.get(row["status"]) or f"The buyer’s bank {moved} {amount(row)}: {why}."
    actions = [button(Subject.DISPUTE, row, f"seen?status={row['status']}", "Seen")] if closed else []
    if not closed:
        actions.append(button(Subject.DISPUTE, row, "questions", ASK))
    if row["order_id"] and row["status"] != "lost":
        actions.append(refunds_of(row))
    return {
        "state": state,
        "tone": tone,
        "what": what + ("" if closed else " The tickets are still valid."),
        "will": _dispute_future(row, found.now),
        "facts": [("Dispute", row["id"]), ("Payment", row["intent"])],
        "actions": actions,
    }


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
