"""Work and notices that are late or were given up, and where two books differ."""

from datetime import datetime
from typing import Any

from domain.attention import Subject
from domain.comparison import Kind
from models.attention import Attention
from services.gateway import WhyRefused
from web import words
from web.admin.attention.saying import ASK, button, refunds_of
from web.admin.durations import ago

NOTES = {
    "complete": "Making the tickets",
    "refund": "Telling Stripe of a refund",
    "confirmation_mail": "Sending the tickets by email",
    "confirmation_again_mail": "Sending the tickets by email once more",
    "not_charged_mail": "The email that nothing was charged",
    "refund_mail": "The email about a refund",
    "refund_failed_mail": "The email that a refund did not arrive",
    "valid_again_mail": "The email that a ticket is valid again",
}


def note(row: Any, found: Attention) -> dict[str, Any]:
    return {
        "title": NOTES.get(row["kind"], row["kind"].replace("_", " ")),
        **_stuck(row, found.now),
        "facts": [("Order", row["number"]), ("Last error", row["last_error"])],
        "actions": [button(Subject.NOTE, row, "retries", "Try again")],
    }


def notice(row: Any, found: Attention) -> dict[str, Any]:
    said = _stuck(row, found.now)
    safe = " Payments are asked about without notices too; refunds and disputes with the daily comparison."
    return {
        "title": f"“{row['type']}”",
        **said,
        "will": said["will"] + safe,
        "facts": [("Payment", row["reference"]), ("Last error", row["last_error"])],
        "actions": [button(Subject.NOTICE, row, "retries", "Try again")],
    }


WHY_REFUSED: dict[WhyRefused, str] = {
    WhyRefused.SIGNATURE: "not signed with our secret. Anybody can send such. If they are Stripe’s own, "
    "STRIPE_WEBHOOK_SECRET is not the endpoint’s",
    WhyRefused.TOO_OLD: "genuine, and more than five minutes old. Is this machine’s clock right?",
    WhyRefused.TOO_NEW: "genuine, and more than five minutes from the future. Is this machine’s clock right?",
    WhyRefused.NOT_READABLE: "genuine, and not readable. Does the endpoint send another kind of event?",
    WhyRefused.OTHER_MODE: "genuine, and of the other mode. An endpoint for tests and one for live payments are two",
}


def refused(row: Any, now: datetime) -> str:
    """3 notices were refused, the last 5 minutes ago: why."""
    count = row["times"]
    were, latest = "was" if count == 1 else "were", ago(now - row["last_at"])
    said = f"{words.plural(count, 'notice')} {were} refused, the latest {latest}"
    why = WHY_REFUSED[WhyRefused(row["reason"])]
    return f"{said}: {why}" + ("" if why.endswith("?") else ".")


def _stuck(row: Any, now: datetime) -> dict[str, Any]:
    if row["given_up"]:
        tried = words.plural(row["attempts"], "attempt")
        will = "Nothing more happens by itself. Put right what stands in its way, then try again."
        return {"state": "Given up", "tone": "bad", "what": f"Given up after {tried}.", "will": will}
    return {
        "state": "Late",
        "tone": "warn",
        "what": f"This was due {ago(now - row['run_at'])}, and nobody has done it.",
        "will": "The worker does it as soon as it runs again. If more is late here, look whether it is running.",
    }


DIFFERENCES = {
    Kind.UNKNOWN_TO_US: "Stripe has money for a payment that we don’t know.",
    Kind.UNKNOWN_TO_THEM: "We have a payment that Stripe doesn’t know.",
    Kind.SECOND_INTENT: "Stripe has money for a purchase that was paid by another payment already.",
    Kind.OUTCOME: "Stripe and we differ on whether money was taken.",
    Kind.AMOUNT: "Stripe and we differ on how much was taken.",
    Kind.REFUNDS: "Stripe and we differ on how much went back.",
}


def difference(row: Any, found: Attention) -> dict[str, Any]:
    title = None if row["buyer_name"] else "A payment at Stripe"
    return {
        "title": title,
        "state": "Differs",
        "tone": "bad",
        "what": DIFFERENCES.get(row["kind"], row["kind"].replace("_", " ")),
        "will": "It is looked at again with every daily comparison, and leaves this list when both agree.",
        "facts": [("Stripe says", row["theirs"]), ("Foyer says", row["ours"]), ("Payment", row["reference"])],
        "actions": [
            button(Subject.DISCREPANCY, row, "questions", ASK),
            *([refunds_of(row)] if row["order_id"] else []),
        ],
    }
