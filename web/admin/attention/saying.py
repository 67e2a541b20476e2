"""What all items say alike: who and how much, when it is tried again, and the buttons beside it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.attention import Subject
from web import words
from web.admin.durations import ago, ahead

ASK = "Ask Stripe again"


@dataclass(frozen=True, slots=True)
class Action:
    """A button (`post`) or a link. `name` tells it apart from its neighbours for whoever only hears it."""

    address: str
    words: str
    name: str
    post: bool = True
    refund: bool = False  # needs the permission to refund, not to settle


def button(subject: Subject, row: Any, verb: str, said: str) -> Action:
    return Action(f"/admin/payments/{subject}/{row['id']}/{verb}", said, title(row))


def refunds_of(row: Any) -> Action:
    address = f"/admin/orders/{row['order_id']}/refund"
    return Action(address, "Refunds of the order", row["number"], post=False, refund=True)


def title(row: Any) -> str:
    if row["amount"] is None:
        return row["buyer_name"] or "A payment"
    return f"{amount(row)} from {row['buyer_name'] or 'a buyer without a name'}"


def about(row: Any) -> str:
    number = row["number"] if "number" in row.keys() else None  # noqa: SIM118
    parts = [row["title"], f"order {number}" if number else None, row["buyer_email"]]
    return " · ".join(part for part in parts if part)


def amount(row: Any) -> str:
    return words.money(row["amount"], row["currency"])


def asks_again(when: datetime, now: datetime) -> str:
    return _again("Asks Stripe again", when, now)


def tries_again(when: datetime, now: datetime) -> str:
    return _again("Tries again", when, now)


def _again(what: str, when: datetime, now: datetime) -> str:
    """Late work is said to be late: then the worker may not be running."""
    if (now - when).total_seconds() > 60:
        return f"{what} as soon as the worker runs: it should have {ago(now - when)}."
    return f"{what} {ahead(when - now)}."
