"""Refunds that are late, failed, or were made where we did not see it."""

from typing import Any

from domain.attention import PENDING, Subject
from models.attention import Attention
from web import words
from web.admin.attention.saying import ASK, Action, amount, asks_again, button, refunds_of, title
from web.admin.durations import ago


def refund(row: Any, found: Attention) -> dict[str, Any]:
    state, tone, what = _refund_state(row, found)
    facts = [("Refund", row["reference"]), ("Payment", row["intent"]), ("Note", row["note"])]
    if row["note_error"] or row["last_error"]:
        facts.append(("Last answer", row["last_error"] or row["note_error"]))
    return {
        "title": f"{amount(row)} back to {row['buyer_name'] or 'a buyer'}",
        "state": state,
        "tone": tone,
        "what": what,
        "will": _refund_future(row, found),
        "facts": facts,
        "actions": _refund_actions(row, found),
    }


def _refund_state(row: Any, found: Attention) -> tuple[str, str, str]:
    now, sum_ = found.now, amount(row)
    was_taken = (
        f"{sum_} was taken by hand in Stripe, where nothing could be given for it. " if _for_nothing(row) else ""
    )
    match row["status"]:
        case "REQUESTED":
            given_up = row["given_up"]
            return (
                "Given up" if given_up else "Unknown",
                "bad" if given_up else "warn",
                f"{was_taken}{'It' if was_taken else sum_} is to go back, and we don’t know yet whether Stripe has it.",
            )
        case "FAILED" if row["last_error"] == "given_back_elsewhere":
            return "Not needed", "info", f"{sum_} had been given back in Stripe already, so ours was not made."
        case "FAILED" if row["reason"] == "DISPUTED":
            return "No seat", "bad", "The dispute was won after all." + _about_seats(row, found)
        case "FAILED":
            tickets = "" if row["order_id"] is None else _about_seats(row, found)
            why = REFUND_FAILURES.get(row["last_error"] or "", "")
            returned = f"{was_taken}The bank sent the refund back{why}. The money is still with us."
            return "Failed", "bad", returned + tickets
        case "PENDING" if row["reason"] != "OUTSIDE" or now - row["created_at"] > PENDING:
            return "Slow", "warn", f"{was_taken}Stripe sent it {ago(now - row['created_at'])}; the bank still has it."
    if was_taken:
        return "On its way", "info", f"{was_taken}Stripe is giving it back."
    return "Made in Stripe", "info", f"{sum_} was given back in Stripe’s dashboard. {_meant_for_tickets(row)}"


def _about_seats(row: Any, found: Attention) -> str:
    """Which tickets a failed refund could not make valid again, and why."""
    shut_out = found.without_seat.get(row["id"])
    if not shut_out:
        return " No ticket is invalid because of it."
    many = len(shut_out.numbers) > 1
    gone = "their seats had been sold on, so they are" if many else "its seat had been sold on, so it is"
    named = words.plural(len(shut_out.numbers), "ticket")
    return f" For {named} it came too late: {gone} not valid, although paid for ({', '.join(shut_out.numbers)})."


def _meant_for_tickets(row: Any) -> str:
    if row["order_id"] is None:
        return "It belongs to no order."
    if not row["tickets"] and not row["left_with_us"]:
        return "No ticket became invalid by it. All of the money has gone back since, and no paid ticket is valid."
    if not row["tickets"]:
        return "No ticket became invalid: it doesn’t say which, and part of the money is still with us."
    count = row["tickets"]
    invalid = f"{words.plural(count, 'ticket')} of the order became invalid"
    if not row["seats_kept"]:
        return f"{invalid}; the seats are on sale again."
    return f"{invalid}; {'its seat stays' if count == 1 else 'their seats stay'} off sale until you say so."


def _refund_future(row: Any, found: Attention) -> str:
    now, shut_out = found.now, found.without_seat.get(row["id"])
    match row["status"]:
        case "REQUESTED" if row["given_up"]:
            return "We have stopped asking after many attempts: nothing more happens by itself."
        case "REQUESTED" if row["note_run_at"]:
            return f"{asks_again(row['note_run_at'], now)} It is never paid twice."
        case "FAILED" if row["last_error"] == "given_back_elsewhere":
            return "Nothing more happens by itself."
        case "FAILED" if row["order_id"] and not row["left_with_us"]:
            return "All of the money has gone back since by another refund. Nothing more happens by itself."
        case "FAILED" if shut_out:
            return _future_of_seats(len(shut_out.numbers), shut_out.free)
        case "FAILED" if row["order_id"] is None:
            return "Nothing more happens by itself. Give it back in Stripe’s dashboard, or reach the buyer another way."
        case "FAILED":
            return "Nothing more happens by itself. Refund it once more, or reach the buyer another way."
        case "PENDING":
            return asks_again(row["next_check_at"], now)
    return "Nothing more happens by itself."


def _future_of_seats(wanted: int, free: int) -> str:
    if not free:
        return (
            "No seat is free now. When one is, or when you raise the capacity, it can be taken back here. Or refund it "
            "once more, or reach the buyer another way."
        )
    if free < wanted:
        return f"{words.plural(free, 'seat')} of {wanted} {'is' if free == 1 else 'are'} free now: take what is there."
    return "A seat is free now: take it back." if wanted == 1 else "Their seats are free now: take them back."


def _refund_actions(row: Any, found: Attention) -> list[Action]:
    actions = []
    if (shut_out := found.without_seat.get(row["id"])) and shut_out.free:
        address = f"/admin/payments/refunds/{row['id']}/admission"
        said = "Take the seat back" if shut_out.free == 1 else f"Take {shut_out.free} seats back"
        actions.append(Action(address, said, title(row), refund=True))
    if row["status"] in ("REQUESTED", "PENDING"):
        actions.append(button(Subject.REFUND, row, "questions", ASK))
    if row["status"] == "FAILED" or row["reason"] == "OUTSIDE":
        actions.append(button(Subject.REFUND, row, f"seen?status={row['status']}", "Seen"))
    if row["seats_kept"] and row["status"] in ("PENDING", "SUCCEEDED"):
        address = f"/admin/payments/refunds/{row['id']}/seats"
        actions.append(Action(address, "Return the seats to sale", title(row), post=False, refund=True))
    if row["order_id"]:
        actions.append(refunds_of(row))
    return actions


REFUND_FAILURES = {
    "charge_for_pending_refund_disputed": ": the payment was disputed meanwhile",
    "declined": ": the card’s bank refused it",
    "expired_or_canceled_card": ": the card has expired or was cancelled",
    "insufficient_funds": ": Stripe’s balance did not suffice",
    "lost_or_stolen_card": ": the card was lost or stolen",
    "merchant_request": ": it was cancelled in Stripe’s dashboard",
}


def _for_nothing(row: Any) -> bool:
    return row["reason"] == "NO_SEATS"
