"""Payments whose end is not known, and paid orders that have no tickets yet."""

from datetime import datetime
from typing import Any

from domain.attention import Subject
from domain.payments import OurProblem, PaymentStatus
from models.attention import Attention
from web import words
from web.admin.attention.saying import ASK, asks_again, button, tries_again
from web.admin.durations import ago, ahead


def payment(row: Any, found: Attention) -> dict[str, Any]:
    if row["status"] == PaymentStatus.VOIDED:
        return _changed_at_stripe(row)
    state, what = _payment_state(row, found.now)
    asks = row["reference"] is not None and row["provider"] == "stripe"
    return {
        "state": state,
        "tone": "warn",
        "what": what,
        "will": _payment_future(row, found.now),
        "facts": [("Payment", row["reference"]), ("Asked so far", words.plural(row["attempts"], "time"))],
        "actions": [button(Subject.PAYMENT, row, "questions", ASK)] if asks else [],
    }


def _changed_at_stripe(row: Any) -> dict[str, Any]:
    return {
        "state": "Let go",
        "tone": "bad",
        "what": "Somebody changed this payment at Stripe: the bank agreed to another amount than we asked for. "
        "We let it go, and nobody was charged.",
        "will": "Nothing more happens. Who else uses this Stripe account, or its secret key?",
        "facts": [("Payment", row["reference"])],
        "actions": [button(Subject.PAYMENT, row, f"seen?status={row['status']}", "Seen")],
    }


def _payment_state(row: Any, now: datetime) -> tuple[str, str]:
    match row["status"]:
        case "CREATING" if row["provider"] == "free":
            return "Not finished", "A free order was begun and not finished. There is nothing to pay."
        case "CREATING":
            return "Not opened", (
                "We asked Stripe to open this payment and did not hear whether it did. The buyer got no card form "
                "from it, so it can’t have been paid."
            )
        case "OPEN":
            if row["given_back_at"]:
                ended = "The buyer gave the tickets back"
            else:
                ended = f"The hold ended {ago(now - row['hold_ends_at'])}"
            return "Unknown", f"{ended}, and we don’t know yet whether the bank had agreed by then."
        case "CAPTURING":
            return "Unknown", (
                "The bank agreed and the seats are kept. We asked Stripe to take the money and don’t know yet whether "
                "it did."
            )
    why = {
        OurProblem.LATE: "The bank agreed too late: the seats were gone.",
        OurProblem.AMOUNT_DIFFERS: "The bank agreed to another amount than we asked for.",
    }.get(row["last_error"], "The bank agreed, and we could not give anything for it.")
    return "Letting go", f"{why} Stripe was asked to let the money go and has not confirmed. Nothing was taken."


def _payment_future(row: Any, now: datetime) -> str:
    if row["status"] == "CREATING":
        if row["hold_ends_at"] > now:
            when = ahead(row["hold_ends_at"] - now)
            return f"If the buyer goes on, Stripe is asked again. Otherwise it is closed when the hold ends, {when}."
        return "It is closed by itself within a minute. Nobody is charged."
    then = {
        "OPEN": "If the bank agreed, the order is made as far as seats are left; if not, nobody is charged.",
        "CAPTURING": "If it was taken, the order is made; if not, nobody is charged.",
        "VOIDING": "The buyer is told by email that nothing was charged.",
    }[row["status"]]
    return f"{asks_again(row['next_check_at'], now)} {then}"


def order(row: Any, found: Attention) -> dict[str, Any]:
    tickets = words.plural(row["total_quantity"], "ticket")
    if row["given_up"]:
        will = "We have stopped trying after many attempts: nothing more happens by itself."
    elif row["note_run_at"]:
        will = f"{tries_again(row['note_run_at'], found.now)} The seats are sold to this buyer, whatever happens."
    else:
        will = "Nothing is noted that would make them: make them by hand."
    return {
        "state": "No tickets",
        "tone": "bad",
        "what": f"Paid {ago(found.now - row['created_at'])}, and the {tickets} have not been made."
        if row["total_quantity"] > 1
        else f"Paid {ago(found.now - row['created_at'])}, and the ticket has not been made.",
        "will": will,
        "facts": [("Order", row["number"]), ("Payment", row["reference"]), ("Last error", row["note_error"])],
        "actions": [button(Subject.ORDER, row, "questions", "Make the tickets now")],
    }
