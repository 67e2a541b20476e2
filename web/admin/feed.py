"""What happens, in words: one line for each visit, at the moment of the latest that came of it, one for each refund.

A visit that begins as “is holding 2 tickets” becomes “bought 2 tickets” or “let 2 tickets go”: nobody has to add up.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.refunds import RefundStatus
from domain.reservations import HoldState, hold_state
from models.sales import SHOWN
from web import words

SOMEONE = "Someone"


@dataclass(frozen=True, slots=True)
class Line:
    """`who` did `did`; `more` stands below. `since`: how long ago."""

    id: str
    who: str
    did: str
    more: str
    at: datetime
    since: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A hold that runs out soon."""

    id: str
    who: str
    tickets: str
    ends_at: datetime
    ends_in: str


def lines(
    visits: Iterable[Any], refunds: Iterable[Any], *, now: datetime, names: bool, titles: bool = False
) -> list[Line]:
    """Newest first. `names`: whether buyers are named; `titles`: whether each line says its event."""
    found = [_visit(row, now, names, titles) for row in visits]
    found += [_refund(row, now, names, titles) for row in refunds]
    return sorted(found, key=lambda line: line.at, reverse=True)[:SHOWN]


def leaving(rows: Iterable[Any], *, now: datetime, names: bool) -> list[Leaving]:
    return [
        Leaving(
            id=f"leaving-{row['id']}",
            who=_who(row["buyer_name"], names),
            tickets=words.plural(row["quantity"], "ticket"),
            ends_at=row["expires_at"],
            ends_in=f"{max(1, math.ceil((row['expires_at'] - now).total_seconds() / 60))} min left",
        )
        for row in rows
    ]


def short(name: str) -> str:
    """Ana Kovač → Ana K.: enough to know them by, for a screen that others may see."""
    first, *others = name.split()
    last = next((word for word in reversed(others) if word[0].isalpha()), "")
    return f"{first} {last[0]}." if last else first


def since(passed: timedelta) -> str:
    """now, 3 min, 2 h, 5 days: whole units that have passed."""
    minutes = int(passed.total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _who(name: str, names: bool) -> str:
    return short(name) if names and name.strip() else SOMEONE


def _visit(row: Any, now: datetime, names: bool, titles: bool) -> Line:
    did, more = _came_of(row, now)
    return Line(
        id=f"visit-{row['id']}",
        who=_who(row["name"], names),
        did=did,
        more=_joined(row["title"] if titles else "", more),
        at=row["at"],
        since=since(now - row["at"]),
        href=f"/admin/orders/{row['order_id']}" if names and row["order_id"] else None,
    )


def _came_of(row: Any, now: datetime) -> tuple[str, str]:
    """What they did, and what else there is to say about it."""
    tickets = words.plural(row["quantity"], "ticket")
    match hold_state(
        paid=row["order_id"] is not None,
        payment_status=row["payment_status"],
        given_back=row["given_back_at"] is not None,
        holding=bool(row["holding"]),
        expires_at=row["expires_at"],
        now=now,
    ):
        case HoldState.PAID:
            return f"bought {tickets}", words.price(row["total_amount"], row["currency"])
        case HoldState.HELD:
            return f"is holding {tickets}", f"until {words.clock(row['expires_at'], row['timezone'])}"
        case HoldState.CONFIRMING:
            return f"is paying for {tickets}", "the bank has agreed"
        case HoldState.GIVEN_BACK:
            return f"gave {tickets} back", ""
        case _:
            return f"let {tickets} go", "hold ended"


def _refund(row: Any, now: datetime, names: bool, titles: bool) -> Line:
    return Line(
        id=f"refund-{row['id']}",
        who=_who(row["name"], names),
        did=_went_back(row),
        more=_joined(row["title"] if titles else "", _of_tickets(row["tickets"])),
        at=row["at"],
        since=since(now - row["at"]),
        href=f"/admin/orders/{row['order_id']}" if names else None,
    )


def _went_back(row: Any) -> str:
    if not row["amount"]:
        return "no longer comes"
    amount = words.money(row["amount"], row["currency"])
    match row["status"]:
        case RefundStatus.SUCCEEDED:
            return f"got {amount} back"
        case RefundStatus.FAILED:
            return f"did not get {amount} back"
        case _:
            return f"gets {amount} back"


def _of_tickets(count: int) -> str:
    return f"for {words.plural(count, 'ticket')}" if count else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
